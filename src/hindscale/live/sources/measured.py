"""What a source knows at one moment, and what it knows not to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["LATENCY_SHARES", "READINGS", "Measured", "Source", "Totals", "nothing_measured"]

READINGS = (
    "arrival_rate_rps",
    "completion_rate_rps",
    "ongoing_requests",
    "queued_requests",
    "slo_attainment",
    "cpu_utilization",
    "memory_utilization",
    "accelerator_utilization",
)
"""The measurements of an observation."""

LATENCY_SHARES = (0.5, 0.95, 0.99)
"""The latency percentiles that are written down, as shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Requests counted since the source was made; they only ever grow.

    Attributes:
        arrived: Requests that came.
        left: Of those, how many are gone, answered or not.
        met: Of those that left, how many were answered within the SLO's bound.
    """

    arrived: float = 0.0
    left: float = 0.0
    met: float = 0.0

    def since(self, before: Totals) -> Totals:
        """What came in between."""
        return Totals(arrived=self.arrived - before.arrived, left=self.left - before.left, met=self.met - before.met)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The measurements of one moment.

    Attributes:
        at_s: The run's time at the end of the interval that they cover.
        readings: Values by name, as in `Observation`; NaN where the fleet itself said so.
        missing: Names of those that did not arrive.
        stale: Names of those that are older than the rest.
        totals: Requests counted so far.
        latency_s: Latency percentiles of the interval by share; empty where nobody measures them.
        ongoing_includes_queued: `ongoing_requests` and `queued_requests` both count all that are inside, in service and
            waiting: the one as a mean over the interval, the other at its end.
        trouble: What is wrong, in words; empty when nothing is.
    """

    at_s: float
    readings: Mapping[str, float]
    missing: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    totals: Totals = field(default_factory=Totals)
    latency_s: Mapping[float, float] = field(default_factory=dict)
    ongoing_includes_queued: bool = False
    trouble: str = ""

    def reading(self, name: str) -> float:
        """One value; NaN if it is not there."""
        return self.readings.get(name, math.nan)


def nothing_measured(at_s: float, trouble: str, totals: Totals) -> Measured:
    """Every reading missing."""
    return Measured(at_s=at_s, readings={}, missing=frozenset(READINGS), totals=totals, trouble=trouble)


class Source(Protocol):
    """Where measurements come from. Asked once a tick; answers within a bounded time, whatever happens."""

    def measure(self, now_s: float) -> Measured:
        """What is known now. Never raises: what cannot be measured is missing."""

    def close(self) -> None:
        """Give back connections."""
