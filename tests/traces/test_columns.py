"""The canonical columns, as CSV: requests, rates and utilization."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, read_trace
from hindscale.traces.columns import is_canonical, rename_hint, trace_from_columns
from hindscale.traces.formats import ReadOptions

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_arrivals_make_a_request_trace(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with("arrival_s,input_tokens,output_tokens,service_s,model\n0,10,1,0.5,a\n2,20,2,0.25,b\n"))
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert trace.service_s is not None
    assert trace.arrival_s.tolist() == [0, 2]
    assert trace.input_tokens.tolist() == [10, 20]
    assert trace.output_tokens.tolist() == [1, 2]
    assert trace.service_s.tolist() == [0.5, 0.25]


def test_columns_that_are_not_there_are_unknown(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with("arrival_s\n0\n"))
    assert isinstance(trace, RequestTrace)
    assert (trace.input_tokens, trace.output_tokens, trace.service_s, trace.start) == (None, None, None, None)


def test_exec_s_is_read_as_service_s(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with("arrival_s,exec_s\n0,3\n"))
    assert isinstance(trace, RequestTrace)
    assert trace.service_s is not None
    assert trace.service_s.tolist() == [3]


def test_counts_make_a_rate_trace(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with("time_s,requests\n0,10\n60,0\n120,5.5\n"))
    assert isinstance(trace, RateTrace)
    assert (trace.window_s, trace.requests.tolist()) == (60, [10, 0, 5.5])


def test_fractions_make_a_utilization_trace(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with("time_s,utilization\n0,0.5\n57,1\n"))
    assert isinstance(trace, UtilizationTrace)
    assert (trace.window_s, trace.utilization.tolist()) == (57, [0.5, 1])


def test_counts_are_traffic_even_beside_a_utilization(file_with: Callable[..., Path]) -> None:
    assert isinstance(read_trace(file_with("time_s,utilization,requests\n0,0.5,10\n60,0.2,4\n")), RateTrace)


def test_gaps_are_refused_unless_filled(file_with: Callable[..., Path], refusal: Callable[..., str]) -> None:
    table = "time_s,requests\n0,1\n60,2\n180,4\n"
    assert refusal(table) == (
        "time_s must advance by one window (1min), but row 3 advances by 120 s;"
        " read it with --fill zero or --fill interpolate"
    )
    for fill, missing in (("zero", 0), ("interpolate", 3)):
        trace = read_trace(file_with(table), fill=fill)  # type: ignore[arg-type]
        assert isinstance(trace, RateTrace)
        assert trace.requests.tolist() == [1, 2, missing, 4]
        assert trace.details == {"filled_windows": "1"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("time_s,requests\n0,5\n", "at least two windows are needed to know their length, found 1"),
        ("time_s,requests\n0,1\n60,2\n60,3\n", "time_s must rise, but row 3 has 60 again; keep one of the two"),
        ("time_s,requests\n-60,1\n0,2\n", "time_s must be a number >= 0, but row 1 has -60"),
        ("time_s,requests\n0,1\n,2\n", "time_s must be a number >= 0, but row 2 has nan"),
        ("time_s,requests\n0,1\n60,\n", "requests must be a number >= 0, but row 2 has nan"),
        (
            "time_s,utilization\n0,0.5\n60,70\n",
            "utilization must be in [0, 1], but row 2 has 70; are these percent? divide by 100",
        ),
        ("time_s,utilization\n0,0.5\n60,-0.5\n", "utilization must be a number >= 0, but row 2 has -0.5"),
        (
            "time_s,requests\n1700000000000,1\n1700000060000,2\n",
            (
                "time_s must be in seconds, but begins at 1700000000000, which looks like a clock time in milliseconds;"
                " divide by 1000"
            ),
        ),
    ],
)
def test_bad_windows_are_refused(refusal: Callable[..., str], table: str, message: str) -> None:
    assert refusal(table) == message
    if "row" not in message:
        assert refusal(table, sort=True, fill="zero") == message


def test_clock_times_of_windows_tell_the_start(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with(f"time_s,requests\n{NOON.timestamp():.0f},1\n{NOON.timestamp() + 60:.0f},2\n"))
    assert (trace.start, trace.duration_s) == (NOON, 120)


def test_a_stated_start_is_that_of_second_0() -> None:
    columns = {"time_s": np.array([600.0, 660.0]), "requests": np.ones(2)}
    trace = trace_from_columns("r", columns, ReadOptions(), start=NOON)
    assert trace.start == datetime(2026, 1, 5, 12, 10, tzinfo=UTC)


def test_which_columns_are_a_trace() -> None:
    assert is_canonical(["x", "arrival_s"])
    assert is_canonical(["time_s", "requests"])
    assert is_canonical(["utilization", "time_s"])
    assert not is_canonical(["time_s"])
    assert not is_canonical(["requests", "utilization"])


def test_near_names_are_suggested() -> None:
    assert rename_hint(["Arrival_s"]) == "rename 'Arrival_s' to 'arrival_s'"
    assert rename_hint(["time", "requests"]) == "rename 'time' to 'time_s'"
    assert rename_hint(["Request"]) == "rename 'Request' to 'requests'"
    assert rename_hint(["foo"]).startswith("name the columns arrival_s")
