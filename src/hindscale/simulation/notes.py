"""What is written down of a run, one row a control tick: what the policy said, and what was true of the fleet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.core.control import Tick
from hindscale.scoring.record import TickLog
from hindscale.simulation.contract import Engine, Total, to_ns
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.nodes import SimulatedCluster
from hindscale.simulation.resizing import SimulatedVertical

__all__ = ["TickNotes"]

GIB = 1 << 30


class TickNotes:
    """Collects one row a tick: what the policy said, and what was true of the fleet."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet
        self._rows: list[tuple[Any, ...]] = []
        self._totals: list[list[int]] = []
        self._nodes = None if fleet.cluster is None else _NodeNotes(fleet.cluster)
        self._requests = None if fleet.vertical is None else _RequestNotes(fleet.vertical)

    def add(self, tick: Tick) -> None:
        """Write down a tick, after the fleet was told of the decision."""
        fleet, seen, target = self._fleet, tick.observation, tick.target
        self._totals.append(fleet.engine.totals.tolist())
        if self._nodes is not None:
            self._nodes.add(to_ns(tick.time_s))
        if self._requests is not None:
            self._requests.add(fleet.requests)
        if seen is None or target is None:
            counts = (fleet.ready, fleet.starting, fleet.provisioning, fleet.draining)
            said = (math.nan, -1, fleet.requested, True, "", tick.held_because)
        else:
            counts = (
                seen.ready_replicas,
                seen.starting_replicas,
                seen.provisioning_replicas,
                seen.draining_replicas,
            )
            decision = target.decision
            said = (
                seen.arrival_rate_rps,
                decision.desired_replicas,
                target.replicas,
                target.held,
                ",".join(target.limited_by),
                decision.reason,
            )
        self._rows.append((tick.time_s, fleet.billed_ns, fleet.serving_ns, *counts, *said))

    def log(self, engine: Engine) -> TickLog:
        """All ticks as columns."""
        (
            time_s,
            billed,
            serving,
            ready,
            starting,
            provisioning,
            draining,
            rate,
            desired,
            target,
            held,
            limited,
            reason,
        ) = zip(*self._rows, strict=True)
        totals = np.array(self._totals, np.int64)
        per_tick = np.diff(totals, axis=0, prepend=0)
        slots = self._fleet.profile.slots
        return TickLog(
            time_s=np.array(time_s),
            arrived=per_tick[:, Total.ARRIVED],
            met=engine.met_by_tick,
            served=per_tick[:, Total.SERVED],
            dropped=per_tick[:, Total.DROPPED],
            timed_out=per_tick[:, Total.TIMED_OUT],
            failed=per_tick[:, Total.FAILED],
            cut=per_tick[:, Total.CUT],
            replica_s=_per_tick(billed) / 1e9,
            busy_slot_s=per_tick[:, Total.BUSY_NS] / 1e9,
            serving_slot_s=_per_tick(serving) / 1e9 * slots,
            ready=np.array(ready, np.int64),
            starting=np.array(starting, np.int64),
            provisioning=np.array(provisioning, np.int64),
            draining=np.array(draining, np.int64),
            queued=totals[:, Total.QUEUED],
            observed_rate_rps=np.array(rate, np.float64),
            desired=np.array(desired, np.int64),
            target=np.array(target, np.int64),
            held=np.array(held, np.bool_),
            limited_by=limited,
            reason=reason,
            **({} if self._nodes is None else self._nodes.columns()),
            **({} if self._requests is None else self._requests.columns()),
        )


class _NodeNotes:
    """Collects, at each tick, the machines that run and what was paid for them."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._running: list[int] = []
        self._paid_ns: list[tuple[int, ...]] = []

    def add(self, now: int) -> None:
        self._running.append(self._cluster.running(now))
        self._paid_ns.append(self._cluster.paid_ns(now))

    def columns(self) -> dict[str, NDArray[Any]]:
        prices = [pool.price_per_hour for pool in self._cluster.cluster.pools]
        by_pool = zip(prices, zip(*self._paid_ns, strict=True), strict=True)
        cost = sum(_per_tick(paid_ns) / 3600e9 * price for price, paid_ns in by_pool)
        return {"nodes": np.array(self._running, np.int64), "node_cost": np.asarray(cost)}


class _RequestNotes:
    """Collects, at each tick, what replicas request, what is recommended, and how many were evicted for it."""

    def __init__(self, vertical: SimulatedVertical) -> None:
        self._vertical = vertical
        self._rows: list[tuple[float, ...]] = []
        self._evicted: list[int] = []

    def add(self, requests: Sequence[Amounts]) -> None:
        advice = self._vertical.recommendation
        target = NOTHING if advice is None else advice.target
        self._rows.append((*_mean(requests), *_mean((target,))))
        self._evicted.append(self._vertical.evicted)

    def columns(self) -> dict[str, NDArray[Any]]:
        names = ("cpu_request_cores", "memory_request_gib", "cpu_target_cores", "memory_target_gib")
        columns = {name: np.array(column) for name, column in zip(names, zip(*self._rows, strict=True), strict=True)}
        return columns | {"evicted": _per_tick(self._evicted)}


def _mean(amounts: Sequence[Amounts]) -> tuple[float, float]:
    """Mean cores and GiB; NaN where there is nothing to take it of."""
    cpu = [each.cpu_millicores for each in amounts if each.cpu_millicores is not None]
    memory = [each.memory_bytes for each in amounts if each.memory_bytes is not None]
    return (
        sum(cpu) / len(cpu) / 1000 if cpu else math.nan,
        sum(memory) / len(memory) / GIB if memory else math.nan,
    )


def _per_tick(cumulative: Sequence[int]) -> NDArray[np.int64]:
    """What each tick added. In whole numbers: a month of a fleet in nanoseconds is more than a double holds."""
    counts: NDArray[np.int64] = np.array(cumulative, np.int64)
    return np.diff(counts, prepend=np.int64(0))
