"""The Theta method, refitted now and then."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from hindscale.forecasting._refitted import Refitted

__all__ = ["Theta"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theta(Refitted):
    """The optimised Theta method without season (Fiorucci and others 2016): a line and a smoothed curve, combined."""

    name: ClassVar[str] = "theta"

    def new_model(self, models: ModuleType) -> Any:
        return models.OptimizedTheta(season_length=1)
