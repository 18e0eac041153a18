"""ARIMA, its order chosen by AutoARIMA, refitted now and then and filtered in between."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from hindscale.forecasting._refitted import Refitted

__all__ = ["Arima"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arima(Refitted):
    """ARIMA(p, d, q) without season; the order by AutoARIMA's approximate search (Hyndman and Khandakar 2008).

    The parameters stay as they are between refits, and only the filter follows the series. A daily shape that is not
    in the last few windows is not seen; seasonal AutoARIMA takes over a minute for a day of minutes.
    """

    name: ClassVar[str] = "arima"

    def new_model(self, models: ModuleType) -> Any:
        return models.AutoARIMA(season_length=1, approximation=True)
