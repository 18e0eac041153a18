"""Which pod fits which node: the scheduler's filters for requests, ports, labels, taints and pod counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeInfo, Pod, Taint, Toleration

__all__ = ["fits", "place", "place_all", "why_not"]


def fits(pod: Pod, info: NodeInfo) -> bool:
    """Whether a pod passes all filters on a node."""
    return not why_not(pod, info)


def why_not(pod: Pod, info: NodeInfo) -> str:
    """The first filter that a pod fails on a node, in the scheduler's words; empty if it fits.

    Emulated are requests, pod count, host ports, node selector and taints, and that the node is ready. Not
    emulated are affinities, topology spreading and volumes.

    Source: kube-scheduler's TaintToleration, NodeAffinity (selector), NodePorts, NodeResourcesFit, in that order.
    """
    node = info.node
    if not node.is_ready:
        return "node is not ready"
    untolerated = _untolerated(pod, node)
    if untolerated is not None:
        return f"node(s) had untolerated taint {{{untolerated.key}: {untolerated.value}}}"
    if not set(pod.node_selector) <= set(node.labels):
        return "node(s) didn't match Pod's node affinity/selector"
    if pod.host_ports and set(pod.host_ports) & {port for other in info.pods for port in other.host_ports}:
        return "node(s) didn't have free ports for the requested pod ports"
    return _insufficient(pod, info)


def place(pod: Pod, infos: Sequence[NodeInfo], *, start: int = 0) -> int | None:
    """Index of the first node from `start` on that the pod fits; None if there is none."""
    return next((index for index in range(start, len(infos)) if fits(pod, infos[index])), None)


def place_all(pods: Iterable[Pod], infos: Sequence[NodeInfo]) -> tuple[tuple[Pod, ...], tuple[NodeInfo, ...]]:
    """Put pods on nodes first-fit: the pods that fit nowhere, and the nodes with the others on them."""
    nodes, left = list(infos), []
    for pod in pods:
        index = place(pod, nodes)
        if index is None:
            left.append(pod)
        else:
            nodes[index] = nodes[index].with_pod(pod)
    return tuple(left), tuple(nodes)


def _insufficient(pod: Pod, info: NodeInfo) -> str:
    if len(info.pods) >= info.node.max_pods:
        return "Too many pods"
    allocatable, used, wanted = info.node.allocatable, info.used, pod.requests
    # A resource that is not asked for is not checked, even on a node that is overcommitted already.
    if 0 < wanted.cpu_millicores > allocatable.cpu_millicores - used.cpu_millicores:
        return "Insufficient cpu"
    if 0 < wanted.memory_bytes > allocatable.memory_bytes - used.memory_bytes:
        return "Insufficient memory"
    for name, count in wanted.extended:
        if 0 < count > allocatable.of(name) - used.of(name):
            return f"Insufficient {name}"
    return ""


def _untolerated(pod: Pod, node: Node) -> Taint | None:
    return next(
        (
            taint
            for taint in node.taints
            if taint.effect != "PreferNoSchedule" and not any(_tolerates(each, taint) for each in pod.tolerations)
        ),
        None,
    )


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in {"", taint.effect}:
        return False
    if toleration.operator == "Exists":
        return toleration.key in {"", taint.key}
    return (toleration.key, toleration.value) == (taint.key, taint.value)
