"""The forecast's band is made of the forecaster's own past errors."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Constant, Slo
from hindscale.forecasting.trend import Trend
from hindscale.live.dashboard.hindsight import least_cost
from hindscale.live.dashboard.outlook import forecaster_of, outlook
from live.doubles import PROFILE, a_plan

rates = st.lists(st.floats(0, 1000) | st.just(math.nan), max_size=40)


@given(rates=rates, windows=st.integers(1, 15))
def test_whatever_was_seen_the_band_is_in_order_or_not_known(rates: list[float], windows: int) -> None:
    seen = outlook(rates, Trend(), windows=windows)
    if seen is None:
        return
    assert seen.mean_rps.shape == seen.low_rps.shape == seen.high_rps.shape == (windows,)
    known = np.isfinite(seen.low_rps)
    assert (seen.low_rps[known] <= seen.high_rps[known]).all()
    assert (seen.low_rps[known] >= 0).all()


def test_four_in_five_of_what_comes_lie_within() -> None:
    dice = np.random.default_rng(1)
    series = (100 + 10 * dice.standard_normal(400)).tolist()
    inside = 0
    for end in range(200, 390):
        seen = outlook(series[end - 100 : end], Trend(), windows=1)
        assert seen is not None
        inside += seen.low_rps[0] <= series[end] <= seen.high_rps[0]
    assert 0.7 < inside / 190 < 0.9


def test_the_deciding_policys_forecaster_is_asked_first() -> None:
    assert forecaster_of(a_plan()).name == "trend"
    assert forecaster_of(a_plan(shadows=("predictive:forecaster=seasonal-naive(season_windows=4)",))).name == (
        "seasonal-naive"
    )


def test_the_least_cost_of_a_steady_load_is_what_it_keeps_busy() -> None:
    # 8/s of half a second each keep 4 slots busy: one replica, all the time.
    plan = a_plan(
        profile=replace(PROFILE, cold_start=Constant(0.0), price_per_replica_hour=2.0),
        slo=Slo(latency_s=10.0, percentile=0.99),
    )
    least = least_cost(plan, [80.0] * 60, step_s=10.0)
    assert least == pytest.approx(2.0 * 600 / 3600, rel=0.05)
    assert least_cost(plan, [0.0] * 60, step_s=10.0) is None
