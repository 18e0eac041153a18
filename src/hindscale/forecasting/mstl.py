"""Season, trend and remainder by loess, refitted now and then."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError
from hindscale.forecasting import Forecast
from hindscale.forecasting._refitted import DAY_S, Refitted, RefittedState

__all__ = ["Mstl"]

SEASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mstl(Refitted):
    """MSTL (Bandara, Hyndman and Bergmeir 2021): a season by loess, and ARIMA(1, 0, 1) for what is left.

    Every forecast takes the last three seasons apart again: some 15 ms for seasons of a hundred windows, far more for
    the minutes of a day. It is for windows of ten minutes and more, or for comparing; `profile` is the quick one.

    Attributes:
        season_windows: m, windows in a season; >= 2. A day of minutes is 1440.
    """

    name: ClassVar[str] = "mstl"
    season_windows: int = 144
    history_windows: int = 7 * 144
    refit_windows: int = 144
    warm_up: int = SEASONS * 144

    def __post_init__(self) -> None:
        Refitted.__post_init__(self)
        require_at_least(2, season_windows=self.season_windows)
        if min(self.warm_up, self.history_windows) < SEASONS * self.season_windows:
            raise ParameterError(
                f"warm_up and history_windows must hold {SEASONS} seasons, {SEASONS * self.season_windows} windows,"
                f" were {self.warm_up} and {self.history_windows}"
            )

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        """A season is a day, a fit a day on the last week, unless given otherwise."""
        season = given.setdefault("season_windows", max(7, round(DAY_S / window_s)))
        given.setdefault("history_windows", 7 * season)
        given.setdefault("refit_windows", season)
        given.setdefault("warm_up", SEASONS * season)
        return cls(**given)

    def new_model(self, models: ModuleType) -> Any:
        return models.MSTL(season_length=self.season_windows, trend_forecaster=models.ARIMA(order=(1, 0, 1)))

    def forecast(self, windows: int, state: RefittedState) -> Forecast | None:
        return self._ahead(windows, state, last=SEASONS * self.season_windows)
