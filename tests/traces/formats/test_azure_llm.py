"""Azure LLM inference traces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hindscale.traces import RequestTrace, Trace, read_trace

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def columns(trace: Trace) -> tuple[list[float], list[float], list[float]]:
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    return trace.arrival_s.tolist(), trace.input_tokens.tolist(), trace.output_tokens.tolist()


def test_the_first_request_is_second_0(file_with: Callable[..., Path]) -> None:
    # 50.9951690 - 46.6805900 = 4.3145790 s, all seven decimals of the file.
    trace = read_trace(file_with(f"{HEADER}2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"))
    assert columns(trace) == ([0, 4.314579], [374, 396], [44, 109])
    assert trace.start == datetime(2023, 11, 16, 18, 15, 46, 680590, tzinfo=UTC)


def test_the_files_of_2024_carry_a_zone(file_with: Callable[..., Path]) -> None:
    rows = "2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 02:00:00.017335+02:00,2399,6\n"
    trace = read_trace(file_with(HEADER + rows))
    assert columns(trace) == ([0, 0.007405], [2162, 2399], [5, 6])
    assert trace.start == datetime(2024, 5, 10, 0, 0, 0, 9930, tzinfo=UTC)


def test_rows_out_of_order_are_sorted_when_asked_for(
    file_with: Callable[..., Path], refusal: Callable[..., str]
) -> None:
    table = f"{HEADER}2023-11-16 18:00:02,2,20\n2023-11-16 18:00:00,1,10\n"
    assert refusal(table) == "arrival_s must not fall, but row 2 has 0 after 2; sort the file, or read it with --sort"
    assert columns(read_trace(file_with(table), sort=True)) == ([0, 2], [1, 2], [10, 20])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "expected rows below the header, found none"),
        ("2023-11-16 18:00:00,1,10\n,2,20\n", "TIMESTAMP must be a timestamp, but row 2 has none"),
        ("2023-11-16 18:00:00,,10\n", "input_tokens must be a number >= 0, but row 1 has nan"),
        (
            "2023-11-16 18:00:00,1,1\n2023-11-16 25:00:00,1,1\n",
            "line 3: TIMESTAMP must be a time such as 2026-01-31 23:59:59, was '2023-11-16 25:00:00'",
        ),
    ],
)
def test_bad_rows_are_refused(refusal: Callable[..., str], rows: str, message: str) -> None:
    assert refusal(HEADER + rows) == message


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 1999 rows; tokens in and out; 18:22:49.8647860 - 18:15:46.6805900.
    trace = read_trace(real_traces / "native" / "azure_llm_2023_conv.head2000.csv")
    arrival_s, inputs, outputs = columns(trace)
    assert (len(arrival_s), sum(inputs), sum(outputs)) == (1999, 2_209_141, 529_711)
    assert trace.duration_s == pytest.approx(423.184196, abs=1e-9)
