from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hindscale.core import ParameterError
from hindscale.core.state import from_plain, to_plain
from hindscale.forecasting import build_forecaster
from hindscale.forecasting.arima import Arima

pytest.importorskip("statsforecast", reason="the extra hindscale[forecast] is not installed")

SMALL = Arima(history_windows=120, refit_windows=60, warm_up=40)


def after(arima: Arima, rates: Sequence[float]) -> Any:
    state = arima.initial_state()
    for rate_rps in rates:
        state = arima.update(rate_rps, state)
    return state


def ar1(count: int, *, mean: float = 50.0, phi: float = 0.8, seed: int = 3) -> list[float]:
    rng, value, series = np.random.default_rng(seed), mean, []
    for _ in range(count):
        value = mean + phi * (value - mean) + rng.normal(0, 2)
        series.append(max(value, 0.0))
    return series


def test_knows_nothing_until_it_is_warm() -> None:
    assert SMALL.forecast(3, after(SMALL, ar1(39))) is None
    assert SMALL.forecast(3, after(SMALL, ar1(40))) is not None


def test_forecasts_of_an_autoregression_fall_back_to_its_mean() -> None:
    series = [*ar1(119), 80.0]
    forecast = SMALL.forecast(30, after(SMALL, series))
    assert forecast is not None
    # From 80, far above the mean of 50, the way leads down.
    assert 80 > forecast.mean_rps[0] > forecast.mean_rps[-1]
    assert abs(forecast.mean_rps[-1] - 50) < 15


def test_between_refits_the_filter_follows_with_frozen_parameters() -> None:
    state = after(SMALL, ar1(41))
    fitted = state.fit
    later = SMALL.update(90.0, state)
    assert later.fit is fitted
    one, two = SMALL.forecast(1, state), SMALL.forecast(1, later)
    assert one is not None
    assert two is not None
    assert two.mean_rps[0] > one.mean_rps[0] + 5


def test_it_is_refitted_on_schedule() -> None:
    assert after(SMALL, ar1(40)).fit.total == 40
    assert after(SMALL, ar1(99)).fit.total == 40
    assert after(SMALL, ar1(100)).fit.total == 100


def test_gaps_and_silence_are_survived() -> None:
    series = ar1(60)
    series[20:30] = [math.nan] * 10
    forecast = SMALL.forecast(4, after(SMALL, series))
    assert forecast is not None
    assert np.isfinite(forecast.mean_rps).all()
    silent = SMALL.forecast(4, after(SMALL, [0.0] * 60))
    assert silent is not None
    assert silent.mean_rps.tolist() == [0.0] * 4


def test_a_restart_fits_the_same_model_again() -> None:
    state = after(SMALL, ar1(70))
    resumed = from_plain(to_plain(state))
    one, other = SMALL.forecast(5, state), SMALL.forecast(5, resumed)
    assert one is not None
    assert other is not None
    assert one.mean_rps.tolist() == other.mean_rps.tolist()


def test_a_day_is_fitted_once_a_day_unless_given_otherwise() -> None:
    assert build_forecaster("arima", window_s=60.0) == Arima(history_windows=1440, refit_windows=1440)
    assert build_forecaster("arima(refit_windows=60)", window_s=60.0).refit_windows == 60  # type: ignore[attr-defined]


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_statsforecast(name: str, *rest: Any) -> Any:
        if name.startswith("statsforecast"):
            raise ImportError(name)
        return real_import(name, *rest)

    state = after(SMALL, ar1(40))
    monkeypatch.setattr(builtins, "__import__", without_statsforecast)
    with pytest.raises(ParameterError, match=r"needs statsforecast, .* pip install 'hindscale\[forecast\]'"):
        SMALL.forecast(1, state)
