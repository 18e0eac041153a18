"""Scenario B in SimPy, written in two ways.

As its tutorial does it: a request is a process that asks its replica's `Resource` for a place and waits
for a time-out. And as lean as its interface allows: a request is one time-out with a callback, and
queues are first-party. Time counts whole nanoseconds, so that the books are the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from _scenario_b import (
    BOUND_S,
    COLD_START_S,
    INITIAL_REPLICAS,
    INTERVAL_S,
    MAX_REPLICAS,
    POLICY,
    PROFILE,
    Books,
    Requests,
)
from hindscale.core.values import Observation
from hindscale.scoring.histogram import BUCKETS, bucket_of

__all__ = ["run_with_callbacks", "run_with_processes"]

Process = Generator[simpy.Event, Any, None]

INTERVAL_NS, COLD_START_NS, BOUND_NS = (round(seconds * 1e9) for seconds in (INTERVAL_S, COLD_START_S, BOUND_S))
BLOCKED = 1 << 40
"""Added to the number of requests at a replica that takes no more."""


@dataclass(slots=True, eq=False)
class _Replica:
    index: int
    number: int
    ordered_at: int
    started: dict[int, int] = field(default_factory=dict)  # request in service: since when
    waiting: deque[int] = field(default_factory=deque)
    slots: simpy.Resource | None = None


class _Pool:
    """The life cycle, the balancer and the books; how a request is served is the subclass's business."""

    def __init__(self, requests: Requests) -> None:
        self.environment = simpy.Environment()
        self.arrivals, self.services = requests.arrivals_ns.tolist(), requests.services_ns.tolist()
        self.ticks, self.rows = requests.ticks, requests.rows
        self.served = self.met = self.latency_us = self.billed_ns = self.busy_ns = 0
        self.met_by_tick = [0] * self.ticks
        self.histogram = [[0] * BUCKETS for _ in range(self.rows)]
        self.loads: list[int] = []  # requests at each replica by index
        self.by_index: list[_Replica | None] = []
        self.starting: list[_Replica] = []
        self.ready: list[_Replica] = []
        self.draining: list[_Replica] = []
        self.ordered = 0

    def run(self) -> Books:
        self.order(INITIAL_REPLICAS, 0)
        self.environment.process(self.arrive())
        self.environment.process(self.control())
        self.environment.run()
        return Books(
            served=self.served,
            met=self.met,
            latency_us=self.latency_us,
            billed_ns=self.billed_ns,
            met_by_tick=np.array(self.met_by_tick),
            histogram=np.array(self.histogram),
        )

    def arrive(self) -> Process:
        environment, loads, before = self.environment, self.loads, 0
        for request, arrived in enumerate(self.arrivals):
            yield environment.timeout(arrived - before)
            before = arrived
            index = loads.index(min(loads))
            loads[index] += 1
            replica = self.by_index[index]
            assert replica is not None
            self.serve(request, replica)

    def serve(self, request: int, replica: _Replica) -> None:
        raise NotImplementedError

    def finish(self, request: int, replica: _Replica) -> None:
        """Enter a served request into the books."""
        now, arrived = int(self.environment.now), self.arrivals[request]
        self.busy_ns += now - replica.started.pop(request)
        self.loads[replica.index] -= 1
        latency = now - arrived
        tick = (arrived - 1) // INTERVAL_NS
        self.served += 1
        self.latency_us += latency // 1000
        self.histogram[tick * self.rows // self.ticks][bucket_of(latency)] += 1
        if latency <= BOUND_NS:
            self.met += 1
            self.met_by_tick[tick] += 1
        if self.loads[replica.index] == BLOCKED and replica in self.draining:
            self.remove(replica, self.draining)

    def order(self, replicas: int, cold_start_ns: int) -> None:
        for _ in range(replicas):
            # The lowest index that is free, as in the simulated fleet: ties between replicas go by index.
            index = self.by_index.index(None) if None in self.by_index else len(self.by_index)
            if index == len(self.by_index):
                self.by_index.append(None)
                self.loads.append(BLOCKED)
            replica = _Replica(index, self.ordered, int(self.environment.now))
            replica.slots = simpy.Resource(self.environment, PROFILE.slots)
            self.by_index[index] = replica
            self.starting.append(replica)
            self.ordered += 1
            self.environment.process(self.start(replica, cold_start_ns))

    def start(self, replica: _Replica, cold_start_ns: int) -> Process:
        if cold_start_ns:
            yield self.environment.timeout(cold_start_ns)
        if replica in self.starting:
            self.starting.remove(replica)
            self.ready.append(replica)
            self.loads[replica.index] = 0

    def remove(self, replica: _Replica, from_: list[_Replica]) -> None:
        from_.remove(replica)
        if self.environment.now <= self.ticks * INTERVAL_NS:
            self.billed_ns += int(self.environment.now) - replica.ordered_at
        self.by_index[replica.index] = None

    def give_up(self, replicas: int) -> None:
        for _ in range(replicas):
            if self.starting:
                self.remove(self.starting[-1], self.starting)
                continue
            victim = min(self.ready, key=lambda replica: (self.loads[replica.index], -replica.number))
            self.ready.remove(victim)
            self.draining.append(victim)
            self.loads[victim.index] += BLOCKED
            if self.loads[victim.index] == BLOCKED:
                self.remove(victim, self.draining)

    def control(self) -> Process:
        busy_before = 0
        for _ in range(self.ticks):
            yield self.environment.timeout(INTERVAL_NS)
            now, interval_s = int(self.environment.now), INTERVAL_NS * 1e-9
            replicas = [*self.ready, *self.draining]
            since = (moment for replica in replicas for moment in replica.started.values())
            busy = self.busy_ns + sum(now - moment for moment in since)
            seen = Observation(
                time_s=now * 1e-9,
                ready_replicas=len(self.ready),
                starting_replicas=len(self.starting),
                measured_at_s=now * 1e-9,
                arrival_rate_rps=math.nan,
                ongoing_requests=(busy - busy_before) * 1e-9 / interval_s,
                queued_requests=float(sum(self.queued(replica) for replica in replicas)),
            )
            busy_before = busy
            decision, _ = POLICY.decide(seen, None)
            wanted = min(max(decision.desired_replicas, 1), MAX_REPLICAS)
            if wanted > seen.requested_replicas:
                self.order(wanted - seen.requested_replicas, COLD_START_NS)
            else:
                self.give_up(seen.requested_replicas - wanted)
        everyone = (*self.starting, *self.ready, *self.draining)
        self.billed_ns += sum(int(self.environment.now) - replica.ordered_at for replica in everyone)

    def queued(self, replica: _Replica) -> int:
        return self.loads[replica.index] % BLOCKED - len(replica.started)


class _WithProcesses(_Pool):
    def serve(self, request: int, replica: _Replica) -> None:
        self.environment.process(self.request(request, replica))

    def request(self, request: int, replica: _Replica) -> Process:
        assert replica.slots is not None
        with replica.slots.request() as slot:
            yield slot
            replica.started[request] = int(self.environment.now)
            yield self.environment.timeout(self.services[request])
        self.finish(request, replica)


class _WithCallbacks(_Pool):
    def serve(self, request: int, replica: _Replica) -> None:
        if len(replica.started) < PROFILE.slots:
            self.begin(request, replica)
        else:
            replica.waiting.append(request)

    def begin(self, request: int, replica: _Replica) -> None:
        replica.started[request] = int(self.environment.now)
        done = self.environment.timeout(self.services[request], (request, replica))
        assert done.callbacks is not None
        done.callbacks.append(self.leave)

    def leave(self, event: simpy.Event) -> None:
        request, replica = event.value
        self.finish(request, replica)
        if replica.waiting:
            self.begin(replica.waiting.popleft(), replica)


def run_with_processes(requests: Requests) -> Books:
    """A process a request, a `Resource` a replica."""
    return _WithProcesses(requests).run()


def run_with_callbacks(requests: Requests) -> Books:
    """A time-out with a callback a request."""
    return _WithCallbacks(requests).run()
