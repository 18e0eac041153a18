"""Arrival-rate forecasters, one a file, under one contract.

A forecaster is its parameters; what it has seen is its state. `update` takes in one window's rate,
`forecast` says what the next windows' rates will be, or None when it knows too little to say. Most models
say what they expect; `conformal` makes a distribution of it, whose quantiles hold what they promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hindscale.core.catalog import Catalog, parse_call
from hindscale.core.errors import ParameterError

__all__ = ["FORECASTERS", "Forecast", "Forecaster", "build_forecaster"]

FORECASTERS = Catalog(__name__, "forecaster", "forecast")

StateT = TypeVar("StateT")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Rates of the next windows.

    Attributes:
        mean_rps: Expected requests per second in each window, nearest first, shape (K,), float64, >= 0.
        levels: Levels of the quantiles, rising, each in (0, 1), shape (Q,); empty if nothing is said of the spread.
        quantiles_rps: The rates that are not exceeded with these probabilities, shape (Q, K), rising in Q, >= 0.
    """

    mean_rps: NDArray[np.float64]
    levels: tuple[float, ...] = ()
    quantiles_rps: NDArray[np.float64] | None = None

    @property
    def highest_rps(self) -> float:
        """The highest of the expected rates."""
        return float(self.mean_rps.max())

    def quantile(self, level: float) -> NDArray[np.float64]:
        """The rates that are exceeded with probability 1 - level, shape (K,).

        Between two levels a straight line; beyond the outermost ones nothing is known, and they stand in.

        Raises:
            ParameterError: If the forecast says nothing of its spread.

        >>> ahead = Forecast(mean_rps=np.array([10.0]), levels=(0.5, 0.9), quantiles_rps=np.array([[9.0], [13.0]]))
        >>> ahead.quantile(0.7).round(6).tolist(), ahead.quantile(0.99).tolist()
        ([11.0], [13.0])
        """
        if self.quantiles_rps is None:
            raise ParameterError("the forecast has no quantiles; wrap its forecaster: conformal(model=NAME)")
        return np.array([np.interp(level, self.levels, each) for each in self.quantiles_rps.T])


class Forecaster(Protocol[StateT]):
    """Says what comes next from what has been."""

    name: ClassVar[str]

    def initial_state(self) -> StateT: ...

    def update(self, rate_rps: float, state: StateT) -> StateT:
        """Take in the rate of the window that has just ended; NaN means that nothing is known of it. Pure."""

    def forecast(self, windows: int, state: StateT) -> Forecast | None:
        """The next `windows` rates, or None if too little has been seen. Pure."""


def build_forecaster(text: str, *, window_s: float, start: datetime | None = None) -> Forecaster[Any]:
    """A forecaster from its name, with parameters in parentheses: `seasonal-naive(season_windows=96)`.

    What is not given and depends on the length of a window follows from `window_s`. A parameter may be another
    forecaster: `conformal(model=profile)`.

    Args:
        text: Name and parameters.
        window_s: Seconds of a window.
        start: When the first window begins, for forecasters that know a calendar.

    Raises:
        ParameterError: If the forecaster or a parameter is unknown, or a value does not fit.
    """
    name, given = parse_call(text)
    cls = FORECASTERS.find(name)
    parameters = FORECASTERS.parse_parameters(name, given)
    if isinstance(parameters.get("model"), str):
        parameters["model"] = build_forecaster(parameters["model"], window_s=window_s, start=start)
    if isinstance(parameters.get("models"), tuple):
        parameters["models"] = tuple(
            build_forecaster(each, window_s=window_s, start=start) if isinstance(each, str) else each
            for each in parameters["models"]
        )
    if getattr(cls, "knows_calendar", False) and start is not None:
        parameters.setdefault("start", start.isoformat())
    if hasattr(cls, "for_windows"):
        return cast("Forecaster[Any]", cls.for_windows(window_s, **parameters))
    return cast("Forecaster[Any]", cls(**parameters))
