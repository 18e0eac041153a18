"""Models of statsforecast: fitted now and then, and only filtered in between.

Needs statsforecast (`pip install 'hindscale[forecast]'`), which is imported when a model is first fitted. Measured on
real series, a refit at every window is not more accurate than one a day.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError
from hindscale.forecasting import Forecast
from hindscale.forecasting.history import History

__all__ = ["Fit", "Refitted", "RefittedState"]

Floats = NDArray[np.float64]
DAY_S = 86400.0
FILTER_WINDOWS = 256
"""Enough for a filter to forget where it began: the orders searched here reach back a few windows."""


class Fit:
    """A model fitted to a stretch of history; as a value it is that stretch, and the model follows from it."""

    __slots__ = ("_model", "total", "values")

    def __init__(self, values: Floats, total: int) -> None:
        self.values = values
        self.total = total  # windows seen when it was fitted
        self._model: Any = None

    def by(self, forecaster: Refitted) -> Any:
        """The fitted model; fitted when it is first asked for."""
        if self._model is None:
            self._model = forecaster.fitted(self.values)
        return self._model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fit) and self.total == other.total and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def to_plain(self) -> dict[str, Any]:
        return {"values": self.values.tolist(), "total": self.total}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Fit:
        return cls(np.array(plain["values"], np.float64), plain["total"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RefittedState:
    """What has been seen, and the model in use."""

    history: History
    fit: Fit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refitted:
    """What all of them share.

    Attributes:
        history_windows: T, windows that a fit looks back on; >= 20.
        refit_windows: Windows between two fits; >= 1.
        warm_up: Windows to see before the first fit; >= 20.
    """

    name: ClassVar[str] = ""
    history_windows: int = 1440
    refit_windows: int = 1440
    warm_up: int = 60

    def __post_init__(self) -> None:
        require_at_least(20, history_windows=self.history_windows, warm_up=self.warm_up)
        require_at_least(1, refit_windows=self.refit_windows)

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        """A fit a day on the last day, unless given otherwise."""
        day = max(20, round(DAY_S / window_s))
        return cls(**{"history_windows": day, "refit_windows": day, **given})

    @abstractmethod
    def new_model(self, models: ModuleType) -> Any:
        """A model that is not fitted yet, from `statsforecast.models`."""

    def fitted(self, values: Floats) -> Any:
        """The model, fitted to a stretch of history."""
        try:
            from statsforecast import models
        except ImportError:
            raise ParameterError(
                f"forecaster {self.name} needs statsforecast, which is not installed; pip install 'hindscale[forecast]'"
            ) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # non-convergence of one candidate among many
            return self.new_model(models).fit(values)

    def initial_state(self) -> RefittedState:
        return RefittedState(history=History(limit=self.history_windows))

    def update(self, rate_rps: float, state: RefittedState) -> RefittedState:
        history = state.history.append(rate_rps)
        fit = state.fit
        is_due = history.total >= self.warm_up if fit is None else history.total - fit.total >= self.refit_windows
        if is_due:
            fit = Fit(_without_gaps(history.values), history.total)
        return RefittedState(history=history, fit=fit)

    def forecast(self, windows: int, state: RefittedState) -> Forecast | None:
        return self._ahead(windows, state, last=FILTER_WINDOWS)

    def _ahead(self, windows: int, state: RefittedState, *, last: int) -> Forecast | None:
        """The forecast after the model's filter has gone over the last windows."""
        if state.fit is None:
            return None
        recent = _without_gaps(state.history.values[-last:])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ahead = state.fit.by(self).forward(recent, windows)["mean"]
        return Forecast(mean_rps=np.maximum(ahead, 0.0)) if np.isfinite(ahead).all() else None


def _without_gaps(values: Floats) -> Floats:
    """A copy in which unknown windows lie on the line between their neighbours; 0 if nothing is known."""
    known = np.isfinite(values)
    if known.all():
        return values.copy()
    if not known.any():
        return np.zeros(len(values))
    places = np.arange(len(values))
    return np.interp(places, places[known], values[known])
