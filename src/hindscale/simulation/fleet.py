"""The simulated fleet: replicas that come and go, and what is seen of them.

It is both ends of the control loop, `MetricsSource` and `Actuator`. Requests are the engine's business, nodes
that of `nodes`, what replicas request that of `resizing`, where they are simulated; here a replica is ordered, waits
for its node, starts, serves, drains and is gone, and every nanosecond of it is paid for.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

import numpy as np

from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.core.service import ServiceProfile
from hindscale.core.values import Observation
from hindscale.simulation.cluster import Cluster
from hindscale.simulation.contract import FAR_NS, Engine, Event, EventKind, Gone, Total, to_ns
from hindscale.simulation.monitoring import Monitoring, Reading, Readings, missing_utilization, utilization
from hindscale.simulation.nodes import SimulatedCluster
from hindscale.simulation.replicas import Life, Replica, Replicas
from hindscale.simulation.resizing import SimulatedVertical
from hindscale.simulation.vertical import VerticalAutoscaler
from hindscale.simulation.workload import Requests

__all__ = ["Monitoring", "SimulatedFleet"]

_SCRAPED = (Total.SERVED, Total.DROPPED, Total.TIMED_OUT, Total.FAILED, Total.CUT)
FINISH_NS = to_ns(3600.0)
"""Replicas that wait for a node when the run ends still get one if it comes within an hour."""


class SimulatedFleet:
    """Replicas of one service in simulated time.

    Attributes:
        billed_ns: Replica time paid for so far, from `starting` to gone, summed over replicas.
        serving_ns: Replica time that was ready or draining.
        started: Replicas asked for so far, replacements of lost ones included.
        lost: Replicas lost so far.
        cluster: The nodes that replicas wait for and run on; None where nodes are not simulated.
        vertical: What changes their requests; None where they stay as the profile has them.
    """

    def __init__(
        self,
        profile: ServiceProfile,
        engine: Engine,
        stream: Requests,
        seed: np.random.SeedSequence,
        *,
        control_interval_s: float,
        monitoring: Monitoring | None = None,
        initial_replicas: int = 1,
        cluster: Cluster | None = None,
        vertical: VerticalAutoscaler | None = None,
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
        self.vertical = None if vertical is None else SimulatedVertical(vertical, profile)
        self._readings = Readings(monitoring or Monitoring(), control_interval_s=control_interval_s)
        self._now = 0
        self._tick = -1
        self._replicas = Replicas()
        self._changes: list[tuple[int, int, int, Replica]] = []  # heap of (time, kind, number, replica)
        self._to_replace = 0
        self._order(initial_replicas, ready_now=True)
        if self.cluster is not None:
            self.cluster.open()
            self._settle(self.cluster, ready_now=True)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def requested(self) -> int:
        """The size the fleet was last asked for."""
        lives = self._replicas.by_life
        return len(lives[Life.READY]) + len(lives[Life.STARTING]) + len(lives[Life.PROVISIONING])

    @property
    def ready(self) -> int:
        return len(self._replicas.by_life[Life.READY])

    @property
    def starting(self) -> int:
        return len(self._replicas.by_life[Life.STARTING])

    @property
    def provisioning(self) -> int:
        return len(self._replicas.by_life[Life.PROVISIONING])

    @property
    def draining(self) -> int:
        return len(self._replicas.by_life[Life.DRAINING])

    @property
    def requests(self) -> list[Amounts]:
        """What each replica that is not draining asks of its node, where that changes."""
        return [each.requests for each in self._replicas.oldest_first() if each.life is not Life.DRAINING]

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
        if self.vertical is not None:
            self.vertical.stop()
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
        measured = self._utilization(busy, (last.serving_ns - first.serving_ns) / 1e9)
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
            **measured,
            missing=missing_utilization(tuple(measured)),
            stale=frozenset(),
        )

    def _utilization(self, busy_s: float, serving_s: float) -> dict[str, float]:
        if serving_s <= 0:
            if self.requested:
                return {}  # replicas exist, but none has served yet: there is nothing to measure
            return dict.fromkeys((f"{resource}_utilization" for resource in self.profile.resources), 0.0)
        measured = utilization(self.profile, busy_s / (serving_s * self.profile.slots))
        if self.vertical is not None:
            ready = [replica.requests for replica in self._replicas.by_life[Life.READY].values()]
            for name in measured:
                measured[name] *= self.vertical.request_share(name.removesuffix("_utilization"), ready)
        return measured

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
        requests = NOTHING if self.vertical is None else self.vertical.admitted
        for wait_s, start_s, life_s in zip(waits, starts, lives, strict=True):
            # At least one nanosecond of life: readiness comes before loss.
            life_ns = FAR_NS if math.isinf(life_s) else max(to_ns(life_s), 1)
            replica = self._replicas.new(to_ns(start_s), life_ns, requests)
            if self.cluster is None:
                self._begin_after(to_ns(wait_s), replica)
            else:
                self.cluster.create(replica.number, self._now, replica.requests)
        if self.cluster is not None:
            self._settle(self.cluster)

    def _waits(self, replicas: int, *, at_once: bool) -> list[float]:
        """Seconds until each has a node, where nodes are not simulated."""
        if at_once or self.cluster is not None:
            return [0.0] * replicas
        waits: list[float] = self.profile.provisioning.sample(self._starts, replicas).tolist()
        return waits

    def _begin_after(self, wait_ns: int, replica: Replica) -> None:
        starting_at = self._now + wait_ns
        if wait_ns:
            heapq.heappush(self._changes, (starting_at, -1, replica.number, replica))
        else:
            self._replicas.move(replica, Life.STARTING)
        self._begin(replica, starting_at)

    def _begin(self, replica: Replica, image_at: int) -> None:
        """The cold start begins when the image is there; when it ends, and when the replica is lost, is then known."""
        replica.runs_at = image_at
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
        for life in (Life.PROVISIONING, Life.STARTING):
            for number in sorted(self._replicas.by_life[life], reverse=True)[:replicas]:
                self._end(self._replicas.by_life[life][number], self._now)
                replicas -= 1
        if replicas:
            ready = self._replicas.by_life[Life.READY].values()
            outstanding = {replica: self.engine.outstanding(replica.index) for replica in ready}
            victims = heapq.nsmallest(replicas, ready, key=lambda replica: (outstanding[replica], -replica.number))
            for replica in victims:
                self._drain(replica, self.profile.drain_timeout_s)

    def _drain(self, replica: Replica, limit_s: float | None) -> None:
        self._replicas.move(replica, Life.DRAINING)
        if self.cluster is not None:
            self.cluster.terminate(replica.number, self._now)
        self.engine.drain(replica.index, self._now, FAR_NS if limit_s is None else self._now + to_ns(limit_s))

    # -- nodes and requests -----------------------------------------------------------------------

    def _settle(self, cluster: SimulatedCluster, *, ready_now: bool = False) -> None:
        """Replicas that wait go to nodes with room, and start there."""
        for number, image_at in cluster.schedule(self._now):
            replica = self._replicas.by_life[Life.PROVISIONING][number]
            if ready_now:
                replica.start_ns = 0
            self._replicas.move(replica, Life.STARTING)
            self._begin(replica, image_at)

    def _visit_nodes(self, cluster: SimulatedCluster) -> None:
        limit_s = cluster.cluster.max_graceful_termination_s
        if self.profile.drain_timeout_s is not None:
            limit_s = min(limit_s, self.profile.drain_timeout_s)
        self._evict(cluster.visit(self._now), limit_s)
        self._settle(cluster)

    def _visit_requests(self, vertical: SimulatedVertical) -> None:
        busy_ns = int(self.engine.totals[Total.BUSY_NS])
        replicas = self._replicas.oldest_first()
        evicted = vertical.visit(self._now, replicas, busy_ns=busy_ns, serving_ns=self.serving_ns)
        self._evict(evicted, self.profile.drain_timeout_s)

    def _evict(self, numbers: Iterable[int], limit_s: float | None) -> None:
        """Replicas that have to leave go, and others are ordered in their place at once."""
        lives = self._replicas.by_life
        evicted = list(numbers)
        for number in evicted:
            idle = lives[Life.PROVISIONING].get(number) or lives[Life.STARTING].get(number)
            if idle is None:
                self._drain(lives[Life.READY][number], limit_s)
            else:
                self._end(idle, self._now)
        self._order(len(evicted))

    # -- what happens -----------------------------------------------------------------------------

    def _advance(self, until: int) -> None:
        """Everything up to `until`, with a visit to the nodes and to the VPA whenever something is due there."""
        while (due := self._next_visit()) <= until:
            self._let_pass(due)
            if self.cluster is not None and self.cluster.next_visit <= due:
                self._visit_nodes(self.cluster)
            if self.vertical is not None and self.vertical.next_visit <= due:
                self._visit_requests(self.vertical)
        if self._now < until:
            self._let_pass(until)
        if self.cluster is not None:
            self._settle(self.cluster)

    def _next_visit(self) -> int:
        nodes = FAR_NS if self.cluster is None else self.cluster.next_visit
        return nodes if self.vertical is None else min(nodes, self.vertical.next_visit)

    def _let_pass(self, until: int) -> None:
        """Time up to `until`: changes that were known beforehand, requests, drained replicas."""
        passed = until - self._now
        serving = self.ready + self.draining
        self.billed_ns += passed * (serving + self.starting)
        self.serving_ns += passed * serving
        events: list[Event] = []
        lost_draining: list[Replica] = []
        while self._changes and self._changes[0][0] <= until:
            time, kind, _, replica = heapq.heappop(self._changes)
            if replica.life is Life.GONE:
                continue
            if kind == EventKind.LOST and replica.life is Life.DRAINING:
                lost_draining.append(replica)
            else:
                self._change(replica, kind, until - time)
            if kind >= 0:
                events.append(Event(time, EventKind(kind), replica.index))
        for gone in self.engine.advance(until, self._stream.until(until), events, max(self._tick, 0)):
            self._leave_drained(gone, until)
        for replica in lost_draining:
            if replica.life is Life.DRAINING:
                self._leave_drained(Gone(replica.lost_at, replica.index), until)
        self._now = until

    def _change(self, replica: Replica, kind: int, remaining: int) -> None:
        """`remaining` is the time from the change to the end of the interval that is being accounted for."""
        if kind == EventKind.READY:
            self._replicas.move(replica, Life.READY)
            self.serving_ns += remaining
        elif kind == EventKind.LOST:
            self._end(replica, replica.lost_at)
            self.lost += 1
            self._to_replace += 1
            self.billed_ns -= remaining
            self.serving_ns -= remaining
        else:
            self._replicas.move(replica, Life.STARTING)
            self.billed_ns += remaining

    def _leave_drained(self, gone: Gone, until: int) -> None:
        self._end(self._replicas.at(gone.replica), gone.time_ns)
        self.billed_ns -= until - gone.time_ns
        self.serving_ns -= until - gone.time_ns

    def _end(self, replica: Replica, at: int) -> None:
        self._replicas.end(replica)
        if self.cluster is not None:
            self.cluster.remove(replica.number, at)
