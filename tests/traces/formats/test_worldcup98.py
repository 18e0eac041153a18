"""World Cup 1998 counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hindscale.traces import RateTrace, read_trace


def test_rows_of_a_minute_are_added_and_silent_minutes_are_zero(file_with: Callable[..., Path]) -> None:
    table = "period,count\n1998-04-30 21:31:00,3\n1998-04-30 21:30:00,2\n1998-04-30 21:31:00,4\n1998-04-30 21:34:00,1\n"
    trace = read_trace(file_with(table))
    assert isinstance(trace, RateTrace)
    assert (trace.window_s, trace.requests.tolist()) == (60, [2, 7, 0, 0, 1])
    assert trace.start == datetime(1998, 4, 30, 21, 30, tzinfo=UTC)
    assert trace.details == {"filled_windows": "2"}
    filled = read_trace(file_with(table), fill="interpolate")
    assert isinstance(filled, RateTrace)
    assert filled.requests.tolist() == [2, 7, 5, 3, 1]


def test_a_missing_count_is_refused(refusal: Callable[..., str]) -> None:
    message = refusal("period,count\n1998-04-30 21:30:00,2\n1998-04-30 21:31:00,\n")
    assert message == "requests must be a number >= 0, but row 2 has nan"


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 1999 rows of as many minutes, 1432815 requests; from 04-30 21:30 to 05-02 06:48 are 1998 steps.
    trace = read_trace(real_traces / "native" / "worldcup98_invocation_count.head2000.csv")
    assert isinstance(trace, RateTrace)
    assert (len(trace.requests), trace.total_requests, trace.details) == (1999, 1_432_815, {})
