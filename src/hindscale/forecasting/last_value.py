"""What was seen last comes again: the forecaster that every other one has to beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hindscale.forecasting import Forecast

__all__ = ["LastValue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastValue:
    """Every coming window is forecast as the last one that was seen: x_{t+h} = x_t."""

    name: ClassVar[str] = "last-value"

    def initial_state(self) -> float:
        return math.nan

    def update(self, rate_rps: float, state: float) -> float:
        return state if math.isnan(rate_rps) else rate_rps

    def forecast(self, windows: int, state: float) -> Forecast | None:
        return None if math.isnan(state) else Forecast(mean_rps=np.full(windows, max(state, 0.0)))
