"""The fast engine: owns the arrays, calls the kernel, and grows what has become too small."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from hindscale.core.errors import RunError
from hindscale.core.service import Balancer
from hindscale.scoring.histogram import BUCKETS
from hindscale.simulation import _kernel as k
from hindscale.simulation.contract import FAR_NS, Batch, EngineConfig, Event, Gone, Integers, Total

__all__ = ["FastEngine"]

_BALANCERS = {
    Balancer.LEAST_OUTSTANDING: k.LEAST_OUTSTANDING,
    Balancer.CENTRAL_QUEUE: k.LEAST_OUTSTANDING,
    Balancer.ROUND_ROBIN: k.ROUND_ROBIN,
    Balancer.RANDOM: k.RANDOM,
    Balancer.TWO_CHOICES: k.TWO_CHOICES,
}
_NO_EVENTS: Integers = np.empty((0, 3), np.int64)
_NO_BATCH = Batch(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
FIRST_NODES = 1024
MOST_NODES = 1 << 24
"""Requests at replicas that memory is set aside for: 1 GiB."""


class FastEngine:
    """Implements `Engine`; see `contract` for the rules and `_kernel` for how."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.totals: Integers = np.zeros(len(Total), np.int64)
        self.met_by_tick: Integers = np.zeros(config.ticks, np.int64)
        self.histogram: Integers = np.zeros((config.rows, BUCKETS), np.int64)
        self._limits: Integers = np.zeros(k.LIMITS_SIZE, np.int64)
        self._limits[k.CAPACITY] = config.replica_capacity
        self._limits[k.GATEWAY_CAPACITY] = config.gateway_capacity
        self._limits[k.TIMEOUT] = config.timeout_ns
        self._limits[k.BOUND] = config.bound_ns
        self._limits[k.BALANCER] = _BALANCERS[config.balancer]
        self._state: Integers = np.zeros(k.STATE_SIZE, np.int64)
        self._state[k.SHIFT] = 20
        self._state[k.LAST_USED] = self._state[k.LAST_READY] = -1
        self._nodes: Integers = np.empty((0, k.ROW + 1), np.int64)
        self._heads: Integers = np.full(FIRST_NODES, -1, np.int64)
        self._gateway: Integers = np.zeros((FIRST_NODES, k.G_ROW + 1), np.int64)
        self._keys: Integers = np.empty(0, np.int64)
        self._slots_free: Integers = np.empty((0, config.slots), np.int64)
        self._lost_at: Integers = np.empty(0, np.int64)
        self._accepting: Integers = np.empty(0, np.int64)
        self._draining: list[Gone] = []  # a heap: when those that drain will be empty
        self._now = 0
        self._state[k.FREE] = -1
        self._grow_nodes(FIRST_NODES)
        self._grow_replicas(64)

    def add(self, replica: int, lost_at_ns: int) -> None:
        if replica >= len(self._keys):
            self._grow_replicas(2 * replica)
        self._keys[replica] = k.BLOCKED | replica
        self._slots_free[replica] = 0
        self._lost_at[replica] = lost_at_ns
        self._state[k.HIGH] = max(self._state[k.HIGH], replica + 1)

    def drain(self, replica: int, now_ns: int, deadline_ns: int) -> None:
        self._keys[replica] |= k.BLOCKED
        k.list_accepting(self._keys, self._accepting, self._state)
        if self._slots_free[replica].max() > deadline_ns:
            k.cut(replica, deadline_ns, self._nodes, self._heads, self._slots_free, self._state)
            self._rebuild(len(self._heads), int(self._state[k.SHIFT]))
        # Nothing new comes, so the last slot's last request is the last thing that happens here.
        gone_at = max(int(self._slots_free[replica].max()), now_ns)
        if gone_at < self._lost_at[replica]:
            heapq.heappush(self._draining, Gone(gone_at, replica))

    def outstanding(self, replica: int) -> int:
        return int(self._keys[replica] & ~k.BLOCKED) >> k.INDEX_BITS

    def advance(self, until_ns: int, batches: Sequence[Batch], events: Sequence[Event], tick: int) -> Sequence[Gone]:
        self._fit_calendar(until_ns, sum(len(batch.arrivals_ns) for batch in batches))
        rows = np.array(events, np.int64) if events else _NO_EVENTS
        event, row = 0, self.config.row_of(tick)
        for batch in batches[:-1]:
            # Up to its last arrival only: what comes after it belongs to the next batch.
            event = self._consume(int(batch.arrivals_ns[-1]), tick, row, batch, rows, event)
        self._consume(until_ns, tick, row, batches[-1] if batches else _NO_BATCH, rows, event)
        self._now = until_ns
        gone = []
        while self._draining and self._draining[0].time_ns <= until_ns:
            gone.append(heapq.heappop(self._draining))
        return gone

    def _consume(self, until_ns: int, tick: int, row: int, batch: Batch, events: Integers, event: int) -> int:
        position = 0
        while True:
            code, position, event = k.advance(
                until_ns,
                tick,
                row,
                *batch,
                position,
                events,
                event,
                self._nodes,
                self._heads,
                self._gateway,
                self._keys,
                self._slots_free,
                self._lost_at,
                self._accepting,
                self._state,
                self._limits,
                self.totals,
                self.met_by_tick,
                self.histogram,
            )
            if code == k.DONE:
                return int(event)
            if code == k.NODES_FULL:
                self._grow_nodes(2 * len(self._nodes))
            else:
                self._grow_gateway()

    # -- room -------------------------------------------------------------------------------------

    def _grow_nodes(self, size: int) -> None:
        if size > MOST_NODES:
            raise RunError(
                f"more than {MOST_NODES // 2:,} requests wait at replicas: the fleet is far too small for the traffic"
                " and its queues have no end; set replica_queue_limit or queue_timeout_s"
            )
        old = len(self._nodes)
        nodes = np.zeros((size, self._nodes.shape[1]), np.int64)
        nodes[:old] = self._nodes
        nodes[old:, k.NEXT] = np.arange(old + 1, size + 1)
        nodes[-1, k.NEXT] = self._state[k.FREE]
        self._state[k.FREE] = old
        self._nodes = nodes
        if size > len(self._heads):
            self._rebuild(size, int(self._state[k.SHIFT]))

    def _grow_gateway(self) -> None:
        head, size = int(self._state[k.HEAD]), len(self._gateway)
        gateway = np.zeros((2 * size, self._gateway.shape[1]), np.int64)
        gateway[:size] = np.roll(self._gateway, -head, axis=0)
        self._gateway = gateway
        self._state[k.HEAD] = 0

    def _grow_replicas(self, size: int) -> None:
        if size > k.INDEX:
            raise RunError(f"more than {k.INDEX:,} replicas at once; lower max_replicas")
        old = len(self._keys)
        blocked = np.arange(old, size) | k.BLOCKED
        self._keys = np.concatenate((self._keys, blocked))
        self._slots_free = np.concatenate((self._slots_free, np.zeros((size - old, self.config.slots), np.int64)))
        self._lost_at = np.concatenate((self._lost_at, np.full(size - old, FAR_NS, np.int64)))
        self._accepting = np.zeros(size, np.int64)
        k.list_accepting(self._keys, self._accepting, self._state)

    def _fit_calendar(self, until_ns: int, arrivals: int) -> None:
        """Buckets about as long as the time between two arrivals hold about one request each."""
        if not arrivals:
            return
        gap = max((until_ns - self._now) // arrivals, 1)
        shift = min(gap.bit_length(), 40)
        # A factor of four does no harm; a rebuild at every tick would.
        if abs(shift - int(self._state[k.SHIFT])) > 2:
            self._rebuild(len(self._heads), shift)

    def _rebuild(self, buckets: int, shift: int) -> None:
        heads = np.full(buckets, -1, np.int64)
        k.rebuild(self._nodes, self._heads, heads, shift)
        self._heads = heads
        self._state[k.SHIFT] = shift
