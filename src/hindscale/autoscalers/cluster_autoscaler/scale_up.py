"""One loop's scale-up: which pods need nodes, what each group could do for them, the choice, and its limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hindscale.autoscalers.cluster_autoscaler.balancing import GroupIncrease, balance, capped, similar_groups
from hindscale.autoscalers.cluster_autoscaler.expanders import Option, Pricing, choose
from hindscale.autoscalers.cluster_autoscaler.options import (
    SCALE_UP_DEFAULTS,
    ScaleUpConfig,
    expansion_option,
    quota_room,
    schedulable_groups,
    skip_reason,
)
from hindscale.autoscalers.cluster_autoscaler.pending import (
    PodGroup,
    filter_expendable,
    filter_schedulable,
    filter_young,
    group_pods,
    pods_are_new,
)
from hindscale.autoscalers.cluster_autoscaler.provisioning import (
    NOTHING_ORDERED,
    PROVISIONING_DEFAULTS,
    ProvisioningConfig,
    ProvisioningState,
    Readiness,
    upcoming_infos,
)
from hindscale.autoscalers.cluster_autoscaler.values import NO_RESOURCES, NodeGroup, NodeInfo, Pod, Resources

__all__ = ["ScaleUpPlan", "plan_scale_up", "pods_to_help"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUpPlan:
    """What one loop orders.

    Attributes:
        result: `NotNeeded`, `InCooldown` (waiting for more pods; no scale-down in this loop either),
            `NoOptionsAvailable` or `Successful`.
        increases: Groups that grow.
        reason: In one line.
        pods: Those the nodes are for.
    """

    result: str
    increases: tuple[GroupIncrease, ...] = ()
    reason: str
    pods: tuple[Pod, ...] = ()


def pods_to_help(
    pods: Iterable[Pod],
    nodes: Sequence[NodeInfo],
    upcoming: Sequence[NodeInfo],
    now_s: float,
    config: ScaleUpConfig = SCALE_UP_DEFAULTS,
) -> tuple[Pod, ...]:
    """The unschedulable pods that nodes should be added for.

    Without the expendable ones, those that fit on nodes there or upcoming, and those that are too young.

    Args:
        pods: That the scheduler marked unschedulable.
        nodes: With their pods.
        upcoming: Ordered, not there; empty.
        now_s: Now.
        config: Cutoff and delay.
    """
    needed = filter_expendable(pods, config.expendable_pods_priority_cutoff)
    left, _ = filter_schedulable(needed, (*nodes, *upcoming))
    return filter_young(left, now_s, config.new_pod_scale_up_delay_s)


def plan_scale_up(
    pods: Collection[Pod],
    nodes: Sequence[NodeInfo],
    groups: Sequence[NodeGroup],
    now_s: float,
    rng: np.random.Generator,
    *,
    readiness: Mapping[str, Readiness] | None = None,
    state: ProvisioningState = NOTHING_ORDERED,
    config: ScaleUpConfig = SCALE_UP_DEFAULTS,
    provisioning: ProvisioningConfig = PROVISIONING_DEFAULTS,
    pricing: Pricing | None = None,
    tiers: Mapping[int, Iterable[str]] | None = None,
) -> ScaleUpPlan:
    """What one loop orders for the pods that the scheduler marked unschedulable: one option, the rest next time.

    Args:
        pods: Unschedulable ones.
        nodes: Registered ones with their pods.
        groups: All node groups.
        now_s: Now.
        rng: Chooses among equal options.
        readiness: Of each group's nodes; a group without an entry has none.
        state: Orders and backoffs.
        config: The flags of scaling up.
        provisioning: The flags of health and backoff.
        pricing: Needed by the expander `price`.
        tiers: Needed by the expander `priority`.

    Source: Cluster Autoscaler `core/static_autoscaler.go`, `core/scaleup/orchestrator/orchestrator.go`.
    """
    readiness = readiness or {}
    upcoming = upcoming_infos(groups, readiness)
    waiting = pods_to_help(pods, nodes, upcoming, now_s, config)
    ready_nodes = sum(info.node.is_ready for info in nodes)
    # The loop is entered by what is ready; what it may add is counted from what is on its way, too.
    current_nodes = ready_nodes + len(upcoming)
    if not waiting:
        return ScaleUpPlan(result="NotNeeded", reason="no unschedulable pods")
    if 0 < config.max_nodes_total <= ready_nodes:
        return ScaleUpPlan(result="NoOptionsAvailable", reason="max total nodes in cluster reached")
    if pods_are_new(waiting, now_s):
        return ScaleUpPlan(result="InCooldown", reason="unschedulable pods are very new, waiting for more")
    used = _capacity_ordered(nodes, groups)
    skipped = {
        group.name: skip_reason(
            group,
            readiness.get(group.name),
            state,
            now_s,
            room=_room(group, used, current_nodes, config),
            config=provisioning,
        )
        for group in groups
    }
    able = tuple(group for group in groups if not skipped[group.name])
    pod_groups = group_pods(waiting)
    options = [
        expansion_option(
            group,
            pod_groups,
            similar=_partners(group, able, pod_groups, config),
            current_nodes=current_nodes,
            config=config,
        )
        for group in able
    ]
    best = choose([each for each in options if each], config.expander, rng, pricing=pricing, tiers=tiers)
    if best is None:
        return ScaleUpPlan(result="NoOptionsAvailable", reason=_why_none(skipped))
    return _limited(best, able, pod_groups, used, current_nodes, config)


def _limited(
    best: Option,
    groups: Sequence[NodeGroup],
    pod_groups: Sequence[PodGroup],
    used: Resources,
    current_nodes: int,
    config: ScaleUpConfig,
) -> ScaleUpPlan:
    """The chosen option within the cluster's, the quotas' and the groups' limits, shared among similar groups."""
    chosen = next(group for group in groups if group.name == best.group)
    new_nodes = best.node_count
    if config.max_nodes_total:
        new_nodes = min(new_nodes, config.max_nodes_total - current_nodes)
    new_nodes = quota_room(chosen.template, used, new_nodes, config)
    templates = {group.name: group.template for group in groups}
    increases = []
    for increase in balance((chosen, *_partners(chosen, groups, pod_groups, config)), new_nodes):
        template = templates[increase.group]
        wanted = increase.new_size - increase.current_size
        allowed = capped(increase, quota_room(template, used, wanted, config))
        used = used.plus(template.node.full_capacity.times(allowed.new_size - allowed.current_size))
        increases.append(allowed)
    growing = tuple(each for each in increases if each.new_size > each.current_size)
    if not growing:
        return ScaleUpPlan(result="NoOptionsAvailable", reason="max cluster limit reached", pods=best.pods)
    sizes = ", ".join(f"{each.group} {each.current_size} -> {each.new_size} (max {each.max_size})" for each in growing)
    return ScaleUpPlan(result="Successful", increases=growing, reason=f"scale-up: {sizes}", pods=best.pods)


