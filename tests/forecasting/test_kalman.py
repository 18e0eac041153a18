from __future__ import annotations

import math

import pytest

from hindscale.forecasting.kalman import Kalman, KalmanState


def after(kalman: Kalman, rates: list[float]) -> KalmanState:
    state = kalman.initial_state()
    for rate_rps in rates:
        state = kalman.update(rate_rps, state)
    return state


def test_one_step_worked_by_hand() -> None:
    # Before: level 10, P = [[1, 0], [0, 1]]. Predicted with phi = 1: level 10, P = [[1 + 1 + 1, 1], [1, 2]].
    # Gains 3/4 and 1/4: level 10 + 3/4 * 4 = 13, slope 1.
    state = after(Kalman(level_drift=1.0, slope_drift=1.0, damping=1.0), [10.0, 14.0])
    assert (state.level_rps, state.slope_rps) == pytest.approx((13.0, 1.0))
    assert (state.level_variance, state.covariance, state.slope_variance) == pytest.approx((0.75, 0.25, 1.75))


def test_a_straight_line_is_followed() -> None:
    kalman = Kalman(damping=1.0)
    ahead = kalman.forecast(3, after(kalman, [10.0 + 2 * window for window in range(200)]))
    assert ahead is not None
    assert ahead.mean_rps.tolist() == pytest.approx([410.0, 412.0, 414.0], rel=0.01)


def test_after_a_gap_the_first_window_weighs_more() -> None:
    kalman = Kalman()
    seen = after(kalman, [10.0] * 50)
    after_gap = after(kalman, [10.0] * 50 + [math.nan] * 20)
    assert kalman.update(20.0, after_gap).level_rps > kalman.update(20.0, seen).level_rps + 1
