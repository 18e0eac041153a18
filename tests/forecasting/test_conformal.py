from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.forecasting import build_forecaster
from hindscale.forecasting.conformal import LEVELS, Conformal
from hindscale.forecasting.last_value import LastValue
from hindscale.traces import read_trace


def coverage(conformal: Conformal, rates: list[float], *, skip: int, horizon: int) -> dict[float, float]:
    """Share of the windows, `horizon` ahead, that were at or below each quantile."""
    state = conformal.initial_state()
    below = []
    for window, rate_rps in enumerate(rates[:-horizon]):
        state = conformal.update(rate_rps, state)
        if window >= skip:
            ahead = conformal.forecast(horizon, state)
            assert ahead is not None
            assert ahead.quantiles_rps is not None
            below.append(rates[window + horizon] <= ahead.quantiles_rps[:, horizon - 1])
    return dict(zip(LEVELS, np.mean(below, axis=0).tolist(), strict=True))


def test_nothing_is_said_of_the_spread_before_it_is_known() -> None:
    conformal = Conformal(warm_up=5)
    state = conformal.initial_state()
    for _ in range(5):
        state = conformal.update(10.0, state)
    ahead = conformal.forecast(2, state)
    assert ahead is not None
    assert ahead.quantiles_rps is None
    with pytest.raises(ParameterError, match="conformal"):
        ahead.quantile(0.9)


def test_a_steady_rate_has_no_spread() -> None:
    conformal = Conformal(horizon_windows=2)
    state = conformal.initial_state()
    for _ in range(100):
        state = conformal.update(10.0, state)
    ahead = conformal.forecast(3, state)
    assert ahead is not None
    assert ahead.quantile(0.99) == pytest.approx([10.0] * 3)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), heavy=st.booleans(), jump=st.floats(0.2, 5.0))
def test_quantiles_hold_what_they_promise_whatever_the_series_does(seed: int, heavy: bool, jump: float) -> None:
    """A random walk with normal or heavy-tailed steps, whose level and spread jump half way."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_t(2.5, 6000) if heavy else rng.normal(size=6000)
    steps[3000:] *= jump
    rates = np.abs(500 + np.cumsum(steps * rng.choice([0.5, 1.0, 2.0], 6000))).tolist()
    found = coverage(Conformal(model=LastValue(), horizon_windows=3), rates, skip=1000, horizon=3)
    for level, share in found.items():
        assert abs(share - level) < 0.02, level


@pytest.mark.parametrize("file", ["azure_functions_2019_bd33ce4b.parquet", "nasa_http_jul95.parquet"])
def test_on_recorded_traffic_quantiles_are_within_a_point(real_traces: Path, file: str) -> None:
    trace = read_trace(real_traces / file).between(0.0, 7 * 86400.0)
    conformal = build_forecaster("conformal(model=profile)", window_s=60.0)
    assert isinstance(conformal, Conformal)
    found = coverage(conformal, trace.rates_rps(60.0).tolist(), skip=2000, horizon=5)
    for level in (0.9, 0.95, 0.99):
        assert abs(found[level] - level) <= 0.01, level
