"""How many nodes of a group some pods need: bin packing, first fit in decreasing order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hindscale.autoscalers.cluster_autoscaler.pending import PodGroup
from hindscale.autoscalers.cluster_autoscaler.scheduling import fits, place
from hindscale.autoscalers.cluster_autoscaler.values import NodeGroup, NodeInfo, Pod

__all__ = ["MAX_NODES_PER_SCALEUP", "Estimate", "estimate", "node_limit", "order_groups", "pod_score"]

MAX_NODES_PER_SCALEUP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Nodes that got a pod, and the pods placed on them."""

    nodes: int
    pods: tuple[Pod, ...]


def pod_score(pod: Pod, template: NodeInfo) -> float:
    """Cpu / allocatable cpu + memory / allocatable memory; accelerators do not count.

    Source: Cluster Autoscaler `estimator/decreasing_pod_orderer.go`.
    """
    allocatable, requests = template.node.allocatable, pod.requests
    score = 0.0
    if allocatable.cpu_millicores > 0:
        score += requests.cpu_millicores / allocatable.cpu_millicores
    if allocatable.memory_bytes > 0:
        score += requests.memory_bytes / allocatable.memory_bytes
    return score


def order_groups(groups: Iterable[PodGroup], template: NodeInfo) -> tuple[PodGroup, ...]:
    """The groups by the score of their pods, largest first; equal ones stay in order."""
    return tuple(sorted(groups, key=lambda group: -pod_score(group.exemplar, template)))


def node_limit(
    group: NodeGroup,
    *,
    similar: Iterable[NodeGroup] = (),
    max_nodes_total: int = 0,
    current_nodes: int = 0,
    max_nodes_per_scaleup: int = MAX_NODES_PER_SCALEUP,
) -> int:
    """How many nodes an estimate may add: the least of headroom, room in the cluster, and the limit a scale-up.

    Args:
        group: The group; its headroom and that of similar ones it shares nodes with.
        similar: Those.
        max_nodes_total: For the whole cluster; 0 for no limit.
        current_nodes: In the whole cluster.
        max_nodes_per_scaleup: 0 for no limit.

    Returns:
        A count >= 0.

    Source: Cluster Autoscaler `estimator/{sng_capacity,cluster_capacity,static}_threshold.go`.
    """
    limits = [group.headroom + sum(each.headroom for each in similar)]
    if max_nodes_total:
        limits.append(max(0, max_nodes_total - current_nodes))
    if max_nodes_per_scaleup:
        limits.append(max(0, max_nodes_per_scaleup))
    return min(limits)


def estimate(groups: Sequence[PodGroup], template: NodeInfo, *, limit: int | None = MAX_NODES_PER_SCALEUP) -> Estimate:
    """Pack pods onto as many new nodes as they need.

    Largest groups first. A pod goes to the first node added so far that it fits; if it fits none, a node is
    added, within the limit. A group is given up when the node added last is still empty: a further one would
    not help either. Nodes that stay empty are not counted.

    Args:
        groups: Pods that each fit on an empty template.
        template: What is added.
        limit: Nodes that may be added, 0 for none; None for no limit.

    Source: Cluster Autoscaler `estimator/binpacking_estimator.go`.
    """
    packing = _Packing(template=template, limit=limit)
    for group in order_groups(groups, template):
        left = packing.fill(group.pods)
        packing.extend(left)
    return Estimate(nodes=sum(packing.has_pod), pods=tuple(packing.placed))


@dataclass(slots=True, kw_only=True)
class _Packing:
    """The nodes of one estimate while it is made."""

    template: NodeInfo
    limit: int | None
    nodes: list[NodeInfo] = field(default_factory=list)
    has_pod: list[bool] = field(default_factory=list)
    placed: list[Pod] = field(default_factory=list)

    def fill(self, pods: Sequence[Pod]) -> Sequence[Pod]:
        """Put equal pods on the nodes added so far; those from the first one on that fits none are left."""
        index: int | None = 0
        for count, pod in enumerate(pods):
            index = place(pod, self.nodes, start=index or 0)  # equal pods: where one did not fit, none will
            if index is None:
                return pods[count:]
            self._put(pod, index)
        return ()

    def extend(self, pods: Sequence[Pod]) -> None:
        """Put equal pods on the node added last, adding one whenever it is full."""
        for pod in pods:
            if not (self.nodes and fits(pod, self.nodes[-1])):
                last_is_empty = bool(self.nodes) and not self.has_pod[-1]
                if last_is_empty or (self.limit is not None and len(self.nodes) >= self.limit):
                    return
                self.nodes.append(self.template)
                self.has_pod.append(False)
                if not fits(pod, self.nodes[-1]):
                    return
            self._put(pod, len(self.nodes) - 1)

    def _put(self, pod: Pod, index: int) -> None:
        self.nodes[index] = self.nodes[index].with_pod(pod)
        self.has_pod[index] = True
        self.placed.append(pod)
