"""Numenta Anomaly Benchmark: the values say what they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hindscale.traces import RateTrace, UtilizationTrace, read_trace


def table(*values: object) -> str:
    return "timestamp,value\n" + "".join(f"2014-04-10 00:{4 + 5 * i:02}:00,{value}\n" for i, value in enumerate(values))


def test_whole_numbers_are_counts(file_with: Callable[..., Path]) -> None:
    trace = read_trace(file_with(table("94.0", "56.0", 0)))
    assert isinstance(trace, RateTrace)
    assert (trace.window_s, trace.requests.tolist()) == (300, [94, 56, 0])
    assert trace.start == datetime(2014, 4, 10, 0, 4, tzinfo=UTC)


@pytest.mark.parametrize("values", [(50.5, 100, 0), (0.505, 1.0, 0)], ids=["percent", "fraction"])
def test_fractions_are_a_utilization(file_with: Callable[..., Path], values: tuple[float, ...]) -> None:
    trace = read_trace(file_with(table(*values)))
    assert isinstance(trace, UtilizationTrace)
    assert trace.utilization.tolist() == [0.505, 1, 0]


def test_fractions_above_100_are_counts(file_with: Callable[..., Path]) -> None:
    assert isinstance(read_trace(file_with(table(50.5, 100.5))), RateTrace)


def test_missing_samples_are_interpolated_and_counted(file_with: Callable[..., Path]) -> None:
    path = file_with("\n".join(table(10, 20, 30, 70, 80).splitlines()[i] for i in (0, 1, 2, 4, 5)))
    trace = read_trace(path)
    assert isinstance(trace, RateTrace)
    assert (trace.requests.tolist(), trace.details) == ([10, 20, 45, 70, 80], {"filled_windows": "1"})
    zeroed = read_trace(path, fill="zero")
    assert isinstance(zeroed, RateTrace)
    assert zeroed.requests.tolist() == [10, 20, 0, 70, 80]


def test_further_columns_do_no_harm(file_with: Callable[..., Path]) -> None:
    assert read_trace(file_with("timestamp,value,label\n2026-01-05,1,a\n2026-01-06,2,b\n")).duration_s == 2 * 86400


def test_rows_out_of_order_are_sorted_when_asked_for(
    file_with: Callable[..., Path], refusal: Callable[..., str]
) -> None:
    rows = table(1, 2, 3).splitlines()
    swapped = "\n".join([rows[0], rows[2], rows[1], rows[3]])
    assert refusal(swapped) == "time_s must rise, but row 2 has 0 after 300; sort the file, or read it with --sort"
    trace = read_trace(file_with(swapped), sort=True)
    assert isinstance(trace, RateTrace)
    assert trace.requests.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("timestamp,value\n", "expected rows below the header, found none"),
        (table(1), "at least two windows are needed to know their length, found 1"),
        (table(1, "", 3), "value must be a number, but row 2 has nan"),
        (table(1, "x", 3), "line 3: value must be a number, was 'x'"),
        (table(1, -2, 3), "requests must be a number >= 0, but row 2 has -2"),
        (table(1, 2) + table(3).splitlines()[1], "time_s must rise, but row 3 has 0 after 300"),
    ],
)
def test_bad_tables_are_refused(refusal: Callable[..., str], content: str, message: str) -> None:
    assert refusal(content).startswith(message)


def test_the_native_samples_add_up(real_traces: Path) -> None:
    # awk: the mean of 1999 values is 36.4677 %.
    cpu = read_trace(real_traces / "native" / "nab_cpu_utilization_asg_misconfiguration.head2000.csv")
    assert isinstance(cpu, UtilizationTrace)
    assert (len(cpu.utilization), cpu.utilization.mean()) == (1999, pytest.approx(0.364677, abs=1e-6))
    # awk: 1999 values, 131094 requests; five samples are missing, the first at 2014-04-10 11:34.
    elb = read_trace(real_traces / "native" / "nab_elb_request_count_8c0756.head2000.csv", fill="zero")
    assert isinstance(elb, RateTrace)
    assert (len(elb.requests), elb.total_requests, elb.details) == (2004, 131_094, {"filled_windows": "5"})
    assert elb.requests[138] == 0  # 11:34 is 11.5 h after 00:04, 138 windows of 5 min
