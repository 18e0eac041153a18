"""What is known beforehand: holidays, sales, maintenance, as factors on the rate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.units import parse_duration
from hindscale.forecasting import Forecast, Forecaster
from hindscale.forecasting.profile import Profile

__all__ = ["Scheduled", "ScheduledState"]

Floats = NDArray[np.float64]
_EVENT = re.compile(r"(?P<begin>[^/]+)/(?P<length>[^=]+)=(?P<factor>.+)")


class Event(NamedTuple):
    """A stretch of time, in seconds since the first window began, in which the rate is so many times the usual one."""

    begin_s: float
    end_s: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledState:
    """What the model remembers, and the window that comes next."""

    model: Any
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """A model that is told of events: it learns what traffic would have been without them, and they are put back.

    Each rate is divided by the factors of the events that its window falls into before the model sees it, and each
    forecast is multiplied by them. So a holiday is foreseen, and does not spoil the same weekday a week later. In a
    window with the factor 0 nothing is learned.

    Attributes:
        model: What forecasts the usual traffic.
        events: BEGIN/LENGTH=FACTOR each, such as 2026-12-24T12:00+00:00/36h=0.4; BEGIN may also be a time since the
            beginning, such as 3d/12h=2.5. On the command line separated by semicolons.
        window_s: Seconds of a window.
        start: When the first window begins, in ISO 8601; needed for events that name a date.
    """

    name: ClassVar[str] = "scheduled"
    knows_calendar: ClassVar[bool] = True
    model: Forecaster[Any] = Profile()
    events: tuple[str, ...] = ()
    window_s: float = 60.0
    start: str = ""

    def __post_init__(self) -> None:
        require_positive(window_s=self.window_s)
        _ = self._events

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        given.setdefault("model", Profile.for_windows(window_s))
        return cls(**{"window_s": window_s, **given})

    def initial_state(self) -> ScheduledState:
        return ScheduledState(model=self.model.initial_state())

    def update(self, rate_rps: float, state: ScheduledState) -> ScheduledState:
        factor = float(self._factors(state.number, 1)[0])
        usual_rps = rate_rps / factor if factor else math.nan
        return ScheduledState(model=self.model.update(usual_rps, state.model), number=state.number + 1)

    def forecast(self, windows: int, state: ScheduledState) -> Forecast | None:
        ahead = self.model.forecast(windows, state.model)
        if ahead is None:
            return None
        factors = self._factors(state.number, windows)
        spread = None if ahead.quantiles_rps is None else ahead.quantiles_rps * factors
        return replace(ahead, mean_rps=ahead.mean_rps * factors, quantiles_rps=spread)

    def _factors(self, number: int, windows: int) -> Floats:
        """What the rate is multiplied by in each of the windows from `number` on."""
        middles_s = (np.arange(number, number + windows) + 0.5) * self.window_s
        factors = np.ones(windows)
        for event in self._events:
            factors[(event.begin_s <= middles_s) & (middles_s < event.end_s)] *= event.factor
        return factors

    @cached_property
    def _events(self) -> tuple[Event, ...]:
        return tuple(self._event(text) for text in self.events)

    def _event(self, text: str) -> Event:
        match = _EVENT.fullmatch(text.strip())
        if match is None:
            raise ParameterError(f"events must look like 2026-12-24T12:00+00:00/36h=0.4, was {text!r}")
        begin_s = self._begin_s(match["begin"])
        length_s = parse_duration(match["length"], name="length of an event")
        try:
            factor = float(match["factor"])
        except ValueError:
            raise ParameterError(f"the factor of an event must be a number, was {match['factor']!r}") from None
        require_nonnegative(factor=factor)
        return Event(begin_s, begin_s + length_s, factor)

    def _begin_s(self, text: str) -> float:
        try:
            begin = datetime.fromisoformat(text)
        except ValueError:
            return parse_duration(text, name="begin of an event")
        if not self.start:
            raise ParameterError(
                f"events: nobody knows when the first window begins, so {text} has no place; give start, or a time"
                " since the beginning, such as 3d"
            )
        start = datetime.fromisoformat(self.start)
        if (begin.tzinfo is None) != (start.tzinfo is None):
            raise ParameterError(
                f"events and start must both say their offset from UTC or neither, were {text}, {self.start}"
            )
        return (begin - start).total_seconds()
