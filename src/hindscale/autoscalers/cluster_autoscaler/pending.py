"""Which pending pods call for nodes: not expendable, not about to fit, not too young; and when to wait for more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.scheduling import place_all
from hindscale.autoscalers.cluster_autoscaler.values import NodeInfo, Pod, gpu_names

__all__ = [
    "MAX_GROUPS_PER_CONTROLLER",
    "UNSCHEDULABLE_POD_BUFFER_S",
    "UNSCHEDULABLE_POD_WITH_GPU_BUFFER_S",
    "PodGroup",
    "filter_expendable",
    "filter_schedulable",
    "filter_young",
    "group_pods",
    "pods_are_new",
]

UNSCHEDULABLE_POD_BUFFER_S = 2.0
UNSCHEDULABLE_POD_WITH_GPU_BUFFER_S = 30.0
MAX_GROUPS_PER_CONTROLLER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Pods that are equal to the scheduler; at least one."""

    pods: tuple[Pod, ...]

    @property
    def exemplar(self) -> Pod:
        return self.pods[0]


def filter_expendable(pods: Iterable[Pod], priority_cutoff: int = -10) -> tuple[Pod, ...]:
    """The pods whose priority is at least the cutoff; nobody adds a node for the others."""
    return tuple(pod for pod in pods if pod.priority >= priority_cutoff)


def filter_schedulable(pods: Iterable[Pod], nodes: Sequence[NodeInfo]) -> tuple[tuple[Pod, ...], tuple[NodeInfo, ...]]:
    """The pods that fit on no node, and the nodes with the others on them.

    Args:
        pods: Unschedulable ones; those of high priority choose first.
        nodes: Those there, and upcoming ones as empty templates.

    Source: Cluster Autoscaler `core/podlistprocessor/filter_out_schedulable.go`.
    """
    return place_all(sorted(pods, key=lambda pod: -pod.priority), nodes)


def filter_young(pods: Iterable[Pod], now_s: float, new_pod_scale_up_delay_s: float = 0.0) -> tuple[Pod, ...]:
    """The pods older than the delay; a pod's annotation may lengthen it, never shorten it."""
    return tuple(
        pod
        for pod in pods
        if now_s - pod.created_s > max(new_pod_scale_up_delay_s, pod.scale_up_delay_s or new_pod_scale_up_delay_s)
    )


def pods_are_new(pods: Collection[Pod], now_s: float) -> bool:
    """Whether to wait a loop for more pods: the oldest is under 2 s old, or the oldest with a GPU under 30 s.

    So one old pod is enough to go ahead, unless there are GPU pods, all of them young: GPU nodes are dear, and a
    more informed choice is worth the wait.

    Source: Cluster Autoscaler `core/static_autoscaler.go`.
    """
    with_gpu = [pod.created_s for pod in pods if gpu_names(pod)]
    if min((pod.created_s for pod in pods), default=now_s) + UNSCHEDULABLE_POD_BUFFER_S > now_s:
        return True
    return bool(with_gpu) and min(with_gpu) + UNSCHEDULABLE_POD_WITH_GPU_BUFFER_S > now_s


def group_pods(pods: Iterable[Pod]) -> tuple[PodGroup, ...]:
    """Equal pods of one controller together, in order of appearance; bare and DaemonSet pods each alone.

    A controller has at most 10 groups to join; pods that are different again stay alone.

    Source: Cluster Autoscaler `core/scaleup/equivalence/groups.go`.
    """
    groups: list[list[Pod]] = []
    known: dict[str, dict[object, int]] = {}
    for pod in pods:
        joinable = known.setdefault(pod.controller, {})
        shape = _shape(pod)
        if pod.controller and not pod.is_daemon_set and shape in joinable:
            groups[joinable[shape]].append(pod)
            continue
        if pod.controller and not pod.is_daemon_set and len(joinable) < MAX_GROUPS_PER_CONTROLLER:
            joinable[shape] = len(groups)
        groups.append([pod])
    return tuple(PodGroup(pods=tuple(group)) for group in groups)


def _shape(pod: Pod) -> object:
    """What must be equal for two pods to be equal to the scheduler."""
    return (
        pod.namespace,
        pod.requests,
        pod.priority,
        pod.labels,
        pod.node_selector,
        pod.tolerations,
        pod.host_ports,
        pod.termination_grace_s,
        pod.has_local_storage,
    )
