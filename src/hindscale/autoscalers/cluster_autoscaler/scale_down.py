"""One loop's scale-down: which nodes are unneeded, for how long, and which of them go now.

A node is unneeded if it is little used by requests and all its pods fit elsewhere; unneeded for more than
10 min without a break, it goes, unless the cluster grew in the last 10 min.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.budgets import ToDelete, crop_to_budgets, group_nodes
from hindscale.autoscalers.cluster_autoscaler.candidates import SCAN_INTERVAL_S, unneeded_limit
from hindscale.autoscalers.cluster_autoscaler.drain import pods_to_move
from hindscale.autoscalers.cluster_autoscaler.eligibility import (
    SCALE_DOWN_DEFAULTS,
    Removable,
    ScaleDownConfig,
    ScaleDownState,
    ScaleDownTimes,
    Unremovable,
    ineligible_reason,
)
from hindscale.autoscalers.cluster_autoscaler.scheduling import place_all
from hindscale.autoscalers.cluster_autoscaler.values import NO_RESOURCES, Node, NodeGroup, NodeInfo, Resources

__all__ = ["cooldown_reason", "nodes_to_delete", "removable_now", "update_unneeded"]


def cooldown_reason(
    times: ScaleDownTimes,
    now_s: float,
    *,
    waiting_for_pods: bool = False,
    config: ScaleDownConfig = SCALE_DOWN_DEFAULTS,
) -> str:
    """Why no node goes in this loop; empty if one may. At the very end of a delay it may.

    A loop that ordered nodes ends before scaling down, so ask only in loops that did not.

    Args:
        times: When things last happened.
        now_s: Now.
        waiting_for_pods: Whether scale-up waited for more pods in this loop.
        config: The delays.
    """
    if waiting_for_pods:
        return "waiting for more unschedulable pods"
    delays = (
        ("scale-up", times.scaled_up_s, config.scale_down_delay_after_add_s),
        ("failed scale-down", times.failed_s, config.scale_down_delay_after_failure_s),
        ("scale-down", times.deleted_s, config.scale_down_delay_after_delete_s),
    )
    for what, last_s, delay_s in delays:
        if not config.scale_down_delay_type_local and last_s is not None and last_s + delay_s > now_s:
            return f"{delay_s:g} s after {what} not over"
    return ""


def update_unneeded(
    state: ScaleDownState,
    nodes: Sequence[NodeInfo],
    now_s: float,
    groups: Iterable[NodeGroup],
    *,
    budgets: Mapping[str, int] | None = None,
    candidates: Collection[str] | None = None,
    loop_interval_s: float = SCAN_INTERVAL_S,
    config: ScaleDownConfig = SCALE_DOWN_DEFAULTS,
) -> ScaleDownState:
    """Look at every node in turn: unneeded ones keep the time they became so, others lose it.

    A node's pods must fit on other nodes that are not under deletion, with the pods of nodes picked before it there
    already and those nodes gone; the disruption budgets of those pods are used up too. A node whose pods do not fit,
    or that a pod blocks, is not looked at again for 5 min. Beyond `unneeded_limit` nodes are passed over.

    Args:
        state: After the last loop.
        nodes: Registered ones with their pods, in the order in which they are looked at.
        now_s: Now.
        groups: The autoscaled ones.
        budgets: Disruptions that each disruption budget allows.
        candidates: Names of nodes that may be unneeded, from `scale_down_candidates`; None for all.
        loop_interval_s: Between loops.
        config: Thresholds and times.

    Source: Cluster Autoscaler `core/scaledown/planner/planner.go`.
    """
    groups = tuple(groups)
    names = {group.name for group in groups}
    since_s = {each.node: each.since_s for each in state.unneeded}
    present = {info.node.name for info in nodes}
    recheck = [(name, until_s) for name, until_s in state.recheck if until_s > now_s and name in present]
    atomic = {group.name for group in groups if group.is_atomic}
    limit = unneeded_limit(len(state.unneeded), config, loop_interval_s=loop_interval_s)
    simulation = _Simulation(nodes=list(nodes), budgets=dict(budgets or {}), now_s=now_s, config=config)
    unneeded: list[Removable] = []
    unremovable: list[Unremovable] = []
    for info in nodes:
        name = info.node.name
        if candidates is not None and name not in candidates:
            continue
        reason = ineligible_reason(info, state, now_s, names, config)
        if reason:
            unremovable.append(Unremovable(node=name, reason=reason))
        elif info.node.group in atomic or limit > 0:
            found = simulation.remove(name, since_s.get(name, now_s))
            if isinstance(found, Removable):
                unneeded.append(found)
                limit -= info.node.group not in atomic
            else:
                unremovable.append(found)
                recheck.append((name, now_s + config.unremovable_node_recheck_timeout_s))
    return ScaleDownState(unneeded=tuple(unneeded), recheck=tuple(recheck), unremovable=tuple(unremovable))


def removable_now(
    state: ScaleDownState,
    nodes: Sequence[NodeInfo],
    groups: Iterable[NodeGroup],
    now_s: float,
    *,
    deletions_in_progress: Mapping[str, int] | None = None,
    config: ScaleDownConfig = SCALE_DOWN_DEFAULTS,
) -> tuple[tuple[Removable, ...], tuple[Unremovable, ...]]:
    """The unneeded nodes that may go, and those that may not yet and why. Empty ones come first, risky ones last.

    A node goes when it was unneeded for more than 10 min (20 if unready), its group stays at or above its
    minimum, and the cluster keeps its least resources.

    Args:
        state: With the unneeded nodes.
        nodes: Registered ones.
        groups: The autoscaled ones.
        now_s: Now.
        deletions_in_progress: Nodes of each group under deletion.
        config: Times and limits.

    Source: Cluster Autoscaler `core/scaledown/unneeded/nodes.go`.
    """
    by_name = {info.node.name: info for info in nodes}
    sizes = {group.name: group.target_size - (deletions_in_progress or {}).get(group.name, 0) for group in groups}
    least = {group.name: group.min_size for group in groups}
    kept = NO_RESOURCES
    for info in nodes:
        if not info.node.being_deleted:
            kept = kept.plus(info.node.full_capacity)
    going: list[Removable] = []
    staying: list[Unremovable] = []
    for each in sorted(state.unneeded, key=lambda unneeded: (unneeded.needs_drain, unneeded.is_risky)):
        info = by_name[each.node]
        after = kept.minus(info.node.full_capacity)
        reason = _too_early(each, info, now_s, config) or _below_minimum(info.node, sizes, least, after, config)
        if reason:
            staying.append(Unremovable(node=each.node, reason=reason))
        else:
            going.append(each)
            sizes[info.node.group] -= 1
            kept = after
    return tuple(going), tuple(staying)


def nodes_to_delete(
    removable: Iterable[Removable],
    nodes: Sequence[NodeInfo],
    groups: Iterable[NodeGroup],
    *,
    empty_in_progress: int = 0,
    drain_in_progress: int = 0,
    config: ScaleDownConfig = SCALE_DOWN_DEFAULTS,
) -> ToDelete:
    """The removable nodes that go now, within the limits on parallel deletions; of atomic groups all or none.

    Args:
        removable: From `removable_now`.
        nodes: Registered ones.
        groups: The autoscaled ones.
        empty_in_progress: Nodes under deletion without a drain.
        drain_in_progress: Nodes being drained.
        config: The limits.
    """
    group_of = {info.node.name: info.node.group for info in nodes}
    registered = Counter(group_of.values())
    atomic = {group.name: (group.target_size, registered[group.name]) for group in groups if group.is_atomic}
    pairs = [(each.needs_drain, (each.node, group_of[each.node])) for each in removable]
    return crop_to_budgets(
        group_nodes((pair for needs_drain, pair in pairs if not needs_drain), atomic),
        group_nodes((pair for needs_drain, pair in pairs if needs_drain), atomic),
        empty_in_progress=empty_in_progress,
        drain_in_progress=drain_in_progress,
        atomic_sizes=atomic,
        config=config.budgets,
    )


@dataclass(slots=True, kw_only=True)
class _Simulation:
    """The cluster while one node after the other is taken out of it."""

    nodes: list[NodeInfo]
    budgets: dict[str, int]
    now_s: float
    config: ScaleDownConfig

    def remove(self, name: str, since_s: float) -> Removable | Unremovable:
        """Take a node out and its pods to others, or say why it stays."""
        info = next(each for each in self.nodes if each.node.name == name)
        drain = pods_to_move(info, self.now_s, self.budgets, self.config.drain)
        if drain.blocked_by:
            return Unremovable(node=name, reason="BlockedByPod", detail=drain.blocked_by)
        others = [each for each in self.nodes if each is not info and not each.node.being_deleted]
        left, moved = place_all(drain.pods, others)
        if left:
            return Unremovable(node=name, reason="NoPlaceToMovePods", detail=left[0].name)
        self.nodes = list(moved)
        for budget in (budget for pod in drain.pods for budget in pod.disruption_budgets):
            self.budgets[budget] -= 1
        return Removable(node=name, since_s=since_s, needs_drain=bool(drain.pods), is_risky=drain.is_risky)


def _too_early(each: Removable, info: NodeInfo, now_s: float, config: ScaleDownConfig) -> str:
    if info.node.scale_down_disabled:
        return "ScaleDownDisabledAnnotation"
    if info.node.is_ready:
        return "" if each.since_s + config.scale_down_unneeded_time_s < now_s else "NotUnneededLongEnough"
    return "" if each.since_s + config.scale_down_unready_time_s < now_s else "NotUnreadyLongEnough"


def _below_minimum(
    node: Node, sizes: Mapping[str, int], least: Mapping[str, int], after: Resources, config: ScaleDownConfig
) -> str:
    if node.group not in sizes:
        return "NotAutoscaled"
    if sizes[node.group] <= least[node.group]:
        return "NodeGroupMinSizeReached"
    # A node without a resource, such as one without GPUs, does not take away from what is left of it.
    if any(node.full_capacity.of(name) and after.of(name) < minimum for name, minimum in config.min_resources):
        return "MinimalResourceLimitExceeded"
    return ""
