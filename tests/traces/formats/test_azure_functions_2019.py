"""Azure Functions 2019: functions are added up to one service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hindscale.traces import RateTrace, read_trace, source

HEADER = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\n"


def test_functions_are_added_up_by_minute(file_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "a,b,c,http,1,2,3\n" + "a,b,d,queue,0,5,1\n" * 500
    monkeypatch.setattr(source, "BLOCK_BYTES", 200)  # a real day has 46,000 functions: they come in several blocks
    trace = read_trace(file_with(HEADER + rows))
    assert isinstance(trace, RateTrace)
    assert (trace.window_s, trace.requests.tolist(), trace.details) == (60, [1, 2502, 503], {"functions": "501"})


def test_minutes_are_in_order_of_their_numbers(file_with: Callable[..., Path]) -> None:
    trace = read_trace(
        file_with("HashOwner,HashApp,HashFunction,Trigger,10,9,8,7,6,5,4,3,2,1\n,,,,10,9,8,7,6,5,4,3,2,1\n")
    )
    assert isinstance(trace, RateTrace)
    assert trace.requests.tolist() == list(range(1, 11))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (HEADER, "expected rows below the header, found none"),
        (HEADER + "a,b,c,http,1,2,3\na,b,c,http,1,,3\n", "row 2: expected a count for minute 2, found none"),
        (HEADER + "a,b,c,http,1,x,3\n", "line 2: 2 must be a number, was 'x'"),
        (HEADER.replace(",3", ",4") + "a,b,c,http,1,2,3\n", "line 1: expected a column for each minute, minute 3 is"),
    ],
)
def test_bad_tables_are_refused(refusal: Callable[..., str], table: str, message: str) -> None:
    assert refusal(table).startswith(message)


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 4 functions, 1440 minutes, 4525 invocations.
    trace = read_trace(real_traces / "native" / "azure_functions_2019_invocations.example.csv")
    assert (trace.duration_s, trace.details) == (86400, {"functions": "4"})
    assert isinstance(trace, RateTrace)
    assert trace.total_requests == 4525