def _room(group: NodeGroup, used: Resources, current_nodes: int, config: ScaleUpConfig) -> int:
    room = quota_room(group.template, used, group.headroom, config)
    if group.is_atomic and config.max_nodes_total:
        room = min(room, config.max_nodes_total - current_nodes)
    return room


def _partners(
    group: NodeGroup, groups: Sequence[NodeGroup], pod_groups: Sequence[PodGroup], config: ScaleUpConfig
) -> tuple[NodeGroup, ...]:
    """Similar groups that could run all the pods that this one could."""
    if not config.balance_similar_node_groups:
        return ()
    own = schedulable_groups(pod_groups, group)
    return tuple(
        other for other in similar_groups(group, groups) if set(own) <= set(schedulable_groups(pod_groups, other))
    )


def _capacity_ordered(nodes: Iterable[NodeInfo], groups: Iterable[NodeGroup]) -> Resources:
    """Capacity of all nodes: those of groups by their target size, the others as they are."""
    total, names = NO_RESOURCES, set()
    for group in groups:
        names.add(group.name)
        total = total.plus(group.template.node.full_capacity.times(group.target_size))
    for info in nodes:
        if info.node.group not in names:
            total = total.plus(info.node.full_capacity)
    return total


def _why_none(skipped: Mapping[str, str]) -> str:
    reasons = [f"{group}: {reason}" for group, reason in skipped.items() if reason]
    return "no expansion options" + (f" ({'; '.join(reasons)})" if reasons else "")
