"""Access logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from hindscale.traces import RequestTrace, read_trace


def line(second: int, *, host: str = "10.0.0.1 - -", zone: str = "-0700", day: str = "10/Oct/2000") -> str:
    return f'{host} [{day}:13:55:{second:02} {zone}] "GET / HTTP/1.0" 200 2326\n'


def arrivals(path: Path) -> list[float]:
    trace = read_trace(path)
    assert isinstance(trace, RequestTrace)
    return trace.arrival_s.tolist()


def test_requests_of_a_second_are_spread_over_it(file_with: Callable[..., Path]) -> None:
    path = file_with(line(36) * 4 + line(38))
    # Four in the first second: its eighths. One in the third: its middle.
    assert arrivals(path) == [0.125, 0.375, 0.625, 0.875, 2.5]
    assert read_trace(path).start == datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC)


def test_lines_are_sorted_across_zones(file_with: Callable[..., Path]) -> None:
    # A log is written when a request ends; and clocks change.
    assert arrivals(file_with(line(40) + "\n" + line(38) + line(39, zone="-0700"))) == [0.5, 1.5, 2.5]
    both = line(36, zone="+0000") + line(36, zone="+0100")
    np.testing.assert_allclose(arrivals(file_with(both)), [0.5, 3600.5])


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1 - -", "::1 - frank", "10.0.0.1 - John Doe", "example.com:443 10.0.0.1 - -", "\ufeff10.0.0.1 - -"],
)
def test_what_stands_before_the_time_does_not_matter(file_with: Callable[..., Path], host: str) -> None:
    combined = line(36, host=host).rstrip() + ' "http://ref/[01/Jan/1999:00:00:00 +0000]" "curl/8"\n'
    assert arrivals(file_with(combined)) == [0.5]


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("restarted\n", "'restarted'"),
        (line(36, day="32/Oct/2000"), "'32/Oct/2000:13:55:36 -0700'"),
        (line(36, day="10/Okt/2000"), "'10/Okt/2000:13:55:36 -0700'"),
        (line(36).replace("[", ""), repr(line(36).replace("[", "")[:60])),
    ],
)
def test_a_bad_line_in_the_middle_is_named(refusal: Callable[..., str], bad: str, found: str) -> None:
    message = refusal(line(36) * 3 + bad + line(37), "access.log")
    assert message == f"line 4: expected a time such as [31/Jan/2026:23:59:59 +0000], was {found}"
