"""How full a node is, by requests: of its accelerator alone if it has one, else the fuller of CPU and memory."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.values import NodeInfo, Pod

__all__ = ["LONG_TERMINATING_S", "Utilization", "is_long_terminating", "node_utilization", "resource_utilization"]

LONG_TERMINATING_S = 30.0  # beyond its grace period; such a pod counts as gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilization:
    """The resource that decides and its share of allocatable that is requested; cpu and memory apart.

    `cpu` and `memory` are None on a node with an accelerator, where they are not looked at.
    """

    share: float
    resource: str
    cpu: float | None = None
    memory: float | None = None


def node_utilization(
    info: NodeInfo,
    now_s: float,
    *,
    ignore_daemon_sets: bool = False,
    ignore_mirror_pods: bool = False,
) -> Utilization:
    """Requests / allocatable: accelerators alone on a node with one, else the larger of CPU and memory.

    A node whose accelerator is not advertised counts as 0, so that it can be removed. So does one that lacks
    CPU or memory, which the original reports as an error.

    Args:
        info: The node with its pods.
        now_s: Now; pods long past their termination do not count.
        ignore_daemon_sets: Whether DaemonSet pods are taken off both requests and allocatable.
        ignore_mirror_pods: Likewise.

    Source: Cluster Autoscaler `simulator/utilization/info.go`.
    """

    def share(resource: str) -> float | None:
        return resource_utilization(
            info, resource, now_s, ignore_daemon_sets=ignore_daemon_sets, ignore_mirror_pods=ignore_mirror_pods
        )

    gpu = info.node.gpu
    if gpu:
        return Utilization(share=share(gpu) or 0.0, resource=gpu)
    cpu, memory = share("cpu"), share("memory")
    if cpu is None or memory is None:
        return Utilization(share=0.0, resource="")
    return Utilization(share=max(cpu, memory), resource="cpu" if cpu > memory else "memory", cpu=cpu, memory=memory)


def resource_utilization(
    info: NodeInfo,
    resource: str,
    now_s: float,
    *,
    ignore_daemon_sets: bool = False,
    ignore_mirror_pods: bool = False,
) -> float | None:
    """Requests of a resource / (allocatable - requests of the pods that are ignored); None if nothing is there."""
    allocatable = info.node.allocatable.of(resource)
    if not allocatable:
        return None
    ignored = requested = 0
    for pod in info.pods:
        if (ignore_daemon_sets and pod.is_daemon_set) or (ignore_mirror_pods and pod.is_mirror):
            ignored += pod.requests.of(resource)
        elif not is_long_terminating(pod, now_s):
            requested += pod.requests.of(resource)
    if allocatable == ignored:
        return float("inf") if requested else 0.0
    return requested / (allocatable - ignored)


def is_long_terminating(pod: Pod, now_s: float) -> bool:
    """Whether a pod should have stopped more than 30 s ago: deleted, and past its grace period."""
    return pod.deleted_s is not None and pod.deleted_s + pod.termination_grace_s + LONG_TERMINATING_S < now_s
