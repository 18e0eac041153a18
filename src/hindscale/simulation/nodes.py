"""The simulated cluster: machines that come and go, replicas bound to them, and what the machines cost.

A replica is a pod here, known by its number. The scheduler binds it to a node with room at once, or it waits.
The Cluster Autoscaler looks at every scan interval: it orders machines for those that wait, and lets machines
go. Times are whole nanoseconds; the autoscaler's rules see them in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple

import numpy as np

from hindscale.autoscalers.cluster_autoscaler.scheduling import fits
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeInfo, Pod, Resources, Taint
from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.core.service import ServiceProfile
from hindscale.simulation.cluster import Cluster, Placement, empty_node, replica_pod, require_schedulable
from hindscale.simulation.contract import to_ns
from hindscale.simulation.scans import Coming, Memory, ScanConfig, View, scan

__all__ = ["Bound", "SimulatedCluster"]

LONG_AFTER_S = 1e9  # no replica is new by then
TO_BE_DELETED = Taint(key="ToBeDeletedByClusterAutoscaler")


class Bound(NamedTuple):
    """A replica has a node, whose image is there, or will be, at a time."""

    pod: int
    image_at: int


@dataclass(slots=True, eq=False)
class _Machine:
    """A machine from its order to its end; `info` is what the autoscaler sees of it."""

    node: Node
    ordered_at: int
    runs_at: int
    ready_at: int
    pull_ns: int = 0
    image_at: int | None = None  # None while no replica has asked for the image
    pods: dict[int, Pod] = field(default_factory=dict)
    info: NodeInfo = field(init=False)

    def __post_init__(self) -> None:
        self.see()

    def see(self) -> None:
        """Bring `info` up to date."""
        self.info = NodeInfo.of(self.node, self.pods.values())


class SimulatedCluster:
    """Nodes of some pools in simulated time, and the replicas of one service on them.

    Attributes:
        cluster: The pools and the flags.
    """

    def __init__(self, cluster: Cluster, profile: ServiceProfile, seed: np.random.SeedSequence) -> None:
        self.cluster = cluster
        grace_s = math.inf if profile.drain_timeout_s is None else profile.drain_timeout_s
        self._pod = replica_pod(
            require_schedulable(cluster, profile),
            "replica",
            termination_grace_s=grace_s,
            safe_to_evict=cluster.safe_to_evict,
        )
        self._config = ScanConfig.of(cluster)
        self._memory = Memory()
        self._durations, self._choices = (np.random.default_rng(child) for child in seed.spawn(2))
        self._scan_ns = to_ns(cluster.scan_interval_s)
        self._next_scan = self._scan_ns
        self._pools = {pool.name: pool for pool in cluster.pools}
        self._serials = {name: count() for name in self._pools}
        self._waiting: dict[int, Pod] = {}
        self._machines: dict[str, _Machine] = {}  # those that take replicas, oldest first
        self._coming: dict[str, _Machine] = {}
        self._home: dict[int, _Machine] = {}
        self._ended_ns = dict.fromkeys(self._pools, 0)
        self._has_changed = True

    # -- what is known ----------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Replicas without a node."""
        return len(self._waiting)

    @property
    def next_visit(self) -> int:
        """When the cluster has to be visited next: at a scan, or when a node becomes ready."""
        return min([self._next_scan, *(machine.ready_at for machine in self._coming.values())])

    @property
    def infos(self) -> tuple[NodeInfo, ...]:
        """Nodes that take replicas, oldest first, with what is on them."""
        return tuple(machine.info for machine in self._machines.values())

    def running(self, now: int) -> int:
        """Machines that are paid for."""
        return sum(machine.runs_at <= now for machine in self._alive())

    def paid_ns(self, now: int) -> tuple[int, ...]:
        """Machine time paid for so far, from running to gone, by pool in the cluster's order."""
        paid = dict(self._ended_ns)
        for machine in self._alive():
            paid[machine.node.group] += max(0, now - machine.runs_at)
        return tuple(paid.values())

    def _alive(self) -> tuple[_Machine, ...]:
        return (*self._machines.values(), *self._coming.values())

    # -- replicas ---------------------------------------------------------------------------------

    def create(self, pod: int, now: int, requests: Amounts = NOTHING) -> None:
        """A replica is asked for; it waits until `schedule` finds it a node.

        Args:
            pod: Its number.
            now: Now.
            requests: Its CPU and memory; None for what the profile says.
        """
        asked = self._pod.requests
        if requests.cpu_millicores is not None:
            asked = replace(asked, cpu_millicores=requests.cpu_millicores)
        if requests.memory_bytes is not None:
            asked = replace(asked, memory_bytes=requests.memory_bytes)
        self._waiting[pod] = replace(self._pod, name=f"replica-{pod}", requests=asked, created_s=now / 1e9)

    def terminate(self, pod: int, now: int) -> None:
        """A replica begins to drain; it keeps its place until it has gone."""
        machine = self._home[pod]
        machine.pods[pod] = replace(machine.pods[pod], deleted_s=now / 1e9)
        self._see(machine)

    def remove(self, pod: int, at: int) -> None:
        """A replica has gone, or is no longer asked for; a node that was drained of it goes with the last one."""
        if self._waiting.pop(pod, None) is not None:
            return
        machine = self._home.pop(pod)
        del machine.pods[pod]
        self._see(machine)
        if machine.node.being_deleted and not machine.pods:
            self._end(machine.node.name, at)

    def schedule(self, now: int) -> list[Bound]:
        """Bind the replicas that wait to nodes with room, the first in line first."""
        bound: list[Bound] = []
        refused: set[Resources] = set()
        for number, pod in list(self._waiting.items()):
            machine = None if pod.requests in refused else self._node_for(pod)
            if machine is None:
                refused.add(pod.requests)
            else:
                bound.append(self._bind(number, machine, now))
        return bound

    def _node_for(self, pod: Pod) -> _Machine | None:
        able = [machine for machine in self._machines.values() if fits(pod, machine.info)]
        score = _SCORES[Placement(self.cluster.placement)]
        return max(able, key=lambda machine: score(pod, machine.info), default=None)

    def _bind(self, number: int, machine: _Machine, now: int) -> Bound:
        machine.pods[number] = self._waiting.pop(number)
        self._home[number] = machine
        self._see(machine)
        if machine.image_at is None:
            machine.image_at = now + machine.pull_ns
        return Bound(number, max(now, machine.image_at))

    def _see(self, machine: _Machine) -> None:
        machine.see()
        self._has_changed = True

    # -- nodes ------------------------------------------------------------------------------------

    def open(self) -> None:
        """The nodes that are there when the run begins, images and all: each pool's least, and what waits needs.

        Replicas for which the pools have no room wait.
        """
        for pool in self.cluster.pools:
            self._add_opened(pool.name, pool.min_nodes)
        config = replace(self._config, scale_down_enabled=False)
        increases = True
        while increases:
            view = View(now_s=LONG_AFTER_S, waiting=tuple(self._waiting.values()), nodes=self.infos, coming=())
            orders, _ = scan(view, Memory(), config, self._choices)
            increases = bool(orders.increases)
            for each in orders.increases:
                self._add_opened(each.group, each.new_size - each.current_size)

    def visit(self, now: int) -> list[int]:
        """Take in the nodes that have become ready and, if a scan is due, let the autoscaler decide.

        Returns:
            Replicas that have to leave their nodes.
        """
        for name in [name for name, machine in self._coming.items() if machine.ready_at <= now]:
            self._machines[name] = self._coming.pop(name)
            self._has_changed = True
        if now < self._next_scan:
            return []
        self._next_scan += self._scan_ns
        # Where nothing waits, has changed or is remembered, the autoscaler would find what it found before.
        if not self._waiting and not self._has_changed and self._memory.is_empty:
            return []
        return self._scan(now)

    def _scan(self, now: int) -> list[int]:
        coming = tuple(
            Coming(name=name, group=machine.node.group, since_s=machine.ordered_at / 1e9)
            for name, machine in self._coming.items()
        )
        view = View(now_s=now / 1e9, waiting=tuple(self._waiting.values()), nodes=self.infos, coming=coming)
        self._has_changed = False
        orders, self._memory = scan(view, self._memory, self._config, self._choices)
        for name in (*orders.given_back, *orders.deleted):
            self._end(name, now)
        for each in orders.increases:
            self._order(each.group, each.new_size - each.current_size, now)
        return [pod for name in orders.drained for pod in self._drain(self._machines[name])]

    def _drain(self, machine: _Machine) -> list[int]:
        machine.node = replace(machine.node, being_deleted=True, taints=(TO_BE_DELETED,))
        self._see(machine)
        return [number for number, pod in machine.pods.items() if pod.deleted_s is None]

    def _order(self, group: str, nodes: int, now: int) -> None:
        pool = self._pools[group]
        durations = (pool.machine_delay, pool.node_start, pool.image_pull)
        draws = [distribution.sample(self._durations, nodes).tolist() for distribution in durations]
        for delay_s, start_s, pull_s in zip(*draws, strict=True):
            machine = self._machine(group, now, now + to_ns(delay_s))
            machine.ready_at = machine.runs_at + to_ns(start_s)
            machine.pull_ns = to_ns(pull_s)
            self._coming[machine.node.name] = machine

    def _add_opened(self, group: str, nodes: int) -> None:
        for _ in range(nodes):
            machine = self._machine(group, 0, 0)
            machine.image_at = 0
            self._machines[machine.node.name] = machine

    def _machine(self, group: str, ordered_at: int, runs_at: int) -> _Machine:
        name = f"{group}-{next(self._serials[group])}"
        node = empty_node(self._pools[group], name, created_s=ordered_at / 1e9)
        return _Machine(node=node, ordered_at=ordered_at, runs_at=runs_at, ready_at=runs_at)

    def _end(self, name: str, at: int) -> None:
        machine = self._machines.pop(name, None) or self._coming.pop(name)
        self._ended_ns[machine.node.group] += max(0, at - machine.runs_at)
        self._has_changed = True


def _least_allocated(pod: Pod, info: NodeInfo) -> int:
    """The scheduler's score: free CPU and memory with the pod there, each in whole percent, mean."""
    free = info.node.allocatable.minus(info.used).minus(pod.requests)
    there = info.node.allocatable
    return (100 * free.cpu_millicores // there.cpu_millicores + 100 * free.memory_bytes // there.memory_bytes) // 2


def _most_allocated(pod: Pod, info: NodeInfo) -> int:
    """The scheduler's score: requested CPU and memory with the pod there, each in whole percent, mean."""
    used, there = info.used.plus(pod.requests), info.node.allocatable
    return (100 * used.cpu_millicores // there.cpu_millicores + 100 * used.memory_bytes // there.memory_bytes) // 2


_SCORES: dict[Placement, Callable[[Pod, NodeInfo], int]] = {
    Placement.LEAST_ALLOCATED: _least_allocated,
    Placement.MOST_ALLOCATED: _most_allocated,
}
