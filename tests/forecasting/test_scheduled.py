from __future__ import annotations

import math
from typing import Any

import pytest

from hindscale.core import ParameterError
from hindscale.forecasting import build_forecaster
from hindscale.forecasting.conformal import Conformal
from hindscale.forecasting.last_value import LastValue
from hindscale.forecasting.scheduled import Scheduled
from hindscale.forecasting.seasonal_naive import SeasonalNaive
from hindscale.testing import ForecasterContract

WEEKLY = SeasonalNaive(season_windows=7)


class TestContract(ForecasterContract):
    def forecasters(self) -> list[Any]:
        return [Scheduled(model=Conformal(horizon_windows=3, warm_up=2), events=("5min/3min=2.0", "7min/9min=0"))]


def ahead(scheduled: Scheduled, rates: list[float], windows: int) -> list[float]:
    state = scheduled.initial_state()
    for rate_rps in rates:
        state = scheduled.update(rate_rps, state)
    forecast = scheduled.forecast(windows, state)
    assert forecast is not None
    return forecast.mean_rps.tolist()


def test_a_holiday_is_foreseen_and_does_not_spoil_the_week_after() -> None:
    # Days; Wednesday 24 December has half the traffic, Friday the 2nd is a sale.
    scheduled = Scheduled(
        model=WEEKLY,
        events=("2025-12-24T00:00/1d=0.5", "2026-01-02T00:00/1d=3"),
        window_s=86400.0,
        start="2025-12-15T00:00",
    )
    week = [10.0, 20.0, 30.0, 40.0, 50.0, 6.0, 7.0]
    assert ahead(scheduled, week, 2) == week[:2]
    assert ahead(scheduled, [*week, 10.0, 20.0], 2) == [15.0, 40.0]
    holiday_week = [10.0, 20.0, 15.0, 40.0, 50.0, 6.0, 7.0]
    assert ahead(scheduled, week + holiday_week, 5) == [10.0, 20.0, 30.0, 40.0, 150.0]


def test_events_multiply_quantiles_too_and_overlap() -> None:
    scheduled = Scheduled(
        model=Conformal(model=LastValue(), warm_up=1, horizon_windows=3),
        events=("20min/2min=2", "21min/1min=3"),
    )
    state = scheduled.initial_state()
    for _ in range(20):
        state = scheduled.update(5.0, state)
    forecast = scheduled.forecast(3, state)
    assert forecast is not None
    assert forecast.mean_rps.tolist() == [10.0, 30.0, 5.0]
    assert forecast.quantile(0.9) == pytest.approx([10.0, 30.0, 5.0])


def test_of_a_shutdown_nothing_is_learned() -> None:
    scheduled = Scheduled(model=LastValue(), events=("2min/3min=0",))
    state = scheduled.initial_state()
    for rate_rps in (5.0, 6.0, 0.0, 0.0, 0.0):
        state = scheduled.update(rate_rps, state)
    assert state.model == 6.0
    assert not math.isnan(state.model)


def test_it_is_told_when_the_trace_begins() -> None:
    from datetime import UTC, datetime

    built = build_forecaster(
        "scheduled(model=last-value,events=2026-01-01T06:00+00:00/1h=2)",
        window_s=3600.0,
        start=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert isinstance(built, Scheduled)
    assert ahead(built, [4.0] * 5, 3) == [4.0, 8.0, 4.0]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("christmas", "events must look like"),
        ("2026-12-24/1d=0.5", "nobody knows when the first window begins"),
        ("soon/1d=0.5", "begin of an event"),
        ("1d/1d=less", "the factor of an event must be a number"),
        ("1d/1d=-1", "factor must be a number >= 0"),
    ],
)
def test_events_that_make_no_sense_are_refused(event: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Scheduled(events=(event,))
