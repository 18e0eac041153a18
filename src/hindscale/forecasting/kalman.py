"""A level and a slope that wander, filtered as well as can be: Kalman's local linear trend."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hindscale.core.checks import require_at_least, require_fraction, require_positive
from hindscale.forecasting import Forecast

__all__ = ["Kalman"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanState:
    """The filter after `seen` windows.

    Attributes:
        level_rps, slope_rps: The estimate.
        level_variance, covariance, slope_variance: Of the estimate, in units of the noise's variance.
        seen: Windows of which something was known.
    """

    level_rps: float = 0.0
    slope_rps: float = 0.0
    level_variance: float = 0.0
    covariance: float = 0.0
    slope_variance: float = 0.0
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kalman:
    """Local linear trend: x_t = level_t + noise, level_{t+1} = level_t + slope_t + w, slope_{t+1} = phi slope_t + v.

    The variances of w and v are given in units of the noise's, so the filter needs no scale of its own. In a gap it
    predicts, and grows less sure: the first window after it weighs more. O(1) a window, no history kept.

    Source: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), section 2.3.

    Attributes:
        level_drift: Variance of w over that of the noise; > 0. Large values follow at once, small ones smooth.
        slope_drift: Variance of v over that of the noise; > 0.
        damping: phi, share of the slope that is left one window later, in (0, 1].
        warm_up: Windows to see before saying anything; >= 1.
    """

    name: ClassVar[str] = "kalman"
    level_drift: float = 0.3
    slope_drift: float = 0.001
    damping: float = 0.95
    warm_up: int = 3

    def __post_init__(self) -> None:
        require_positive(level_drift=self.level_drift, slope_drift=self.slope_drift)
        require_fraction(damping=self.damping)
        require_at_least(1, warm_up=self.warm_up)

    def initial_state(self) -> KalmanState:
        return KalmanState()

    def update(self, rate_rps: float, state: KalmanState) -> KalmanState:
        if state.seen == 0:
            # One value: the level is known as well as the noise lets it, of the slope nothing.
            first = KalmanState(level_rps=rate_rps, level_variance=1.0, slope_variance=1.0, seen=1)
            return state if math.isnan(rate_rps) else first
        predicted = self._predicted(state)
        return predicted if math.isnan(rate_rps) else _corrected(predicted, rate_rps)

    def _predicted(self, state: KalmanState) -> KalmanState:
        """One window on: P' = F P F^T + Q with F = [[1, phi], [0, phi]]."""
        phi = self.damping
        slope_variance = phi * phi * state.slope_variance
        return replace(
            state,
            level_rps=state.level_rps + phi * state.slope_rps,
            slope_rps=phi * state.slope_rps,
            level_variance=state.level_variance + 2 * phi * state.covariance + slope_variance + self.level_drift,
            covariance=phi * state.covariance + slope_variance,
            slope_variance=slope_variance + self.slope_drift,
        )

    def forecast(self, windows: int, state: KalmanState) -> Forecast | None:
        if state.seen < self.warm_up:
            return None
        reach = np.cumsum(self.damping ** np.arange(1, windows + 1))
        return Forecast(mean_rps=np.maximum(state.level_rps + reach * state.slope_rps, 0.0))


def _corrected(state: KalmanState, rate_rps: float) -> KalmanState:
    """The estimate moved towards what was measured, by the gain K = P / (P + 1)."""
    error = rate_rps - state.level_rps
    total = state.level_variance + 1.0
    level_gain, slope_gain = state.level_variance / total, state.covariance / total
    return KalmanState(
        level_rps=state.level_rps + level_gain * error,
        slope_rps=state.slope_rps + slope_gain * error,
        level_variance=(1 - level_gain) * state.level_variance,
        covariance=(1 - level_gain) * state.covariance,
        slope_variance=state.slope_variance - slope_gain * state.covariance,
        seen=state.seen + 1,
    )
