"""The models of statsforecast under one contract, and what each of them sees in a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hindscale.core import ParameterError
from hindscale.forecasting import Forecaster, build_forecaster
from hindscale.forecasting._refitted import Refitted
from hindscale.forecasting.arima import Arima
from hindscale.forecasting.ets import Ets
from hindscale.forecasting.mstl import Mstl
from hindscale.forecasting.theta import Theta
from hindscale.testing import ForecasterContract

pytest.importorskip("statsforecast", reason="the extra hindscale[forecast] is not installed")

PLAIN = (Arima(warm_up=150), Ets(warm_up=150), Theta(warm_up=150))
DAILY = Mstl(season_windows=12, history_windows=60, refit_windows=12, warm_up=36)


class TestContract(ForecasterContract):
    def forecasters(self) -> Sequence[Forecaster[Any]]:
        return [Ets(warm_up=20), Theta(warm_up=20)]


def ahead(forecaster: Refitted, rates: Sequence[float], windows: int) -> list[float]:
    state = forecaster.initial_state()
    for rate_rps in rates:
        state = forecaster.update(rate_rps, state)
    forecast = forecaster.forecast(windows, state)
    assert forecast is not None
    return forecast.mean_rps.tolist()


@pytest.mark.parametrize("forecaster", PLAIN, ids=lambda each: each.name)
def test_noise_around_a_level_is_forecast_as_the_level(forecaster: Refitted) -> None:
    rates = np.random.default_rng(1).normal(100.0, 5.0, 200).tolist()
    assert ahead(forecaster, rates, 4) == pytest.approx([100.0] * 4, rel=0.05)


def test_mstl_sees_the_shape_of_a_season() -> None:
    season = (50 + 30 * np.sin(2 * np.pi * np.arange(12) / 12)).tolist()
    assert ahead(DAILY, season * 6, 12) == pytest.approx(season, rel=0.05)


def test_mstl_wants_three_seasons() -> None:
    with pytest.raises(ParameterError, match="must hold 3 seasons, 36 windows, were 20 and 60"):
        Mstl(season_windows=12, history_windows=60, warm_up=20)


def test_a_fit_a_day_unless_given_otherwise() -> None:
    assert build_forecaster("ets", window_s=600.0) == Ets(history_windows=144, refit_windows=144)
    assert build_forecaster("mstl", window_s=3600.0) == Mstl(
        season_windows=24, history_windows=168, refit_windows=24, warm_up=72
    )
