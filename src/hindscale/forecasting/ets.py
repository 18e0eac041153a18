"""Exponential smoothing, its form chosen by information criterion, refitted now and then."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from hindscale.forecasting._refitted import Refitted

__all__ = ["Ets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ets(Refitted):
    """ETS without season: error and trend chosen by AICc (Hyndman, Koehler, Snyder and Grose 2002).

    What `trend` does with fixed weights, this fits. A daily shape is not seen.
    """

    name: ClassVar[str] = "ets"

    def new_model(self, models: ModuleType) -> Any:
        return models.AutoETS(season_length=1, model="ZZN")
