"""Several forecasters at once, each heard as much as it was right of late."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least, require_positive
from hindscale.core.errors import ParameterError
from hindscale.forecasting import Forecast, Forecaster
from hindscale.forecasting._pending import Pending
from hindscale.forecasting.arrays import FrozenArray
from hindscale.forecasting.kalman import Kalman
from hindscale.forecasting.last_value import LastValue
from hindscale.forecasting.profile import Profile
from hindscale.forecasting.trend import Trend

__all__ = ["Mixture"]

Floats = NDArray[np.float64]
DAY_S = 86400
SMALLEST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureState:
    """The models' own states, their forecasts that wait for their windows, and how far off earlier ones were.

    Attributes:
        models: One state a model.
        pending: Their means.
        loss_rps: Recent mean of the absolute error, of each model at each horizon, shape (M, H).
    """

    models: tuple[Any, ...]
    pending: Pending
    loss_rps: FrozenArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A weighted mean of forecasts; at each horizon, weights fall with a power of the recent absolute error.

        weight of a model ~ (mean absolute error over the last windows)^-power

    The last value is hard to beat one window ahead, the shape of the day at the horizon of a cold start: so each
    horizon has weights of its own. Models that know nothing yet are not heard.

    Attributes:
        models: What is mixed; by default the last value, a damped trend, a Kalman filter, and the shapes of a day and
            of a week.
        horizon_windows: H, windows ahead with weights of their own; the last stands for all beyond; >= 1.
        memory_windows: Windows that the errors are a mean of; >= 1.
        power: How much more the better ones are heard; > 0.
    """

    name: ClassVar[str] = "mixture"
    models: tuple[Forecaster[Any], ...] = (LastValue(), Trend(), Kalman(), Profile())
    horizon_windows: int = 15
    memory_windows: int = 720
    power: float = 4.0

    def __post_init__(self) -> None:
        require_at_least(1, horizon_windows=self.horizon_windows, memory_windows=self.memory_windows)
        require_positive(power=self.power)
        if not self.models:
            raise ParameterError("models must name at least one forecaster, was empty; try last-value;profile")

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        """A day and a week for the profiles, half a day for the errors, unless given otherwise."""
        given.setdefault("memory_windows", max(1, round(DAY_S / 2 / window_s)))
        if "models" not in given:
            day, week = Profile.for_windows(window_s), max(2, round(7 * DAY_S / window_s))
            weekly = Profile.for_windows(window_s, season_windows=week)
            given["models"] = (LastValue(), Trend(), Kalman(), day, weekly)
        return cls(**given)

    def initial_state(self) -> MixtureState:
        return MixtureState(
            models=tuple(model.initial_state() for model in self.models),
            pending=Pending.empty(len(self.models), self.horizon_windows),
            loss_rps=FrozenArray(np.full((len(self.models), self.horizon_windows), np.nan)),
        )

    def update(self, rate_rps: float, state: MixtureState) -> MixtureState:
        loss = state.loss_rps.values
        if not math.isnan(rate_rps):
            error = np.abs(rate_rps - state.pending.due)
            moved = np.where(np.isnan(loss), error, loss + (error - loss) / self.memory_windows)
            loss = np.where(np.isnan(error), loss, moved)
        models = tuple(model.update(rate_rps, each) for model, each in zip(self.models, state.models, strict=True))
        ahead = self._means(self.horizon_windows, models)
        return MixtureState(models=models, pending=state.pending.pushed(ahead), loss_rps=FrozenArray(loss))

    def _means(self, windows: int, states: tuple[Any, ...]) -> Floats:
        """What each model expects, shape (M, windows); NaN where it knows nothing."""
        ahead = (model.forecast(windows, each) for model, each in zip(self.models, states, strict=True))
        return np.stack([np.full(windows, np.nan) if each is None else each.mean_rps for each in ahead])

    def forecast(self, windows: int, state: MixtureState) -> Forecast | None:
        means = self._means(windows, state.models)
        known = ~np.isnan(means)
        if not known.any(axis=0).all():
            return None
        each = np.minimum(np.arange(windows), self.horizon_windows - 1)
        weights = np.where(known, self._weights(state.loss_rps.values[:, each]), 0.0)
        return Forecast(mean_rps=np.where(known, weights * means, 0.0).sum(axis=0) / weights.sum(axis=0))

    def _weights(self, loss: Floats) -> Floats:
        """Relative to the best; a model that was never held against anything counts little."""
        best = np.fmin.reduce(loss, axis=0)
        relative = np.maximum(loss, SMALLEST) / np.maximum(best, SMALLEST)
        return np.where(np.isnan(relative), SMALLEST, relative**-self.power)
