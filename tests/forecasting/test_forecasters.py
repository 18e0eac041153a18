from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.forecasting import Forecaster, build_forecaster
from hindscale.forecasting.conformal import Conformal
from hindscale.forecasting.history import History
from hindscale.forecasting.kalman import Kalman
from hindscale.forecasting.last_value import LastValue
from hindscale.forecasting.mixture import Mixture
from hindscale.forecasting.profile import Profile
from hindscale.forecasting.seasonal_naive import SeasonalNaive
from hindscale.forecasting.trend import Trend
from hindscale.testing import ForecasterContract


def after(forecaster: Forecaster[Any], rates: Sequence[float]) -> Any:
    state = forecaster.initial_state()
    for rate_rps in rates:
        state = forecaster.update(rate_rps, state)
    return state


class TestContract(ForecasterContract):
    def forecasters(self) -> Sequence[Forecaster[Any]]:
        return [
            Trend(),
            SeasonalNaive(season_windows=5),
            LastValue(),
            Kalman(),
            Profile(season_windows=5, level_windows=3, smooth_windows=1),
            Mixture(models=(LastValue(), Profile(season_windows=5)), horizon_windows=4),
            Conformal(model=Trend(), horizon_windows=4, warm_up=2),
        ]


# -- trend


def test_a_constant_rate_is_forecast_as_it_is() -> None:
    forecast = Trend().forecast(4, after(Trend(), [7.0] * 20))
    assert forecast is not None
    assert forecast.mean_rps.tolist() == pytest.approx([7.0] * 4)


def test_level_and_trend_worked_by_hand() -> None:
    trend = Trend(level_weight=0.5, trend_weight=0.5, damping=1.0, warm_up=2)
    # x = 10, 14: level = 0.5 * 14 + 0.5 * (10 + 0) = 12, slope = 0.5 * (12 - 10) + 0.5 * 0 = 1.
    forecast = trend.forecast(3, after(trend, [10.0, 14.0]))
    assert forecast is not None
    assert forecast.mean_rps.tolist() == pytest.approx([13.0, 14.0, 15.0])
    assert forecast.highest_rps == pytest.approx(15.0)


def test_a_damped_trend_fades() -> None:
    trend = Trend(level_weight=0.5, trend_weight=0.5, damping=0.5, warm_up=2)
    # slope 1 after (10, 14); steps of 0.5, 0.25, 0.125 on the level 12.
    forecast = trend.forecast(3, after(trend, [10.0, 14.0]))
    assert forecast is not None
    assert forecast.mean_rps.tolist() == pytest.approx([12.5, 12.75, 12.875])


def test_a_steep_fall_is_not_forecast_below_zero() -> None:
    forecast = Trend().forecast(50, after(Trend(), [100.0, 50.0, 10.0, 0.0, 0.0]))
    assert forecast is not None
    assert forecast.mean_rps.min() == 0.0


def test_unknown_windows_do_not_count_as_seen() -> None:
    trend = Trend(warm_up=2)
    assert trend.forecast(1, after(trend, [5.0, math.nan, math.nan])) is None
    assert trend.forecast(1, after(trend, [5.0, math.nan, 5.0])) is not None


# -- seasonal naive


def test_the_last_season_comes_again() -> None:
    naive = SeasonalNaive(season_windows=3)
    forecast = naive.forecast(5, after(naive, [1.0, 2.0, 3.0, 4.0]))
    assert forecast is not None
    # The last season is 2, 3, 4.
    assert forecast.mean_rps.tolist() == [2.0, 3.0, 4.0, 2.0, 3.0]


def test_a_gap_is_filled_from_the_season_before() -> None:
    naive = SeasonalNaive(season_windows=3)
    forecast = naive.forecast(3, after(naive, [1.0, 2.0, 3.0, math.nan, 5.0, 6.0]))
    assert forecast is not None
    assert forecast.mean_rps.tolist() == [1.0, 5.0, 6.0]


def test_a_gap_in_the_first_season_means_knowing_too_little() -> None:
    naive = SeasonalNaive(season_windows=3)
    assert naive.forecast(3, after(naive, [1.0, math.nan, 3.0])) is None


# -- by name


def test_a_day_is_the_season_unless_it_is_given() -> None:
    assert build_forecaster("seasonal-naive", window_s=60.0) == SeasonalNaive(season_windows=1440)
    assert build_forecaster("seasonal-naive(season_windows=96)", window_s=60.0) == SeasonalNaive(season_windows=96)
    assert build_forecaster("trend(damping=0.5)", window_s=15.0) == Trend(damping=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("holt", "unknown forecaster 'holt'"),
        ("trend(dampng=1)", "did you mean 'damping'"),
        ("trend(damping=90)", "did you mean 0.9"),
        ("seasonal-naive(season_windows=0)", "season_windows must be a whole number >= 1"),
    ],
)
def test_unknown_names_and_values_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build_forecaster(text, window_s=15.0)


# -- history


@given(
    values=st.lists(st.floats(-1e6, 1e6), max_size=300),
    limit=st.integers(1, 50),
    branch=st.integers(0, 299),
    other=st.lists(st.floats(-1e6, 1e6), max_size=80),
)
def test_histories_share_storage_without_sharing_values(
    values: list[float], limit: int, branch: int, other: list[float]
) -> None:
    kept = [History(limit=limit)]
    for value in values:
        kept.append(kept[-1].append(value))
    # Go on from an old one as well: neither line may see the other's values.
    begin = min(branch, len(values))
    aside = kept[begin]
    for value in other:
        aside = aside.append(value)
    for end, history in enumerate(kept):
        assert history.values.tolist() == values[max(0, end - limit) : end]
        assert history.total == end
    assert aside.values.tolist() == (values[:begin] + other)[-limit:]


def test_a_view_of_a_history_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        History(limit=3).append(1.0).values[0] = 2.0


def test_long_histories_cost_no_more_than_they_hold() -> None:
    history = History(limit=100)
    for value in range(100_000):
        history = history.append(float(value))
    assert history._buffer.values.nbytes <= 100 * 8 * 4
    assert np.array_equal(history.values, np.arange(99_900, 100_000))
