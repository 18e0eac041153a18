"""Alibaba GenAI request log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hindscale.traces import RequestTrace, read_trace


def test_requests_that_never_ran_are_kept(file_with: Callable[..., Path]) -> None:
    table = (
        "gmt_create,predict_status,exec_time_seconds\n"
        "2024-11-15 16:57:50,SUCCEED,32.0\n2024-11-15 16:57:40,PENDING,\n2024-11-15 16:58:00,FAILED,1\n"
    )
    trace = read_trace(file_with(table))
    assert isinstance(trace, RequestTrace)
    assert trace.service_s is not None
    assert (trace.arrival_s.tolist(), trace.service_s.tolist()) == ([0, 10, 20], [0, 32, 1])
    assert trace.start == datetime(2024, 11, 15, 16, 57, 40, tzinfo=UTC)


def test_a_row_without_a_time_is_refused(refusal: Callable[..., str]) -> None:
    message = refusal("gmt_create,exec_time_seconds\n2024-11-15 16:57:50,1\n,1\n")
    assert message == "gmt_create must be a timestamp, but row 2 has none"


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 1999 rows, 47144 s in service; from 11-15 16:57:50 to 11-20 23:58:18 are 5 d 7 h 0 min 28 s.
    trace = read_trace(real_traces / "native" / "alibaba_genai_lora_request_trace.head2000.csv")
    assert isinstance(trace, RequestTrace)
    assert trace.service_s is not None
    assert (trace.total_requests, trace.service_s.sum()) == (1999, 47144)
    assert trace.duration_s == 5 * 86400 + 7 * 3600 + 28
