"""The cheap default: level and trend, smoothed, the trend fading with distance (damped Holt)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hindscale.core.checks import require_at_least, require_fraction
from hindscale.forecasting import Forecast

__all__ = ["Trend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendState:
    """Level and slope per window after `seen` windows."""

    level_rps: float = 0.0
    slope_rps: float = 0.0
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Exponential smoothing of a level and a damped trend. O(1) a window, no history kept.

        level_t = a * x_t + (1 - a) * (level_{t-1} + phi * slope_{t-1})
        slope_t = b * (level_t - level_{t-1}) + (1 - b) * phi * slope_{t-1}
        forecast h windows ahead: level_t + (phi + phi^2 + ... + phi^h) * slope_t, at least 0

    Source: Gardner and McKenzie, Forecasting trends in time series (1985).

    Attributes:
        level_weight: a, weight of the newest window in the level, in (0, 1].
        trend_weight: b, weight of the newest step in the slope, in (0, 1].
        damping: phi, share of the slope that is left one window later, in (0, 1].
        warm_up: Windows to see before saying anything; >= 1.
    """

    name: ClassVar[str] = "trend"
    level_weight: float = 0.3
    trend_weight: float = 0.1
    damping: float = 0.9
    warm_up: int = 3

    def __post_init__(self) -> None:
        require_fraction(level_weight=self.level_weight, trend_weight=self.trend_weight, damping=self.damping)
        require_at_least(1, warm_up=self.warm_up)

    def initial_state(self) -> TrendState:
        return TrendState()

    def update(self, rate_rps: float, state: TrendState) -> TrendState:
        slope = self.damping * state.slope_rps
        if math.isnan(rate_rps):
            # Nothing is known of this window: go on as expected, and grow no surer.
            return TrendState(level_rps=max(state.level_rps + slope, 0.0), slope_rps=slope, seen=state.seen)
        if state.seen == 0:
            return TrendState(level_rps=rate_rps, slope_rps=0.0, seen=1)
        level = self.level_weight * rate_rps + (1 - self.level_weight) * (state.level_rps + slope)
        slope = self.trend_weight * (level - state.level_rps) + (1 - self.trend_weight) * slope
        return TrendState(level_rps=level, slope_rps=slope, seen=state.seen + 1)

    def forecast(self, windows: int, state: TrendState) -> Forecast | None:
        if state.seen < self.warm_up:
            return None
        reach = np.cumsum(self.damping ** np.arange(1, windows + 1))
        return Forecast(mean_rps=np.maximum(state.level_rps + reach * state.slope_rps, 0.0))
