from __future__ import annotations

import numpy as np
import pytest

from hindscale.core import ParameterError
from hindscale.forecasting import build_forecaster
from hindscale.forecasting.kalman import Kalman
from hindscale.forecasting.last_value import LastValue
from hindscale.forecasting.mixture import Mixture, MixtureState
from hindscale.forecasting.profile import Profile
from hindscale.forecasting.seasonal_naive import SeasonalNaive


def after(mixture: Mixture, rates: list[float]) -> MixtureState:
    state = mixture.initial_state()
    for rate_rps in rates:
        state = mixture.update(rate_rps, state)
    return state


def test_on_a_sawtooth_the_season_is_heard_and_the_last_value_is_not() -> None:
    mixture = Mixture(models=(LastValue(), SeasonalNaive(season_windows=8)), horizon_windows=4)
    teeth = [float(window % 8) for window in range(80)]
    ahead = mixture.forecast(4, after(mixture, teeth))
    assert ahead is not None
    assert ahead.mean_rps.tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.01)


def test_on_a_random_walk_the_last_value_is_heard_most() -> None:
    mixture = Mixture(models=(LastValue(), SeasonalNaive(season_windows=50)), horizon_windows=1)
    walk = np.abs(1000 + np.cumsum(np.random.default_rng(1).normal(size=600))).tolist()
    ahead = mixture.forecast(1, after(mixture, walk))
    assert ahead is not None
    assert abs(ahead.mean_rps[0] - walk[-1]) < 0.2 * abs(walk[-50] - walk[-1])


def test_who_knows_nothing_yet_is_not_heard() -> None:
    mixture = Mixture(models=(LastValue(), SeasonalNaive(season_windows=100)))
    ahead = mixture.forecast(2, after(mixture, [5.0, 6.0]))
    assert ahead is not None
    assert ahead.mean_rps.tolist() == [6.0, 6.0]


def test_it_mixes_a_day_and_a_week_unless_told_otherwise() -> None:
    built = build_forecaster("mixture", window_s=60.0)
    assert isinstance(built, Mixture)
    assert [model.season_windows for model in built.models if isinstance(model, Profile)] == [1440, 10080]
    named = build_forecaster("mixture(models=last-value;kalman)", window_s=60.0)
    assert isinstance(named, Mixture)
    assert named.models == (LastValue(), Kalman())


def test_a_mixture_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="models must name at least one forecaster"):
        Mixture(models=())
