"""Azure Functions 2021: a request began at its end minus its duration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hindscale.traces import RequestTrace, read_trace


def read(path: Path) -> RequestTrace:
    trace = read_trace(path)
    assert isinstance(trace, RequestTrace)
    assert trace.service_s is not None
    return trace


def test_rows_are_sorted_by_their_beginning(file_with: Callable[..., Path]) -> None:
    # 10 - 2 = 8, 9 - 0.5 = 8.5, and 9 - 8 = 1.
    trace = read(file_with("app,func,end_timestamp,duration\na,f,10,2\na,g,9,0.5\na,f,9,8\n"))
    assert trace.arrival_s.tolist() == [1, 8, 8.5]
    np.testing.assert_array_equal(trace.service_s, [8, 2, 0.5])


def test_what_ran_when_recording_began_arrived_at_0(file_with: Callable[..., Path]) -> None:
    assert read(file_with("app,func,end_timestamp,duration\na,f,1,1.001\n")).arrival_s.tolist() == [0]


def test_a_negative_duration_is_refused(refusal: Callable[..., str]) -> None:
    message = refusal("app,func,end_timestamp,duration\na,f,1,-1\n")
    assert message == "service_s must be a number >= 0, but row 1 has -1"


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 199 rows, 10599.17 s in service, the last beginning at 1200.014798 s.
    trace = read(real_traces / "native" / "azure_functions_2021.example200.csv")
    assert trace.total_requests == 199
    assert trace.duration_s == pytest.approx(1200.014798, abs=1e-6)
    assert trace.service_s is not None
    assert trace.service_s.sum() == pytest.approx(10599.17)
