"""The simulated fleet: replicas that come and go, and what is seen of them.

It is both ends of the control loop, `MetricsSource` and `Actuator`. Requests are the engine's business, nodes
that of `nodes`, where they are simulated; here a replica is ordered, waits for its node, starts, serves, drains
and is gone, and every nanosecond of it is paid for.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import count

import numpy as np

from hindscale.core.service import RESOURCES, ServiceProfile
from hindscale.core.values import Observation
from hindscale.simulation.cluster import Cluster
from hindscale.simulation.contract import FAR_NS, Engine, Event, EventKind, Gone, Total, to_ns
from hindscale.simulation.monitoring import Monitoring, Reading, Readings
from hindscale.simulation.nodes import SimulatedCluster
from hindscale.simulation.workload import RequestStream

__all__ = ["Monitoring", "SimulatedFleet"]

_SCRAPED = (Total.SERVED, Total.DROPPED, Total.TIMED_OUT, Total.FAILED, Total.CUT)
FINISH_NS = to_ns(3600.0)
"""Replicas that wait for a node when the run ends still get one if it comes within an hour."""


class _Life(IntEnum):
    PROVISIONING = 0
    STARTING = 1
    READY = 2
    DRAINING = 3
    GONE = 4


@dataclass(slots=True, eq=False)
class _Replica:
    index: int
    number: int  # in order of being asked for
    life: _Life
    start_ns: int  # cold start
    life_ns: int  # from ready to lost
    lost_at: int = FAR_NS


class SimulatedFleet:
    """Replicas of one service in simulated time.

    Attributes:
        billed_ns: Replica time paid for so far, from `starting` to gone, summed over replicas.
        serving_ns: Replica time that was ready or draining.
        started: Replicas asked for so far, replacements of lost ones included.
        lost: Replicas lost so far.
        cluster: The nodes that replicas wait for and run on; None where nodes are not simulated.
    """

    def __init__(
        self,
        profile: ServiceProfile,
        engine: Engine,
        stream: RequestStream,
        seed: np.random.SeedSequence,
        *,
        control_interval_s: float,
        monitoring: Monitoring | None = None,
        initial_replicas: int = 1,
        cluster: Cluster | None = None,
    ) -> None:
        self.profile = profile
        self.engine = engine
        self.billed_ns = 0
        self.serving_ns = 0
        self.started = 0
        self.lost = 0
        self._stream = stream
        self._starts, self._losses = (np.random.default_rng(child) for child in seed.spawn(2))
        self.cluster = None if cluster is None else SimulatedCluster(cluster, profile, seed.spawn(1)[0])
        self._readings = Readings(monitoring or Monitoring(), control_interval_s=control_interval_s)
        self._now = 0
        self._tick = -1
        self._numbers = count()
        self._free: list[int] = []
        self._indices = count()
        self._by_index: dict[int, _Replica] = {}
        self._by_life: list[dict[int, _Replica]] = [{} for _ in _Life]  # by life, then number
        self._changes: list[tuple[int, int, int, _Replica]] = []  # heap of (time, kind, number, replica)
        self._to_replace = 0
        self._order(initial_replicas, ready_now=True)
        if self.cluster is not None:
            self.cluster.open()
            self._settle(self.cluster, ready_now=True)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def requested(self) -> int:
        """The size the fleet was last asked for."""
        lives = self._by_life
        return len(lives[_Life.READY]) + len(lives[_Life.STARTING]) + len(lives[_Life.PROVISIONING])

    @property
    def ready(self) -> int:
        return len(self._by_life[_Life.READY])

    @property
    def starting(self) -> int:
        return len(self._by_life[_Life.STARTING])

    @property
    def provisioning(self) -> int:
        return len(self._by_life[_Life.PROVISIONING])

    @property
    def draining(self) -> int:
        return len(self._by_life[_Life.DRAINING])

    def observe(self, now_s: float) -> Observation:
        """Let time pass until `now_s`, one control tick after the last call, and say what is then known.

        Raises:
            MetricsUnavailable: If no reading of the counters has come through yet.
        """
        self._tick += 1
        now = to_ns(now_s)
        for scrape in self._readings.due(self._now, now):
            self._advance(scrape)
            self._readings.add(self._read())
        if self._now < now:
            self._advance(now)
        self._order(self._to_replace)
        self._to_replace = 0
        return self._observation(now_s, now)

    def finish(self) -> None:
        """No more arrivals and no more decisions: let everything that is still in the system come out."""
        if self.cluster is not None:
            until = self._now + FINISH_NS
            while self.cluster.waiting and self.engine.totals[Total.QUEUED] and self.cluster.next_visit <= until:
                self._advance(self.cluster.next_visit)
        self._let_pass(FAR_NS)

    def _read(self) -> Reading:
        totals = self.engine.totals.tolist()
        return Reading(
            self._now,
            totals[Total.ARRIVED],
            totals[Total.SERVED],
            sum(totals[total] for total in _SCRAPED),
            totals[Total.MET],
            totals[Total.BUSY_NS],
            self.serving_ns,
            totals[Total.QUEUED],
        )

    def _observation(self, now_s: float, now: int) -> Observation:
        first, last = self._readings.window(now)
        seconds = (last.time_ns - first.time_ns) / 1e9
        busy = (last.busy_ns - first.busy_ns) / 1e9
        left = last.left - first.left
        utilization = self._utilization(busy, (last.serving_ns - first.serving_ns) / 1e9)
        return Observation(
            time_s=now_s,
            ready_replicas=self.ready,
            starting_replicas=self.starting,
            provisioning_replicas=self.provisioning,
            draining_replicas=self.draining,
            measured_at_s=last.time_ns / 1e9,
            arrival_rate_rps=(last.arrived - first.arrived) / seconds,
            completion_rate_rps=(last.served - first.served) / seconds,
            ongoing_requests=busy / seconds,
            queued_requests=float(last.queued),
            slo_attainment=(last.met - first.met) / left if left else math.nan,
            **utilization,
            missing=_missing(tuple(utilization)),
        )

    def _utilization(self, busy_s: float, serving_s: float) -> dict[str, float]:
        if serving_s <= 0:
            if self.requested:
                return {}  # replicas exist, but none has served yet: there is nothing to measure
            return dict.fromkeys((f"{resource}_utilization" for resource in self.profile.resources), 0.0)
        busy_share = busy_s / (serving_s * self.profile.slots)
        return {
            f"{resource}_utilization": use.utilization(busy_share) for resource, use in self.profile.resources.items()
        }

    # -- what is asked ----------------------------------------------------------------------------

    def scale_to(self, replicas: int) -> None:
        """Ask for a fleet of this size: order what is missing, or give up what is too much."""
        change = replicas - self.requested
        if change > 0:
            self._order(change)
        elif change < 0:
            self._give_up(-change)

    def _order(self, replicas: int, *, ready_now: bool = False) -> None:
        if not replicas:
            return
        self.started += replicas
        at_once = ready_now and self.cluster is None
        waits = self._waits(replicas, at_once=at_once)
        starts = [0.0] * replicas if at_once else self.profile.cold_start.sample(self._starts, replicas).tolist()
        lives = [math.inf] * replicas
        if self.profile.mean_time_to_failure_s is not None:
            lives = self._losses.exponential(self.profile.mean_time_to_failure_s, replicas).tolist()
        for wait_s, start_s, life_s in zip(waits, starts, lives, strict=True):
            # At least one nanosecond of life: readiness comes before loss.
            life_ns = FAR_NS if math.isinf(life_s) else max(to_ns(life_s), 1)
            replica = self._new(to_ns(start_s), life_ns)
            if self.cluster is None:
                self._begin_after(to_ns(wait_s), replica)
            else:
                self.cluster.create(replica.number, self._now)
        if self.cluster is not None:
            self._settle(self.cluster)

    def _waits(self, replicas: int, *, at_once: bool) -> list[float]:
        """Seconds until each has a node, where nodes are not simulated."""
        if at_once or self.cluster is not None:
            return [0.0] * replicas
        waits: list[float] = self.profile.provisioning.sample(self._starts, replicas).tolist()
        return waits

    def _new(self, start_ns: int, life_ns: int) -> _Replica:
        index = heapq.heappop(self._free) if self._free else next(self._indices)
        replica = _Replica(index, next(self._numbers), _Life.PROVISIONING, start_ns, life_ns)
        self._by_index[index] = replica
        self._by_life[_Life.PROVISIONING][replica.number] = replica
        return replica

    def _begin_after(self, wait_ns: int, replica: _Replica) -> None:
        starting_at = self._now + wait_ns
        if wait_ns:
            heapq.heappush(self._changes, (starting_at, -1, replica.number, replica))
        else:
            self._move(replica, _Life.STARTING)
        self._begin(replica, starting_at)

    def _begin(self, replica: _Replica, image_at: int) -> None:
        """The cold start begins when the image is there; when it ends, and when the replica is lost, is then known."""
        ready_at = image_at + replica.start_ns
        replica.lost_at = min(ready_at + replica.life_ns, FAR_NS)
        self.engine.add(replica.index, replica.lost_at)
        heapq.heappush(self._changes, (ready_at, EventKind.READY, replica.number, replica))
        if replica.lost_at < FAR_NS:
            heapq.heappush(self._changes, (replica.lost_at, EventKind.LOST, replica.number, replica))

    def _give_up(self, replicas: int) -> None:
        """Those that serve nobody first: newest of the provisioning, then of the starting ones.

        Then ready ones, those with the fewest requests first, the newest among equals.
        """
        for life in (_Life.PROVISIONING, _Life.STARTING):
            for number in sorted(self._by_life[life], reverse=True)[:replicas]:
                self._end(self._by_life[life][number], self._now)
                replicas -= 1
        if replicas:
            ready = self._by_life[_Life.READY].values()
            outstanding = {replica: self.engine.outstanding(replica.index) for replica in ready}
            victims = heapq.nsmallest(replicas, ready, key=lambda replica: (outstanding[replica], -replica.number))
            for replica in victims:
                self._drain(replica, self.profile.drain_timeout_s)

    def _drain(self, replica: _Replica, limit_s: float | None) -> None:
        self._move(replica, _Life.DRAINING)
        if self.cluster is not None:
            self.cluster.terminate(replica.number, self._now)
        self.engine.drain(replica.index, self._now, FAR_NS if limit_s is None else self._now + to_ns(limit_s))

    # -- nodes ------------------------------------------------------------------------------------

    def _settle(self, cluster: SimulatedCluster, *, ready_now: bool = False) -> None:
        """Replicas that wait go to nodes with room, and start there."""
        for number, image_at in cluster.schedule(self._now):
            replica = self._by_life[_Life.PROVISIONING][number]
            if ready_now:
                replica.start_ns = 0
            self._move(replica, _Life.STARTING)
            self._begin(replica, image_at)

    def _evict(self, cluster: SimulatedCluster, numbers: Iterable[int]) -> None:
        """Replicas whose node goes leave it, and others are ordered in their place."""
        limit_s = cluster.cluster.max_graceful_termination_s
        if self.profile.drain_timeout_s is not None:
            limit_s = min(limit_s, self.profile.drain_timeout_s)
        starting, evicted = self._by_life[_Life.STARTING], list(numbers)
        for number in evicted:
            if number in starting:
                self._end(starting[number], self._now)
            else:
                self._drain(self._by_life[_Life.READY][number], limit_s)
        self._order(len(evicted))

    # -- what happens -----------------------------------------------------------------------------

    def _advance(self, until: int) -> None:
        """Everything up to `until`, with a visit to the nodes whenever something is due there."""
        if self.cluster is None:
            self._let_pass(until)
            return
        while (due := self.cluster.next_visit) <= until:
            self._let_pass(due)
            self._evict(self.cluster, self.cluster.visit(due))
            self._settle(self.cluster)
        if self._now < until:
            self._let_pass(until)
            self._settle(self.cluster)

    def _let_pass(self, until: int) -> None:
        """Time up to `until`: changes that were known beforehand, requests, drained replicas."""
        passed = until - self._now
        self.billed_ns += passed * (self.starting + self.ready + self.draining)
        self.serving_ns += passed * (self.ready + self.draining)
        events: list[Event] = []
        lost_draining: list[_Replica] = []
        while self._changes and self._changes[0][0] <= until:
            time, kind, _, replica = heapq.heappop(self._changes)
            if replica.life is _Life.GONE:
                continue
            if kind == EventKind.LOST and replica.life is _Life.DRAINING:
                lost_draining.append(replica)
            else:
                self._change(replica, kind, until - time)
            if kind >= 0:
                events.append(Event(time, EventKind(kind), replica.index))
        for gone in self.engine.advance(until, self._stream.until(until), events, max(self._tick, 0)):
            self._leave_drained(gone, until)
        for replica in lost_draining:
            if replica.life is _Life.DRAINING:
                self._leave_drained(Gone(replica.lost_at, replica.index), until)
        self._now = until

    def _change(self, replica: _Replica, kind: int, remaining: int) -> None:
        """`remaining` is the time from the change to the end of the interval that is being accounted for."""
        if kind == EventKind.READY:
            self._move(replica, _Life.READY)
            self.serving_ns += remaining
        elif kind == EventKind.LOST:
            self._end(replica, replica.lost_at)
            self.lost += 1
            self._to_replace += 1
            self.billed_ns -= remaining
            self.serving_ns -= remaining
        else:
            self._move(replica, _Life.STARTING)
            self.billed_ns += remaining

    def _leave_drained(self, gone: Gone, until: int) -> None:
        self._end(self._by_index[gone.replica], gone.time_ns)
        self.billed_ns -= until - gone.time_ns
        self.serving_ns -= until - gone.time_ns

    def _move(self, replica: _Replica, life: _Life) -> None:
        del self._by_life[replica.life][replica.number]
        replica.life = life
        self._by_life[life][replica.number] = replica

    def _end(self, replica: _Replica, at: int) -> None:
        del self._by_life[replica.life][replica.number]
        replica.life = _Life.GONE
        del self._by_index[replica.index]
        heapq.heappush(self._free, replica.index)
        if self.cluster is not None:
            self.cluster.remove(replica.number, at)


_ALL_UTILIZATION = frozenset(f"{resource}_utilization" for resource in RESOURCES)
_missing_by_measured: dict[tuple[str, ...], frozenset[str]] = {}


def _missing(measured: tuple[str, ...]) -> frozenset[str]:
    """The utilizations that nobody measures; one set for each combination, not one a tick."""
    if measured not in _missing_by_measured:
        _missing_by_measured[measured] = _ALL_UTILIZATION.difference(measured)
    return _missing_by_measured[measured]
