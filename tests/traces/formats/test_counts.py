"""Bare counts a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hindscale.traces import RateTrace, read_trace
from hindscale.traces.formats import counts


@pytest.mark.parametrize("content", ["3 14 0 5", "3\n14\n0\n5\n", " 3\t14  0\r\n5 ", "3 14 0 5\n"])
def test_counts_are_separated_by_any_white_space(file_with: Callable[..., Path], content: str) -> None:
    trace = read_trace(file_with(content))
    assert isinstance(trace, RateTrace)
    assert (trace.window_s, trace.requests.tolist()) == (1, [3, 14, 0, 5])


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["", " ", "\n"])
def test_counts_are_whole_across_blocks(
    file_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, block: int, end: str
) -> None:
    monkeypatch.setattr(counts, "BLOCK_BYTES", block)
    expected = np.random.default_rng(0).integers(0, 10_000, 200)
    trace = read_trace(file_with(" ".join(map(str, expected)) + end))
    assert isinstance(trace, RateTrace)
    np.testing.assert_array_equal(trace.requests, expected)


def test_a_word_behind_the_beginning_is_named_by_its_place(refusal: Callable[..., str]) -> None:
    assert refusal("1 " * 40_000 + "many 2") == "count 40,001 must be a number, was 'many'"


def test_numbers_that_are_no_counts_are_another_format(refusal: Callable[..., str]) -> None:
    for content in ("1 -2 3", "1 2.5 3", "1,2,3", "² 3"):
        assert refusal(content).startswith("expected a known trace format")


def test_the_native_sample_adds_up(real_traces: Path) -> None:
    # awk: 7200 counts, 411177 requests.
    trace = read_trace(real_traces / "native" / "twitter_2021_workload.first7200.txt")
    assert isinstance(trace, RateTrace)
    assert (trace.duration_s, trace.total_requests) == (7200, 411_177)
