"""The metrics pipeline: readings of the fleet's counters, how old they are when seen, and what follows from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import MetricsUnavailable
from hindscale.core.service import RESOURCES, ServiceProfile
from hindscale.core.units import format_duration
from hindscale.simulation.contract import to_ns

__all__ = ["Monitoring", "Reading", "Readings", "missing_utilization", "utilization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """How old measurements are when a policy sees them.

    Attributes:
        scrape_interval_s: Seconds between two readings of the fleet's counters; None for one at every
            control tick.
        lag_s: Seconds from a reading until it can be queried.
        window_s: Rates and means are taken over the readings of this many seconds; None for one
            control interval.
    """

    scrape_interval_s: float | None = None
    lag_s: float = 0.0
    window_s: float | None = None

    def __post_init__(self) -> None:
        require_nonnegative(lag_s=self.lag_s)
        if self.scrape_interval_s is not None:
            require_positive(scrape_interval_s=self.scrape_interval_s)
        if self.window_s is not None:
            require_positive(window_s=self.window_s)


class Reading(NamedTuple):
    """The fleet's counters at one scrape; all but the queue only ever grow."""

    time_ns: int
    arrived: int
    served: int
    left: int
    met: int
    busy_ns: int
    serving_ns: int
    queued: int


class Readings:
    """The readings that can still be looked at, oldest first."""

    def __init__(self, monitoring: Monitoring, *, control_interval_s: float) -> None:
        self._step_ns = None if monitoring.scrape_interval_s is None else to_ns(monitoring.scrape_interval_s)
        self._window_ns = to_ns(monitoring.window_s or control_interval_s)
        self._lag_ns = to_ns(monitoring.lag_s)
        self._readings = deque([Reading(0, 0, 0, 0, 0, 0, 0, 0)])

    def due(self, after: int, until: int) -> Iterable[int]:
        """Times of the scrapes after one instant and up to another, which is a control tick."""
        if self._step_ns is None:
            return (until,)
        return range(after // self._step_ns * self._step_ns + self._step_ns, until + 1, self._step_ns)

    def add(self, reading: Reading) -> None:
        """Take in the newest reading."""
        self._readings.append(reading)

    def window(self, now: int) -> tuple[Reading, Reading]:
        """The first and the last reading of the window that can be seen now.

        The first is the newest that is at least a window older than the last; readings before it are never
        needed again.

        Raises:
            MetricsUnavailable: If no reading has come through yet.
        """
        last, readings = self._last_visible(now), self._readings
        while len(readings) > 1 and readings[1].time_ns <= last.time_ns - self._window_ns:
            readings.popleft()
        return readings[0], last

    def _last_visible(self, now: int) -> Reading:
        for reading in reversed(self._readings):
            if reading.time_ns and reading.time_ns + self._lag_ns <= now:
                return reading
        raise MetricsUnavailable(
            f"no measurement has come through yet: readings are visible after {format_duration(self._lag_ns / 1e9)}"
        )


def utilization(profile: ServiceProfile, busy_share: float) -> dict[str, float]:
    """What an observation says of each resource that is measured, when this share of the slots is busy."""
    return {f"{resource}_utilization": use.utilization(busy_share) for resource, use in profile.resources.items()}


_ALL_UTILIZATION = frozenset(f"{resource}_utilization" for resource in RESOURCES)
_missing_by_measured: dict[tuple[str, ...], frozenset[str]] = {}


def missing_utilization(measured: tuple[str, ...]) -> frozenset[str]:
    """The utilizations that nobody measures; one set for each combination, not one a tick."""
    if measured not in _missing_by_measured:
        _missing_by_measured[measured] = _ALL_UTILIZATION.difference(measured)
    return _missing_by_measured[measured]
