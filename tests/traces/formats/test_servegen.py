"""ServeGen client chunks: rates in windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hindscale.traces import RateTrace, read_trace


@pytest.mark.parametrize("first", ["0,0,0,,0,0", "0,0.5,1.2,Gamma,0.5,1", "0,5e+1,1.5e-05,Gamma,0.5,1"])
def test_rates_times_windows_are_requests(file_with: Callable[..., Path], first: str) -> None:
    trace = read_trace(file_with(f"{first}\n600,0.25,0,,0,0\n1200,1e-05,0,,0,0\n"))
    assert isinstance(trace, RateTrace)
    # 0.25 requests a second for 600 s, and 0.00001.
    assert (trace.window_s, trace.requests[1:].tolist()) == (600, [150, pytest.approx(0.006)])
    assert trace.requests[0] == float(first.split(",")[1]) * 600


def test_bad_rows_are_refused(refusal: Callable[..., str]) -> None:
    assert refusal("0,0,0,,0,0\n600,0.25,0,,0\n") == "line 2: expected 6 cells, found 5"
    assert refusal("0,0,0,,0,0\n600,x,0,,0,0\n") == "line 2: rate_rps must be a number, was 'x'"
    assert refusal("0,0,0,,0,0\n600,,0,,0,0\n") == "requests must be a number >= 0, but row 2 has nan"
    assert refusal("0,0,0,,0,0\n600,-1,0,,0,0\n") == "requests must be a number >= 0, but row 2 has -600"


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 2000 windows of 600 s, sum of rate * 600 is 2965770.
    trace = read_trace(real_traces / "native" / "servegen_m-small_chunk-1-trace.head2000.csv")
    assert isinstance(trace, RateTrace)
    assert (len(trace.requests), trace.window_s) == (2000, 600)
    assert trace.total_requests == pytest.approx(2_965_770)
