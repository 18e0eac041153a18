"""Arrival-rate forecasters, one a file, under one contract.

A forecaster is its parameters; what it has seen is its state. `update` takes in one window's rate,
`forecast` says what the next windows' rates will be, or None when it knows too little to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hindscale.core.catalog import Catalog, parse_call

__all__ = ["FORECASTERS", "Forecast", "Forecaster", "build_forecaster"]

FORECASTERS = Catalog(__name__, "forecaster", "forecast")

StateT = TypeVar("StateT")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Rates of the next windows.

    Attributes:
        mean_rps: Expected requests per second in each window, nearest first, shape (K,), float64, >= 0.
    """

    mean_rps: NDArray[np.float64]

    @property
    def highest_rps(self) -> float:
        """The highest of the expected rates."""
        return float(self.mean_rps.max())


class Forecaster(Protocol[StateT]):
    """Says what comes next from what has been."""

    name: ClassVar[str]

    def initial_state(self) -> StateT: ...

    def update(self, rate_rps: float, state: StateT) -> StateT:
        """Take in the rate of the window that has just ended; NaN means that nothing is known of it. Pure."""

    def forecast(self, windows: int, state: StateT) -> Forecast | None:
        """The next `windows` rates, or None if too little has been seen. Pure."""


def build_forecaster(text: str, *, window_s: float) -> Forecaster[Any]:
    """A forecaster from its name, with parameters in parentheses: `seasonal-naive(season_windows=96)`.

    What is not given and depends on the length of a window follows from `window_s`.

    Raises:
        ParameterError: If the forecaster or a parameter is unknown, or a value does not fit.
    """
    name, given = parse_call(text)
    parameters = FORECASTERS.parse_parameters(name, given)
    cls = FORECASTERS.find(name)
    if hasattr(cls, "for_windows"):
        return cast("Forecaster[Any]", cls.for_windows(window_s, **parameters))
    return cast("Forecaster[Any]", cls(**parameters))
