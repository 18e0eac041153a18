"""The shape of a day (or week), and how far from it we are now."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least, require_fraction
from hindscale.core.errors import ParameterError
from hindscale.forecasting import Forecast
from hindscale.forecasting._autoregression import Autoregression
from hindscale.forecasting.arrays import FrozenArray

__all__ = ["Profile"]

Floats = NDArray[np.float64]
DAY_S = 86400
MOST_RATIO = 4.0
"""The profile is stretched or shrunk by at most this: farther off it explains nothing, and the remainder carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileState:
    """The profile so far, the window that comes next, and how the last windows differ from the profile.

    Attributes:
        profile: Mean rate of each slot of the season; NaN where nothing was seen yet.
        number: The window that comes next, counted from the beginning.
        level_rps, shape_rps: Recent means of the rate and of the profile; their ratio stretches the profile.
        remainder: What is left, as an autoregression.
    """

    profile: FrozenArray
    number: int = 0
    level_rps: float = math.nan
    shape_rps: float = math.nan
    remainder: Autoregression = Autoregression()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The mean of the same time in past seasons, stretched to the present level, plus an autoregression.

        forecast h windows ahead: r * p_{t+h} + e_{t+h},    r = level of the rate / level of the profile

    p is an exponentially weighted mean over seasons, smoothed over neighbouring windows; e is an AR(3) of what is
    left, its coefficients by recursive least squares, so nothing is ever refitted. O(1) a window. Says nothing until
    a season has been seen. A level shift moves r within `level_windows`; an unknown window moves nothing.

    Attributes:
        season_windows: m, windows in a season; >= 2. A day of minutes is 1440.
        weight: Weight of the newest season in the profile, in (0, 1].
        level_windows: Windows that the present level is a mean of; >= 1.
        smooth_windows: Windows to either side that a slot of the profile is averaged over; >= 0.
        start: When the first window begins, in ISO 8601; with `time_zone` the profile follows the clock on the wall.
        time_zone: Where the users live, such as Europe/Berlin: when their clocks change, so does the day's shape.
    """

    name: ClassVar[str] = "profile"
    knows_calendar: ClassVar[bool] = True
    season_windows: int = 1440
    weight: float = 0.4
    level_windows: int = 30
    smooth_windows: int = 5
    start: str = ""
    time_zone: str = ""

    def __post_init__(self) -> None:
        require_at_least(2, season_windows=self.season_windows)
        require_at_least(1, level_windows=self.level_windows)
        require_at_least(0, smooth_windows=self.smooth_windows)
        require_fraction(weight=self.weight)
        _ = self._wall_clock

    @classmethod
    def for_windows(cls, window_s: float, **given: Any) -> Self:
        """A season is a day, the level half an hour, neighbours five minutes, unless they are given."""
        given.setdefault("season_windows", max(2, round(DAY_S / window_s)))
        given.setdefault("level_windows", max(1, round(1800 / window_s)))
        given.setdefault("smooth_windows", round(300 / window_s))
        return cls(**given)

    def initial_state(self) -> ProfileState:
        return ProfileState(profile=FrozenArray(np.full(self.season_windows, np.nan)))

    def update(self, rate_rps: float, state: ProfileState) -> ProfileState:
        if math.isnan(rate_rps):
            return replace(state, number=state.number + 1, remainder=state.remainder.updated(math.nan))
        slot = self._slots(state.number, 1)[0]
        expected = self._smooth(state.profile.values, np.array([slot]))[0]
        profile = state.profile.values.copy()
        known = not math.isnan(profile[slot])
        profile[slot] = profile[slot] + self.weight * (rate_rps - profile[slot]) if known else rate_rps
        moved = replace(state, profile=FrozenArray(profile), number=state.number + 1)
        if math.isnan(expected) or state.number < self.season_windows:
            return moved
        step = 1 / self.level_windows
        level = _towards(state.level_rps, rate_rps, step)
        shape = _towards(state.shape_rps, float(expected), step)
        # What is left is measured against the ratio that was known before: that is what a forecast can use.
        left = rate_rps - _ratio(state.level_rps, state.shape_rps) * float(expected)
        return replace(moved, level_rps=level, shape_rps=shape, remainder=state.remainder.updated(left))

    def forecast(self, windows: int, state: ProfileState) -> Forecast | None:
        if state.number < self.season_windows:
            return None
        shape = self._smooth(state.profile.values, self._slots(state.number, windows))
        if np.isnan(shape).any():
            return None
        stretched = _ratio(state.level_rps, state.shape_rps) * shape
        return Forecast(mean_rps=np.maximum(stretched + state.remainder.ahead(windows), 0.0))

    def _smooth(self, profile: Floats, slots: NDArray[np.int64]) -> Floats:
        """Means over the neighbours that are known; NaN where none is."""
        reach = np.arange(-self.smooth_windows, self.smooth_windows + 1)
        near = profile[(slots[:, None] + reach) % self.season_windows]
        known = ~np.isnan(near)
        count = known.sum(axis=1)
        sums = np.where(known, near, 0.0).sum(axis=1)
        means: Floats = np.divide(sums, count, out=np.full(len(slots), np.nan), where=count > 0)
        return means

    def _slots(self, number: int, count: int) -> NDArray[np.int64]:
        """Slots of the season that these windows belong to, by the clock on the wall where one is known."""
        numbers = np.arange(number, number + count)
        return (numbers + self._clock_shift(number)) % self.season_windows

    def _clock_shift(self, number: int) -> int:
        """Windows that the clock on the wall was put forward since the beginning."""
        if self._wall_clock is None:
            return 0
        begin, window_s = self._wall_clock
        now = (begin + timedelta(seconds=number * window_s)).astimezone(ZoneInfo(self.time_zone))
        moved = now.utcoffset() - begin.astimezone(ZoneInfo(self.time_zone)).utcoffset()  # type: ignore[operator]
        return round(moved.total_seconds() / window_s)

    @cached_property
    def _wall_clock(self) -> tuple[datetime, float] | None:
        """The beginning and the length of a window, for whoever said where the users live; a season is then a day."""
        if not (self.start and self.time_zone):
            return None
        try:
            begin = datetime.fromisoformat(self.start)
            ZoneInfo(self.time_zone)
        except (ValueError, KeyError) as error:
            raise ParameterError(
                f"start and time_zone must be like 2026-03-28T00:00+00:00 and Europe/Berlin, was {error}"
            ) from None
        if begin.tzinfo is None:
            raise ParameterError(f"start must say its offset from UTC, was {self.start}; write {self.start}+00:00")
        days = 7 if self.season_windows % 7 == 0 and self.season_windows > 2000 else 1
        return begin, days * DAY_S / self.season_windows


def _towards(mean: float, value: float, step: float) -> float:
    return value if math.isnan(mean) else mean + step * (value - mean)


def _ratio(level: float, shape: float) -> float:
    if math.isnan(level) or shape <= 0:
        return 1.0
    return min(max(level / shape, 1 / MOST_RATIO), MOST_RATIO)
