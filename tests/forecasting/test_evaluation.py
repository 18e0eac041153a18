from __future__ import annotations

import numpy as np
import pytest

from hindscale.core import ParameterError
from hindscale.forecasting.conformal import LEVELS, Conformal
from hindscale.forecasting.evaluation import Origins, calibrated, score, walk
from hindscale.forecasting.last_value import LastValue
from hindscale.forecasting.seasonal_naive import SeasonalNaive


def test_figures_worked_by_hand() -> None:
    # One origin, two windows: 10 and 20 came, 12 and 16 were expected; every quantile is 15.
    said = Origins(
        windows=np.array([7]),
        actual_rps=np.array([[10.0, 20.0]]),
        mean_rps=np.array([[12.0, 16.0]]),
        levels=LEVELS,
        quantiles_rps=np.full((1, len(LEVELS), 2), 15.0),
    )
    # The first third is 0, 2, 4: seasonal naive with one window is off by 2.
    found = score(np.array([0.0, 2.0, 4.0, 0, 0, 0, 0, 10.0, 20.0]), said, season_windows=1)
    assert found.mase == pytest.approx(3.0 / 2.0)
    # Pinball losses: 10 % gives 4.5 and 0.5, 50 % 2.5 twice, 90 % 0.5 and 4.5: 2.5 each; twice that over a mean of 15.
    assert found.quantile_loss == pytest.approx(2 * 2.5 / 15)
    assert found.coverage == {0.9: 0.5, 0.95: 0.5, 0.99: 0.5}


def test_a_walk_only_knows_what_came_before() -> None:
    rates = np.random.default_rng(3).gamma(5.0, 10.0, 300)
    whole = walk(rates, calibrated(LastValue(), horizon_windows=4), horizon_windows=4)
    assert whole.windows[0] == 100
    assert whole.mean_rps[:, 0].tolist() == rates[whole.windows - 1].tolist()
    assert whole.actual_rps[0].tolist() == rates[100:104].tolist()
    changed = rates.copy()
    changed[200:] = 0.0
    again = walk(changed, calibrated(LastValue(), horizon_windows=4), horizon_windows=4)
    before = whole.windows <= 200
    assert np.array_equal(whole.quantiles_rps[before], again.quantiles_rps[before])


def test_what_states_quantiles_is_left_as_it_is() -> None:
    own = Conformal(model=LastValue(), horizon_windows=7)
    assert calibrated(own, horizon_windows=3) is own
    assert calibrated(LastValue(), horizon_windows=3) == Conformal(model=LastValue(), horizon_windows=3)


def test_a_forecaster_that_never_speaks_is_an_error() -> None:
    silent = calibrated(SeasonalNaive(season_windows=1000), horizon_windows=2)
    with pytest.raises(ParameterError, match=r"conformal knows too little after 58 windows .* use a longer recording"):
        walk(np.ones(60), silent, horizon_windows=2)
