"""BurstGPT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hindscale.traces import RequestTrace, read_trace


def read(path: Path) -> RequestTrace:
    trace = read_trace(path)
    assert isinstance(trace, RequestTrace)
    return trace


def test_the_native_sample_by_hand(real_traces: Path) -> None:
    trace = read(real_traces / "native" / "BurstGPT_1.first3rows.csv")
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert trace.arrival_s.tolist() == [5, 45, 118]
    assert trace.input_tokens.tolist() == [472, 1087, 417]
    assert trace.output_tokens.tolist() == [18, 230, 276]
    assert trace.service_s is None


def test_later_releases_know_the_time_in_service(file_with: Callable[..., Path]) -> None:
    header = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    trace = read(file_with(header + "5,1,2.5,ChatGPT,472,18,490,Conversation log\n9,1,,GPT-4,10,0,10,API log\n"))
    assert trace.service_s is not None
    assert trace.output_tokens is not None
    assert trace.service_s.tolist() == [2.5, 0]  # 0: not recorded
    assert trace.output_tokens.tolist() == [18, 0]  # a failed request arrived all the same


def test_a_bad_cell_is_refused(refusal: Callable[..., str]) -> None:
    table = (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,4,1,5,x\nsoon,GPT-4,1,1,2,x\n"
    )
    assert refusal(table) == "line 3: Timestamp must be a number, was 'soon'"
