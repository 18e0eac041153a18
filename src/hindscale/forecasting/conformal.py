"""A distribution for any forecaster: quantiles that are exceeded as often as they say, on any series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least, require_fraction
from hindscale.forecasting import Forecast, Forecaster
from hindscale.forecasting._pending import Pending
from hindscale.forecasting.arrays import FrozenArray
from hindscale.forecasting.last_value import LastValue

__all__ = ["LEVELS", "Conformal"]

Floats = NDArray[np.float64]
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_NORMAL = np.array([-1.64, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64, 2.33]) * 1.25
"""Where the quantiles begin: those of a normal error, in units of its mean size."""
SMALLEST = 1e-9
QUICKEST = 0.5
MOST_SIZES = 4.0
LEAST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalState:
    """What the model remembers, its forecasts that wait for their windows, and what became of earlier ones.

    Attributes:
        model: The model's own state.
        pending: Its means, and the sizes of error that went with them.
        scale_rps: Mean size of the error at each horizon, shape (H,).
        scores: Quantiles of error / size at each level and horizon, shape (Q, H).
        seen: Forecasts of the next window that were held against it.
    """

    model: Any
    pending: Pending
    scale_rps: FrozenArray
    scores: FrozenArray
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """A model's forecasts with quantiles that are tracked: q rises when it is exceeded, and falls when it is not.

        score  s_t = (x_t - forecast) / size,      size = recent mean of |x - forecast| at this horizon
        q     <- q + step * (1{s_t > q} - (1 - level))      for each level and horizon

    Whatever the series does, the share of windows above q tends to 1 - level: after T windows it is off by at most
    (largest score / step + 1) / T. The size makes quantiles wide in wild hours and narrow in quiet ones. O(1) a window.

    Source: quantile tracking, in Angelopoulos, Candes and Tibshirani, Conformal PID control for time series
    prediction (2023), after Gibbs and Candes, Adaptive conformal inference under distribution shift (2021).

    Attributes:
        model: What forecasts the mean.
        horizon_windows: H, windows ahead that are tracked, each by itself; the last stands for all beyond; >= 1.
        size_windows: Windows that the size of the error is a mean of; >= 1.
        step: How far a quantile moves, in sizes of the error, once it has settled; in (0, 1].
        warm_up: Windows to see before anything is said of the spread; >= 1.
    """

    name: ClassVar[str] = "conformal"
    model: Forecaster[Any] = LastValue()
    horizon_windows: int = 15
    size_windows: int = 60
    step: float = 0.01
    warm_up: int = 10

    def __post_init__(self) -> None:
        require_at_least(1, horizon_windows=self.horizon_windows, size_windows=self.size_windows, warm_up=self.warm_up)
        require_fraction(step=self.step)

    def initial_state(self) -> ConformalState:
        return ConformalState(
            model=self.model.initial_state(),
            pending=Pending.empty(2, self.horizon_windows),
            scale_rps=FrozenArray(np.full(self.horizon_windows, np.nan)),
            scores=FrozenArray(np.repeat(_NORMAL[:, None], self.horizon_windows, axis=1)),
        )

    def update(self, rate_rps: float, state: ConformalState) -> ConformalState:
        scale, scores, seen = state.scale_rps.values, state.scores.values, state.seen
        if not math.isnan(rate_rps):
            expected, size = state.pending.due
            error = rate_rps - expected
            scores = self._tracked(scores, error / np.maximum(size, SMALLEST), seen)
            # A single wild error must not make every quantile wide for an hour: it counts as MOST_SIZES at most.
            wildest = np.where(np.isnan(scale), np.inf, MOST_SIZES * scale + SMALLEST)
            scale = _towards(scale, np.minimum(np.abs(error), wildest), 1 / min(seen + 1, self.size_windows))
            seen += int(not math.isnan(expected[0]))
        model = self.model.update(rate_rps, state.model)
        ahead = self.model.forecast(self.horizon_windows, model)
        mean = np.full(self.horizon_windows, np.nan) if ahead is None else ahead.mean_rps
        return ConformalState(
            model=model,
            pending=state.pending.pushed(np.stack((mean, scale))),
            scale_rps=FrozenArray(scale),
            scores=FrozenArray(scores),
            seen=seen,
        )

    def _tracked(self, quantiles: Floats, score: Floats, seen: int) -> Floats:
        """Each quantile one step up where it was exceeded, a little down where not; unknown scores move nothing."""
        step = max(self.step, QUICKEST / math.sqrt(seen + 1))
        moves = (score > quantiles) - (1 - np.array(LEVELS)[:, None])
        # Far out, scores are far apart: steps in proportion, or a heavy tail would never be caught up with.
        return np.where(np.isnan(score), quantiles, quantiles + step * np.maximum(np.abs(quantiles), LEAST) * moves)

    def forecast(self, windows: int, state: ConformalState) -> Forecast | None:
        ahead = self.model.forecast(windows, state.model)
        if ahead is None or state.seen < self.warm_up:
            return ahead
        each = np.minimum(np.arange(windows), self.horizon_windows - 1)
        scale, scores = state.scale_rps.values[each], state.scores.values[:, each]
        if np.isnan(scale).any():
            return ahead
        # Quantiles are tracked one by one and may cross: sorted, they do not.
        spread = np.sort(ahead.mean_rps + scores * scale, axis=0)
        return Forecast(mean_rps=ahead.mean_rps, levels=LEVELS, quantiles_rps=np.maximum(spread, 0.0))


def _towards(mean: Floats, value: Floats, step: float) -> Floats:
    """Means moved towards values; an unknown mean takes the value, an unknown value moves nothing."""
    moved = np.where(np.isnan(mean), value, mean + step * (value - mean))
    return np.where(np.isnan(value), mean, moved)
