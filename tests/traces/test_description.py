"""The figures of a trace, worked out by hand and compared with the recordings' own table."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from hindscale.traces import RateTrace, RequestTrace, Trace, UtilizationTrace, describe, read_trace
from strategies import rate_traces, request_traces

DAY_S = 86400


def rates(*requests: float, window_s: float = 60.0, **more: object) -> RateTrace:
    return RateTrace(name="r", window_s=window_s, requests=np.array(requests, np.float64), **more)  # type: ignore[arg-type]


def test_figures_of_rates_by_hand() -> None:
    figures = describe(rates(60, 120, 0, 60))
    assert (figures.kind, figures.duration_s, figures.window_s, figures.requests) == ("rates", 240, 60, 240)
    # Rates are 1, 2, 0, 1 a second.
    assert (figures.mean, figures.peak, figures.peak_to_mean) == (1, 2, 2)
    assert figures.cv == pytest.approx(math.sqrt(0.5))
    # Counts 60, 120, 0, 60 have mean 60 and variance (0 + 3600 + 3600 + 0) / 4 = 1800.
    assert figures.dispersion == pytest.approx(30)
    assert figures.empty == 0.25
    assert math.isnan(figures.day)
    assert math.isnan(figures.week)


def test_rates_keep_their_own_window() -> None:
    figures = describe(rates(0, 10, 0, 0, 0, 0, 0, window_s=1))
    assert (figures.window_s, figures.peak, figures.requests) == (1, 10, 10)


def test_figures_of_requests_are_by_the_minute() -> None:
    # Three requests in the first minute, one in the second, which ends with the trace at 120 s.
    trace = RequestTrace(name="a", arrival_s=np.array([0.0, 10, 20, 120]), input_tokens=np.array([1.0, 2, 3, 1000]))
    figures = describe(trace)
    assert (figures.kind, figures.duration_s, figures.window_s, figures.requests) == ("requests", 120, 60, 4)
    assert (figures.mean, figures.peak) == (pytest.approx(4 / 120), pytest.approx(3 / 60))
    # Counts 3 and 1: mean 2, variance 1.
    assert figures.dispersion == pytest.approx(0.5)
    # The 99th percentile of four lies 0.97 of the way from 3 to 1000.
    assert figures.further == {"input tokens": "mean 252, median 2, p99 970"}


def test_figures_of_utilization() -> None:
    figures = describe(UtilizationTrace(name="u", window_s=300, utilization=np.array([0.0, 0.5, 1.0])))
    assert (figures.kind, figures.mean, figures.peak, figures.peak_to_mean) == ("utilization", 0.5, 1, 2)
    assert figures.empty == pytest.approx(1 / 3)
    assert math.isnan(figures.requests)
    assert math.isnan(figures.dispersion)


def test_a_poisson_process_has_a_dispersion_of_1() -> None:
    rng = np.random.default_rng(0)
    trace = RequestTrace(name="a", arrival_s=np.sort(rng.uniform(0, 60 * 20_000, 200_000)))
    # The variance of 20,000 counts of mean 10 is off by sqrt(2 / 20,000) = 1 %.
    assert describe(trace).dispersion == pytest.approx(1, abs=0.05)


def test_the_rhythm_of_days_and_weeks_is_a_correlation() -> None:
    hours = np.arange(28 * 24)
    daily = 10 + 5 * np.sin(2 * np.pi * hours / 24)
    growing = rates(*(daily + hours), window_s=3600)
    # A straight line and a wave of the same phase go together perfectly, however the service grows.
    assert describe(growing).day == pytest.approx(1)
    assert describe(growing).week == pytest.approx(1)
    # A wave of two days is turned around after one and after seven.
    alternating = describe(rates(*(10 + 5 * np.sin(np.pi * hours / 24)), window_s=3600))
    assert (alternating.day, alternating.week) == (pytest.approx(-1), pytest.approx(-1))


def test_the_rhythm_needs_two_periods() -> None:
    wave = 10 + 5 * np.sin(2 * np.pi * np.arange(48) / 24)
    assert describe(rates(*wave, window_s=3600)).day == pytest.approx(1)
    assert math.isnan(describe(rates(*wave[1:], window_s=3600)).day)
    assert math.isnan(describe(rates(*wave, window_s=10 * DAY_S)).day)


def test_what_does_not_vary_has_no_rhythm() -> None:
    figures = describe(rates(*[5] * 48, window_s=3600))
    assert math.isnan(figures.day)
    assert (figures.cv, figures.dispersion) == (0, 0)


def test_no_traffic_has_no_ratios() -> None:
    figures = describe(rates(0, 0))
    assert (figures.mean, figures.peak, figures.empty) == (0, 0, 1)
    assert math.isnan(figures.peak_to_mean)
    assert math.isnan(figures.cv)
    assert math.isnan(figures.dispersion)


@pytest.mark.parametrize("arrival_s", [[0.0], [5.0], [0.0, 0.0], [1e-300]])
def test_a_few_requests_are_described(arrival_s: list[float]) -> None:
    figures = describe(RequestTrace(name="a", arrival_s=np.array(arrival_s)))
    assert figures.requests == len(arrival_s)
    assert figures.peak == figures.mean == len(arrival_s) / (figures.duration_s if figures.duration_s > 1 else 60)


@given(trace=request_traces() | rate_traces())
def test_figures_agree_with_the_trace(trace: Trace) -> None:
    assert not isinstance(trace, UtilizationTrace)
    figures = describe(trace)
    assert figures.requests == trace.total_requests
    assert figures.duration_s == trace.duration_s
    assert 0 <= figures.empty <= 1
    if trace.duration_s > 1:
        assert figures.mean == pytest.approx(trace.mean_rate_rps)


def test_what_the_file_says_is_passed_on() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    details = {"source": "here", "licence": "CC BY 4.0", "how": "by hand", "filled_windows": "3"}
    further = describe(rates(1, 2, start=noon, details=details)).further
    start = {"start": "2026-01-05 12:00:00+00:00"}
    assert further == start | {"source": "here", "licence": "CC BY 4.0", "filled_windows": "3"}
    assert describe(rates(1, 2, details={"start": "day 3"})).further == {"start": "day 3"}


def test_recorded_service_times_are_durations() -> None:
    trace = RequestTrace(name="a", arrival_s=np.array([0.0, 1]), service_s=np.array([30.0, 90.0]))
    assert describe(trace).further == {"recorded service": "mean 1min, median 1min, p99 1.49min"}


def test_recordings_agree_with_their_table(real_traces: Path) -> None:
    """Mean, peak, ratio, variation and rhythm in the recordings' README, to the digits printed there."""
    lines = (real_traces / "README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    for row in (row for row in rows if len(row) == 12):
        trace = read_trace(real_traces / row[0].strip("`"))
        # The table counts single requests by the minute, the last one to its end.
        found = describe(trace.to_rates(60) if isinstance(trace, RequestTrace) else trace)
        figures = (found.mean, found.peak, found.peak_to_mean, found.cv, found.day, found.week)
        for figure, text in zip(figures, row[6:], strict=True):
            if text != "-":
                printed = float(text.replace(",", ""))
                digits = len(text.partition(".")[2])
                assert figure == pytest.approx(printed, abs=0.51 * 10**-digits), row
