"""Sharing new nodes among similar groups, such as one kind of machine in several zones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hindscale.autoscalers.cluster_autoscaler.values import NodeGroup, NodeInfo, Resources

__all__ = ["IGNORED_LABELS", "GroupIncrease", "balance", "capped", "is_similar", "similar_groups"]

IGNORED_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "beta.kubernetes.io/fluentd-ds-ready",
        "kops.k8s.io/instancegroup",
    }
)
MAX_CAPACITY_MEMORY_DIFFERENCE_RATIO = 0.015
MAX_ALLOCATABLE_DIFFERENCE_RATIO = 0.05
MAX_FREE_DIFFERENCE_RATIO = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupIncrease:
    """A group's size before and after."""

    group: str
    current_size: int
    new_size: int
    max_size: int


def is_similar(one: NodeInfo, other: NodeInfo) -> bool:
    """Whether two templates are machines of one kind.

    Equal capacity but for 1.5 % of memory; allocatable and free amounts within 5 %; equal labels but for
    `IGNORED_LABELS`: host name, zone, region and two more.

    Source: Cluster Autoscaler `processors/nodegroupset/compare_nodegroups.go`.
    """
    capacities = one.node.full_capacity, other.node.full_capacity
    if set(capacities[0].names()) != set(capacities[1].names()):
        return False
    for name in capacities[0].names():
        ratio = MAX_CAPACITY_MEMORY_DIFFERENCE_RATIO if name == "memory" else 0.0
        if not _within(capacities[0].of(name), capacities[1].of(name), ratio):
            return False
    return (
        _all_within(one.node.allocatable, other.node.allocatable, MAX_ALLOCATABLE_DIFFERENCE_RATIO)
        and _all_within(_free(one), _free(other), MAX_FREE_DIFFERENCE_RATIO)
        and _compared_labels(one) == _compared_labels(other)
    )


def similar_groups(group: NodeGroup, groups: Iterable[NodeGroup]) -> tuple[NodeGroup, ...]:
    """The other groups that are similar to a group; none for one that scales from zero to all at once."""
    if group.is_atomic:
        return ()
    return tuple(other for other in groups if other.name != group.name and is_similar(group.template, other.template))


def balance(groups: Sequence[NodeGroup], new_nodes: int) -> tuple[GroupIncrease, ...]:
    """Share new nodes so that sizes become as equal as they can: each goes to the smallest group with room.

    Returns:
        Groups that grow; all the room there is if that is less than asked for.

    Source: Cluster Autoscaler `processors/nodegroupset/balancing_processor.go`.
    """
    growing = sorted((group for group in groups if group.headroom > 0), key=lambda group: group.target_size)
    sizes = [group.target_size for group in growing]
    left = min(new_nodes, sum(group.headroom for group in growing))
    start = index = 0  # groups before `start` are full; those from there to `index` have one node more than the next
    while left > 0:
        if sizes[index] < growing[index].max_size:
            sizes[index] += 1
            left -= 1
        else:
            growing[start], growing[index] = growing[index], growing[start]
            sizes[start], sizes[index] = sizes[index], sizes[start]
            start += 1
        has_smaller_next = index < len(sizes) - 1 and sizes[index] > sizes[index + 1]
        index = index + 1 if has_smaller_next else start
    increases = (
        GroupIncrease(group=group.name, current_size=group.target_size, new_size=size, max_size=group.max_size)
        for group, size in zip(growing, sizes, strict=True)
    )
    return tuple(each for each in increases if each.new_size > each.current_size)


def capped(increase: GroupIncrease, nodes: int) -> GroupIncrease:
    """The increase, by at most so many nodes."""
    return replace(increase, new_size=min(increase.new_size, increase.current_size + nodes))


def _within(one: int, other: int, ratio: float) -> bool:
    larger, smaller = max(one, other), min(one, other)
    return larger - smaller <= larger * ratio


def _all_within(one: Resources, other: Resources, ratio: float) -> bool:
    names = set(one.names()) | set(other.names())
    return set(one.names()) == set(other.names()) and all(_within(one.of(n), other.of(n), ratio) for n in names)


def _free(info: NodeInfo) -> Resources:
    return info.node.allocatable.minus(info.used)


def _compared_labels(info: NodeInfo) -> dict[str, str]:
    return {key: value for key, value in info.node.labels if key not in IGNORED_LABELS}
