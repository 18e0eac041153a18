"""What the control loop sees of a real fleet: what a source measured, and the replicas there are."""

from __future__ import annotations

import math
from typing import Any, Protocol

from hindscale.core.errors import MetricsUnavailable
from hindscale.core.values import Observation
from hindscale.live.fleet import Fleet, ReplicaCounts
from hindscale.live.sources.measured import READINGS, Measured, Source, Totals

__all__ = ["Counts", "LiveMetrics", "RecordedFleet", "ReplicasFromMetrics", "split_inside"]


class Counts(Protocol):
    """Whoever knows the replicas there are."""

    def counts(self) -> ReplicaCounts:
        """The replicas now.

        Raises:
            MetricsUnavailable: If nobody can say.
        """

    def waiting_requests(self) -> int:
        """Requests that wait for a first replica."""


class ReplicasFromMetrics:
    """A fleet that only its metrics know of: somebody else starts and stops its replicas."""

    def __init__(self, source: object) -> None:
        self._source = source

    def counts(self) -> ReplicaCounts:
        ready: int | None = getattr(self._source, "ready_replicas", None)
        if ready is None:
            raise MetricsUnavailable("the number of replicas is not known: queries.ready_replicas gave no number")
        return ReplicaCounts(ready=ready, starting=0)

    def waiting_requests(self) -> int:
        return 0


class RecordedFleet:
    """An actuator that writes down what it is asked for and changes nothing."""

    def __init__(self) -> None:
        self.asked: int | None = None

    def scale_to(self, replicas: int) -> None:
        self.asked = replicas


def split_inside(inside: float, now: float, places: float) -> tuple[float, float]:
    """Requests in service and requests waiting, where only all that are inside are counted.

    As many are in service as there are places for, and the others wait.

    Args:
        inside: Mean over the interval.
        now: At its end.
        places: Slots of the ready replicas.

    >>> split_inside(inside=9.0, now=11.0, places=8)
    (8, 3.0)
    """
    return min(inside, places), max(now - places, 0.0)


class LiveMetrics:
    """The loop's source: measurements and replica counts of one moment, as one observation.

    Args:
        source: Where measurements come from.
        fleet: Who knows the replicas.
        slots: Requests that one replica serves at once.

    Attributes:
        measured: What the source said last.
        wanted: What the fleet was last asked for; None where nobody asked.
    """

    def __init__(self, source: Source, fleet: Fleet | Counts, *, slots: int) -> None:
        self._source = source
        self._fleet = fleet
        self._slots = slots
        self.measured = Measured(at_s=0.0, readings={}, missing=frozenset(READINGS), totals=Totals())
        self.wanted: int | None = None

    def observe(self, now_s: float) -> Observation:
        """What is known now.

        Raises:
            MetricsUnavailable: If not even the number of replicas is known.
        """
        self.measured = measured = self._source.measure(now_s)
        counts = self._fleet.counts()
        # What was asked for and is neither ready nor starting is on its way: a fleet that has lost its replicas is
        # not a fleet that nobody wants.
        absent = 0 if self.wanted is None else self.wanted - counts.ready - counts.starting
        return Observation(
            time_s=now_s,
            ready_replicas=counts.ready,
            starting_replicas=counts.starting,
            provisioning_replicas=max(counts.provisioning, absent),
            draining_replicas=counts.draining,
            measured_at_s=min(measured.at_s, now_s),
            missing=measured.missing,
            stale=measured.stale,
            **self._readings(measured, counts),
        )

    def _readings(self, measured: Measured, counts: ReplicaCounts) -> dict[str, Any]:
        readings = {name: measured.reading(name) for name in READINGS}
        if measured.ongoing_includes_queued:
            inside, now = readings["ongoing_requests"], readings["queued_requests"]
            split = split_inside(inside, now, counts.ready * self._slots)
            readings["ongoing_requests"], readings["queued_requests"] = split
        else:
            readings["queued_requests"] += self._fleet.waiting_requests()
        return {name: value if math.isfinite(value) else math.nan for name, value in readings.items()}
