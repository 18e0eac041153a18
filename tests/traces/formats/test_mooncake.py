"""Mooncake: JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hindscale.traces import RequestTrace, read_trace


def line(timestamp: object, input_length: object = 10, **more: object) -> str:
    return json.dumps({"timestamp": timestamp, "input_length": input_length, "output_length": 2, **more}) + "\n"


def test_milliseconds_become_seconds(file_with: Callable[..., Path]) -> None:
    content = line(0, hash_ids=list(range(5000))) + "\n" + line(1500, 20, hash_ids=[]) + line(1500.5, 30, x={"y": [1]})
    trace = read_trace(file_with(content, "trace.jsonl"))
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert trace.arrival_s.tolist() == [0, 1.5, 1.5005]
    assert (trace.input_tokens.tolist(), trace.output_tokens.tolist()) == ([10, 20, 30], [2, 2, 2])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("{oops\n", "line 2: expected an object of numbers, was '{oops'"),
        ("[1, 2]\n", "line 2: expected an object of numbers, was '[1, 2]'"),
        (line("late"), f"line 2: expected an object of numbers, was {line('late')[:60]!r}"),
        ('{"timestamp": 5, "input_length": 1}\n', "output_tokens must be a number >= 0, but row 2 has nan"),
        (line(5) + line(3), "arrival_s must not fall, but row 3 has 0.003 after 0.005; sort the file, or read it with"),
    ],
)
def test_bad_lines_are_refused(refusal: Callable[..., str], second: str, message: str) -> None:
    assert refusal(line(0) + second, "trace.jsonl").startswith(message)


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 2000 lines; tokens in and out; the last timestamp is 532806 ms.
    trace = read_trace(real_traces / "native" / "mooncake_synthetic_trace.head2000.jsonl")
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert (trace.total_requests, trace.input_tokens.sum(), trace.output_tokens.sum()) == (2000, 24_732_716, 382_951)
    assert trace.duration_s == 532.806
