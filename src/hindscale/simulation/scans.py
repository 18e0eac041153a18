"""One loop of the Cluster Autoscaler over simulated nodes: what it sees, what it orders, what it remembers.

The rules are those of `hindscale.autoscalers.cluster_autoscaler`; here they are put in the original's order:
orders that were filled or timed out, nodes that never came, scale-up, and, unless that did something, scale-down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hindscale.autoscalers.cluster_autoscaler.balancing import GroupIncrease
from hindscale.autoscalers.cluster_autoscaler.budgets import BudgetConfig, ToDelete
from hindscale.autoscalers.cluster_autoscaler.candidates import scale_down_candidates
from hindscale.autoscalers.cluster_autoscaler.drain import DrainConfig
from hindscale.autoscalers.cluster_autoscaler.eligibility import ScaleDownConfig, ScaleDownState, ScaleDownTimes
from hindscale.autoscalers.cluster_autoscaler.options import ScaleUpConfig
from hindscale.autoscalers.cluster_autoscaler.provisioning import (
    NOTHING_ORDERED,
    ProvisioningConfig,
    ProvisioningState,
    Readiness,
    UnregisteredNode,
    group_readiness,
    register_scale_up,
    update_requests,
)
from hindscale.autoscalers.cluster_autoscaler.scale_down import (
    cooldown_reason,
    nodes_to_delete,
    removable_now,
    update_unneeded,
)
from hindscale.autoscalers.cluster_autoscaler.scale_up import ScaleUpPlan, plan_scale_up
from hindscale.autoscalers.cluster_autoscaler.values import NodeGroup, NodeInfo, Pod
from hindscale.simulation.cluster import Cluster, NodePool, empty_node

__all__ = ["Coming", "Memory", "Orders", "ScanConfig", "View", "scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A node that was ordered and does not take replicas yet."""

    name: str
    group: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the autoscaler sees at one loop.

    Attributes:
        now_s: Now.
        waiting: Pods that fit on no node, oldest first.
        nodes: Registered nodes with their pods, oldest first; those being drained are marked.
        coming: Nodes that were ordered.
    """

    now_s: float
    waiting: tuple[Pod, ...]
    nodes: tuple[NodeInfo, ...]
    coming: tuple[Coming, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What it remembers from loop to loop; it starts empty."""

    provisioning: ProvisioningState = NOTHING_ORDERED
    scale_down: ScaleDownState = field(default_factory=ScaleDownState)
    times: ScaleDownTimes = field(default_factory=ScaleDownTimes)

    @property
    def is_empty(self) -> bool:
        """Whether the next loop does nothing if it sees what the last one saw."""
        state = self.scale_down
        return not (state.unneeded or state.recheck or self.provisioning.requests or self.provisioning.backoffs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What one loop orders.

    Attributes:
        increases: Groups that grow.
        given_back: Ordered nodes that did not come in time.
        deleted: Empty nodes that go now.
        drained: Nodes that go when their pods have gone.
    """

    increases: tuple[GroupIncrease, ...] = ()
    given_back: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    drained: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanConfig:
    """A cluster in the autoscaler's own terms."""

    groups: tuple[NodeGroup, ...]
    up: ScaleUpConfig
    down: ScaleDownConfig
    provisioning: ProvisioningConfig
    tiers: dict[int, tuple[str, ...]]
    scale_down_enabled: bool
    scan_interval_s: float

    @classmethod
    def of(cls, cluster: Cluster) -> ScanConfig:
        """Translate the flags."""
        priorities = {pool.priority for pool in cluster.pools}
        return cls(
            groups=tuple(_group(pool) for pool in cluster.pools),
            up=ScaleUpConfig(
                new_pod_scale_up_delay_s=cluster.new_pod_scale_up_delay_s,
                max_nodes_total=cluster.max_nodes_total,
                expander=cluster.expander,
                balance_similar_node_groups=cluster.balance_similar_node_groups,
            ),
            down=_scale_down(cluster),
            provisioning=ProvisioningConfig(max_node_provision_time_s=cluster.max_node_provision_time_s),
            tiers={
                priority: tuple(f"^{re.escape(pool.name)}$" for pool in cluster.pools if pool.priority == priority)
                for priority in priorities
            },
            scale_down_enabled=cluster.scale_down_enabled,
            scan_interval_s=cluster.scan_interval_s,
        )

    def sized(self, view: View) -> tuple[NodeGroup, ...]:
        """The groups with the number of nodes that are there or ordered."""
        sizes = Counter(info.node.group for info in view.nodes) + Counter(each.group for each in view.coming)
        return tuple(replace(group, target_size=sizes[group.name]) for group in self.groups)


def scan(view: View, memory: Memory, config: ScanConfig, rng: np.random.Generator) -> tuple[Orders, Memory]:
    """One loop: what is ordered, and what is remembered.

    Args:
        view: What is seen.
        memory: Of the last loop.
        config: The flags.
        rng: Chooses among equal pools.

    Source: Cluster Autoscaler `core/static_autoscaler.go`.
    """
    groups, readiness = config.sized(view), _readiness(view, config)
    updated = update_requests(memory.provisioning, groups, readiness, view.now_s, config.provisioning)
    memory = replace(memory, provisioning=updated.state)
    given_back = _never_came(view, config)
    view = replace(view, coming=tuple(each for each in view.coming if each.name not in given_back))
    plan = _plan(view, memory, config, rng)
    if plan.increases:
        return Orders(increases=plan.increases, given_back=given_back), _with_orders(memory, plan, view.now_s, config)
    if not config.scale_down_enabled:
        return Orders(given_back=given_back), memory
    going, memory = _scale_down_step(view, memory, config, waits=plan.result == "InCooldown")
    deleted, drained = ([node for each in views for node in each.nodes] for views in (going.empty, going.drain))
    return Orders(given_back=given_back, deleted=tuple(deleted), drained=tuple(drained)), memory


def _plan(view: View, memory: Memory, config: ScanConfig, rng: np.random.Generator) -> ScaleUpPlan:
    if not view.waiting:
        return ScaleUpPlan(result="NotNeeded", reason="no unschedulable pods")
    return plan_scale_up(
        view.waiting,
        view.nodes,
        config.sized(view),
        view.now_s,
        rng,
        readiness=_readiness(view, config),
        state=memory.provisioning,
        config=config.up,
        provisioning=config.provisioning,
        tiers=config.tiers,
    )


def _with_orders(memory: Memory, plan: ScaleUpPlan, now_s: float, config: ScanConfig) -> Memory:
    state = memory.provisioning
    for each in plan.increases:
        state = register_scale_up(state, each.group, each.new_size - each.current_size, now_s, config.provisioning)
    return replace(memory, provisioning=state, times=replace(memory.times, scaled_up_s=now_s))


def _scale_down_step(view: View, memory: Memory, config: ScanConfig, *, waits: bool) -> tuple[ToDelete, Memory]:
    """Nodes that go now, and the memory of those that are unneeded."""
    nodes, groups = _candidates(view.nodes, memory.scale_down), config.sized(view)
    state = update_unneeded(
        memory.scale_down,
        nodes,
        view.now_s,
        groups,
        candidates=scale_down_candidates((info.node for info in nodes), groups, view.now_s),
        loop_interval_s=config.scan_interval_s,
        config=config.down,
    )
    memory = replace(memory, scale_down=state)
    if not state.unneeded or cooldown_reason(memory.times, view.now_s, waiting_for_pods=waits, config=config.down):
        return ToDelete(), memory
    draining = Counter(info.node.group for info in nodes if info.node.being_deleted)
    removable, _ = removable_now(state, nodes, groups, view.now_s, deletions_in_progress=draining, config=config.down)
    going = nodes_to_delete(removable, nodes, groups, drain_in_progress=draining.total(), config=config.down)
    if going.empty or going.drain:
        memory = replace(memory, times=replace(memory.times, deleted_s=view.now_s))
    return going, memory


def _candidates(nodes: Sequence[NodeInfo], state: ScaleDownState) -> tuple[NodeInfo, ...]:
    """The order in which nodes are looked at: empty ones, then those that were unneeded, then the others."""
    before = {each.node for each in state.unneeded}
    return tuple(sorted(nodes, key=lambda info: (bool(info.pods), info.node.name not in before)))


def _readiness(view: View, config: ScanConfig) -> dict[str, Readiness]:
    """By group, for those that have a node or will have one."""
    nodes = [info.node for info in view.nodes]
    unregistered = [UnregisteredNode(group=each.group, since_s=each.since_s) for each in view.coming]
    present = {node.group for node in nodes} | {each.group for each in unregistered}
    return {
        group.name: group_readiness(nodes, unregistered, group.name, view.now_s, config.provisioning)
        for group in config.groups
        if group.name in present
    }


def _never_came(view: View, config: ScanConfig) -> tuple[str, ...]:
    """Ordered nodes that are overdue, as far as their group stays at its minimum."""
    gone: list[str] = []
    for group in config.sized(view):
        overdue = [
            each.name
            for each in view.coming
            if each.group == group.name and each.since_s + config.provisioning.max_node_provision_time_s < view.now_s
        ]
        gone += overdue[: max(0, group.target_size - group.min_size)]
    return tuple(gone)


def _group(pool: NodePool) -> NodeGroup:
    return NodeGroup(
        name=pool.name,
        min_size=pool.min_nodes,
        max_size=pool.max_nodes,
        template=NodeInfo.of(empty_node(pool, f"{pool.name}-template")),
    )


def _scale_down(cluster: Cluster) -> ScaleDownConfig:
    return ScaleDownConfig(
        scale_down_unneeded_time_s=cluster.scale_down_unneeded_time_s,
        scale_down_utilization_threshold=cluster.scale_down_utilization_threshold,
        scale_down_gpu_utilization_threshold=cluster.scale_down_gpu_utilization_threshold,
        scale_down_delay_after_add_s=cluster.scale_down_delay_after_add_s,
        scale_down_delay_after_delete_s=cluster.scale_down_delay_after_delete_s,
        drain=DrainConfig(max_graceful_termination_s=cluster.max_graceful_termination_s),
        budgets=BudgetConfig(
            max_scale_down_parallelism=cluster.max_scale_down_parallelism,
            max_drain_parallelism=cluster.max_drain_parallelism,
        ),
    )
