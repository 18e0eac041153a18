"""The same time yesterday."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from hindscale.core.checks import require_at_least
from hindscale.forecasting import Forecast
from hindscale.forecasting.history import History

__all__ = ["SeasonalNaive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalNaive:
    """Each window is forecast as the same window one season ago: x_{t+h} = x_{t+h-m}.

    Says nothing until a whole season has been seen. A window of which nothing is known is taken from the
    season before it, if that one is still remembered.

    Attributes:
        season_windows: m, windows in a season; >= 1. A day of minutes is 1440.
    """

    name: ClassVar[str] = "seasonal-naive"
    season_windows: int = 1440

    def __post_init__(self) -> None:
        require_at_least(1, season_windows=self.season_windows)

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        """A season is a day unless it is given."""
        given.setdefault("season_windows", max(1, round(86400 / window_s)))
        return cls(**given)

    def initial_state(self) -> History:
        return History(limit=self.season_windows)

    def update(self, rate_rps: float, state: History) -> History:
        if np.isnan(rate_rps) and len(state) == self.season_windows:
            rate_rps = float(state.values[0])
        return state.append(rate_rps)

    def forecast(self, windows: int, state: History) -> Forecast | None:
        if len(state) < self.season_windows:
            return None
        ahead = state.values[np.arange(windows) % self.season_windows]
        return None if np.isnan(ahead).any() else Forecast(mean_rps=ahead)
