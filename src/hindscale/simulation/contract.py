"""What both engines promise, so that they can agree to the last digit.

Time is a whole number of nanoseconds (int64, 292 years). Sums of times are then exact whatever the order
in which they are added, ties are ties in both engines, and no result depends on rounding. All randomness
(arrivals, service times, the balancer's choices, cold starts, failures) is drawn outside and handed in.

At one instant, things happen in this order:

1. replicas are lost, and with them what they had;
2. requests leave: they are served, or have waited too long at a replica; those that leave at the same
   instant do so in the order in which they were given to replicas; each place that becomes free goes to
   the first request waiting at the gateway;
3. replicas become ready, and take from the gateway;
4. requests that have waited too long at the gateway leave;
5. requests arrive;
6. the control tick observes and acts.

A request that arrives is given to a replica with room, else waits at the gateway while there is room,
else is dropped. A replica has room while it has fewer than slots + replica_queue_limit requests. Its own
queue is first in, first out. A request may begin service up to and including the instant at which its
queue time-out ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hindscale.core.service import Balancer, ServiceProfile

__all__ = ["FAR_NS", "Batch", "Engine", "EngineConfig", "Event", "EventKind", "Gone", "Total", "to_ns"]

Integers = NDArray[np.int64]

FAR_NS = 1 << 61
"""Later than any instant of any run."""


class Total(IntEnum):
    """What an engine counts from the beginning of the run to the end of the last `advance`.

    arrived = served + dropped + timed out + failed + cut + queued + in service, at every instant.
    """

    ARRIVED = 0
    SERVED = 1
    MET = 2  # served within the SLO's bound
    DROPPED = 3  # found no room anywhere
    TIMED_OUT = 4  # left before service began
    FAILED = 5  # lost with a replica
    CUT = 6  # still at a draining replica when it was stopped
    LATENCY_US = 7  # of served requests, summed; whole microseconds each
    BUSY_NS = 8  # slot time in service
    QUEUED = 9  # waiting now, at replicas and at the gateway
    IN_SERVICE = 10  # being served now


class EventKind(IntEnum):
    """Changes to a replica that are known beforehand; at one instant, in this order."""

    LOST = 0
    READY = 1


class Event(NamedTuple):
    """A replica is lost or becomes ready."""

    time_ns: int
    kind: EventKind
    replica: int


class Gone(NamedTuple):
    """A draining replica has nothing left."""

    time_ns: int
    replica: int


class Batch(NamedTuple):
    """Requests in order of arrival; all arrays of shape (N,), int64.

    `choices` are uniform on [0, 2^62): the balancer's dice. Balancers that need none get an empty array.
    """

    arrivals_ns: Integers
    services_ns: Integers
    choices: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine needs to know of a service, in its own units.

    Attributes:
        slots: Requests a replica serves at once.
        replica_capacity: Requests at one replica, in service and waiting.
        gateway_capacity: Requests that may wait at the gateway.
        timeout_ns: Longest wait for service.
        bound_ns: The SLO's latency bound.
        balancer: How a request finds its replica.
        ticks: Control ticks in the run; attainment is kept by tick of arrival.
        rows: Rows of the latency histogram over the run.
        warm_up_ticks: Ticks that are not scored; if there are any, row 0 is theirs.
    """

    slots: int
    replica_capacity: int
    gateway_capacity: int
    timeout_ns: int
    bound_ns: int
    balancer: Balancer
    ticks: int
    rows: int
    warm_up_ticks: int = 0

    @classmethod
    def from_profile(
        cls, profile: ServiceProfile, *, bound_s: float, ticks: int, rows: int, warm_up_ticks: int = 0
    ) -> EngineConfig:
        """Translate a service profile; no limit becomes a limit that is never reached."""
        queue = 0 if profile.balancer is Balancer.CENTRAL_QUEUE else profile.replica_queue_limit
        return cls(
            slots=profile.slots,
            replica_capacity=profile.slots + _limit(queue),
            gateway_capacity=_limit(profile.gateway_queue_limit),
            timeout_ns=FAR_NS if profile.queue_timeout_s is None else to_ns(profile.queue_timeout_s),
            bound_ns=to_ns(bound_s),
            balancer=profile.balancer,
            ticks=ticks,
            rows=rows,
            warm_up_ticks=warm_up_ticks,
        )

    def row_of(self, tick: int) -> int:
        """The histogram row of requests that arrive in a tick's interval."""
        if tick < self.warm_up_ticks:
            return 0
        first = 1 if self.warm_up_ticks else 0
        return first + (tick - self.warm_up_ticks) * (self.rows - first) // (self.ticks - self.warm_up_ticks)


class Engine(Protocol):
    """Serves requests on replicas whose coming and going somebody else decides.

    Attributes:
        totals: Counts by `Total`, shape (len(Total),), int64.
        met_by_tick: Requests within the bound, by the tick of their arrival, shape (ticks,), int64.
        histogram: Latencies of served requests by row of arrival and bucket, shape (rows, BUCKETS), int64.
    """

    totals: Integers
    met_by_tick: Integers
    histogram: Integers

    def add(self, replica: int, lost_at_ns: int) -> None:
        """A new replica under an index that is free; it takes nothing before its READY event."""

    def drain(self, replica: int, now_ns: int, deadline_ns: int) -> None:
        """Give a replica nothing new; cut what it still has at the deadline."""

    def outstanding(self, replica: int) -> int:
        """Requests at a replica, in service and waiting."""

    def advance(self, until_ns: int, batches: Sequence[Batch], events: Sequence[Event], tick: int) -> Sequence[Gone]:
        """Let everything happen up to and including `until_ns`.

        Args:
            batches: The requests that arrive after the last call's end and up to `until_ns`.
            events: The events in that time, sorted.
            tick: Number of the control tick at whose interval's end `until_ns` lies.

        Returns:
            The draining replicas that became empty.
        """


def to_ns(seconds: float) -> int:
    """Nearest whole nanosecond, at most `FAR_NS`.

    >>> to_ns(0.4)
    400000000
    """
    return min(round(seconds * 1e9), FAR_NS)


def _limit(limit: int | None) -> int:
    return 1 << 40 if limit is None else limit
