"""The readable engine: one event at a time, as the contract says it. The oracle of the fast one.

Plain Python with a heap of what will happen next. About 200,000 requests per second; for tests, for
checking a surprising result, and for reading.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from hindscale.core.service import Balancer
from hindscale.scoring.histogram import BUCKETS, bucket_of
from hindscale.simulation.contract import (
    FAR_NS,
    Batch,
    EngineConfig,
    Event,
    EventKind,
    Gone,
    Integers,
    Total,
)

__all__ = ["ReadableEngine"]


@dataclass(slots=True, eq=False)
class _Request:
    arrived: int
    service: int
    choice: int
    tick: int
    order: int = -1  # when it was given to a replica, counted over the run
    replica: int = -1
    started: int = -1
    left: bool = False


@dataclass(slots=True, eq=False)
class _Replica:
    lost_at: int
    accepts: bool = False
    draining: bool = False
    in_service: set[_Request] = field(default_factory=set)
    queue: deque[_Request] = field(default_factory=deque)

    @property
    def outstanding(self) -> int:
        return len(self.in_service) + len(self.queue)


class ReadableEngine:
    """Implements `Engine`; see `contract` for the rules."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.totals: Integers = np.zeros(len(Total), np.int64)
        self.met_by_tick: Integers = np.zeros(config.ticks, np.int64)
        self.histogram: Integers = np.zeros((config.rows, BUCKETS), np.int64)
        self._replicas: dict[int, _Replica] = {}
        self._gateway: deque[_Request] = deque()
        # (time, order of assignment, tie-break, request): leaving service, or the end of a wait.
        self._leaving: list[tuple[int, int, int, _Request]] = []
        self._stops: list[tuple[int, int, _Replica]] = []  # (deadline, index, replica) of draining ones
        self._orders = count()
        self._pushes = count()
        self._last_used = -1
        self._finished_busy = 0
        self._gone: list[Gone] = []

    def add(self, replica: int, lost_at_ns: int) -> None:
        self._replicas[replica] = _Replica(lost_at=lost_at_ns)

    def drain(self, replica: int, now_ns: int, deadline_ns: int) -> None:
        drained = self._replicas[replica]
        drained.accepts, drained.draining = False, True
        if deadline_ns < FAR_NS:
            heapq.heappush(self._stops, (deadline_ns, replica, drained))
        self._report_if_gone(now_ns, replica)

    def outstanding(self, replica: int) -> int:
        return self._replicas[replica].outstanding

    def advance(self, until_ns: int, batches: Sequence[Batch], events: Sequence[Event], tick: int) -> Sequence[Gone]:
        pending = deque(events)
        for batch in batches:
            choices = batch.choices.tolist() if len(batch.choices) else [0] * len(batch.arrivals_ns)
            rows = zip(batch.arrivals_ns.tolist(), batch.services_ns.tolist(), choices, strict=True)
            for arrived, service, choice in rows:
                self._happen_until(arrived, pending)
                self._arrive(_Request(arrived, service, choice, tick))
        self._happen_until(until_ns, pending)
        self._count_now(until_ns)
        gone, self._gone = self._gone, []
        return gone

    # -- the order of things at one instant -------------------------------------------------------

    def _happen_until(self, limit: int, pending: deque[Event]) -> None:
        """Everything but arrivals, up to and including `limit`."""
        while True:
            now = min(
                pending[0].time_ns if pending else FAR_NS,
                self._leaving[0][0] if self._leaving else FAR_NS,
                self._stops[0][0] if self._stops else FAR_NS,
                self._gateway[0].arrived + self.config.timeout_ns if self._gateway else FAR_NS,
            )
            if now > limit or now == FAR_NS:
                return
            while pending and pending[0][:2] == (now, EventKind.LOST):
                self._lose(pending.popleft().replica)
            while self._leaving and self._leaving[0][0] == now:
                self._leave(now)
            while self._stops and self._stops[0][0] == now:
                self._stop(now, *heapq.heappop(self._stops)[1:])
            while pending and pending[0][:2] == (now, EventKind.READY):
                self._replicas[pending.popleft().replica].accepts = True
                self._dispatch(now)
            if self._leaving and self._leaving[0][0] == now:
                continue  # what was just dispatched had no time left to wait
            while self._gateway and self._gateway[0].arrived + self.config.timeout_ns == now:
                self._gateway.popleft()
                self.totals[Total.TIMED_OUT] += 1

    def _lose(self, index: int) -> None:
        replica = self._replicas.pop(index, None)
        if replica is None:
            return  # it was draining and has gone already
        for request in (*replica.in_service, *replica.queue):
            request.left = True
            self.totals[Total.FAILED] += 1
        self._finished_busy += sum(replica.lost_at - request.started for request in replica.in_service)

    def _leave(self, now: int) -> None:
        """The first of those that leave now: it has been served, or it gives up waiting."""
        request = heapq.heappop(self._leaving)[-1]
        if request.left or (request.started >= 0 and now != request.started + request.service):
            return  # it left with its replica, or it was served and no longer gives up
        request.left = True
        replica = self._replicas[request.replica]
        if request.started < 0:
            replica.queue.remove(request)
            self.totals[Total.TIMED_OUT] += 1
        else:
            replica.in_service.remove(request)
            self._finished_busy += request.service
            self._record(request, now - request.arrived)
            self._start_next(now, replica)
        self._report_if_gone(now, request.replica)
        self._dispatch(now)

    def _stop(self, now: int, index: int, replica: _Replica) -> None:
        """Cut what a draining replica still has when its time is up."""
        if self._replicas.get(index) is not replica:
            return  # it has gone already, and the index may be another's by now
        for request in (*replica.in_service, *replica.queue):
            request.left = True
            self.totals[Total.CUT] += 1
        self._finished_busy += sum(now - request.started for request in replica.in_service)
        replica.in_service.clear()
        replica.queue.clear()
        self._report_if_gone(now, index)

    # -- requests ---------------------------------------------------------------------------------

    def _arrive(self, request: _Request) -> None:
        self.totals[Total.ARRIVED] += 1
        chosen = self._choose(request.choice) if not self._gateway else None
        if chosen is not None:
            self._give(request.arrived, request, chosen)
        elif len(self._gateway) < self.config.gateway_capacity:
            self._gateway.append(request)
        else:
            self.totals[Total.DROPPED] += 1

    def _dispatch(self, now: int) -> None:
        while self._gateway:
            chosen = self._choose(self._gateway[0].choice)
            if chosen is None:
                return
            self._give(now, self._gateway.popleft(), chosen)

    def _give(self, now: int, request: _Request, index: int) -> None:
        replica = self._replicas[index]
        request.replica, request.order = index, next(self._orders)
        self._last_used = index
        replica.queue.append(request)
        self._start_next(now, replica)
        gives_up = request.arrived + self.config.timeout_ns
        if request.started < 0 and gives_up < FAR_NS:
            self._will_leave(gives_up, request)

    def _start_next(self, now: int, replica: _Replica) -> None:
        while replica.queue and len(replica.in_service) < self.config.slots:
            request = replica.queue.popleft()
            request.started = now
            replica.in_service.add(request)
            self._will_leave(now + request.service, request)

    def _will_leave(self, time: int, request: _Request) -> None:
        heapq.heappush(self._leaving, (time, request.order, next(self._pushes), request))

    def _record(self, request: _Request, latency: int) -> None:
        self.totals[Total.SERVED] += 1
        self.totals[Total.LATENCY_US] += latency // 1000
        self.histogram[self.config.row_of(request.tick), bucket_of(latency)] += 1
        if latency <= self.config.bound_ns:
            self.totals[Total.MET] += 1
            self.met_by_tick[request.tick] += 1

    # -- the balancer -----------------------------------------------------------------------------

    def _choose(self, choice: int) -> int | None:
        """The replica that gets a request; None if none has room."""
        accepting = sorted(index for index, replica in self._replicas.items() if replica.accepts)
        with_room = [index for index in accepting if self._has_room(index)]
        if not with_room:
            return None
        balancer = self.config.balancer
        if balancer is Balancer.ROUND_ROBIN:
            return next((index for index in with_room if index > self._last_used), with_room[0])
        if balancer is Balancer.RANDOM:
            first = accepting[(choice >> 31) * len(accepting) >> 31]
        elif balancer is Balancer.TWO_CHOICES:
            first = self._better_of_two(choice, accepting)
        else:
            return min(with_room, key=lambda index: (self._replicas[index].outstanding, index))
        return next((index for index in with_room if index >= first), with_room[0])

    def _better_of_two(self, choice: int, accepting: list[int]) -> int:
        one = (choice >> 31) * len(accepting) >> 31
        if len(accepting) == 1:
            return accepting[0]
        other = (choice & (1 << 31) - 1) * (len(accepting) - 1) >> 31
        other += other >= one  # a second one, different from the first
        return min(accepting[one], accepting[other], key=lambda index: self._replicas[index].outstanding)

    def _has_room(self, index: int) -> bool:
        return self._replicas[index].outstanding < self.config.replica_capacity

    # -- bookkeeping ------------------------------------------------------------------------------

    def _report_if_gone(self, now: int, index: int) -> None:
        replica = self._replicas[index]
        if replica.draining and not replica.outstanding:
            del self._replicas[index]
            self._gone.append(Gone(now, index))

    def _count_now(self, now: int) -> None:
        in_service = [request for replica in self._replicas.values() for request in replica.in_service]
        waiting = sum(len(replica.queue) for replica in self._replicas.values())
        self.totals[Total.QUEUED] = waiting + len(self._gateway)
        self.totals[Total.IN_SERVICE] = len(in_service)
        self.totals[Total.BUSY_NS] = self._finished_busy + sum(now - request.started for request in in_service)
