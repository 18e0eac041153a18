"""Which pods of a node would have to move, and which keep it where it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.utilization import is_long_terminating
from hindscale.autoscalers.cluster_autoscaler.values import NodeInfo, Pod
from hindscale.core.checks import require_nonnegative

__all__ = [
    "DRAIN_DEFAULTS",
    "REPLICATED_KINDS",
    "Drain",
    "DrainConfig",
    "blocking_reason",
    "drain_s",
    "pods_to_move",
]

REPLICATED_KINDS = frozenset({"Job", "ReplicaSet", "ReplicationController", "StatefulSet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainConfig:
    """The autoscaler's flags.

    Attributes:
        skip_nodes_with_system_pods: Whether kube-system pods without a disruption budget keep their node.
        bsp_disruption_timeout_s: For how long since they were made.
        skip_nodes_with_custom_controller_pods: Whether pods of controllers of other kinds than `REPLICATED_KINDS`
            keep their node, like bare ones.
        skip_nodes_with_local_storage: Whether pods with local storage keep their node.
        max_graceful_termination_s: After it the node goes, whatever the pod's own grace period.
    """

    skip_nodes_with_system_pods: bool = True
    bsp_disruption_timeout_s: float = 3600.0
    skip_nodes_with_custom_controller_pods: bool = True
    skip_nodes_with_local_storage: bool = True
    max_graceful_termination_s: float = 600.0

    def __post_init__(self) -> None:
        require_nonnegative(
            bsp_disruption_timeout_s=self.bsp_disruption_timeout_s,
            max_graceful_termination_s=self.max_graceful_termination_s,
        )


DRAIN_DEFAULTS = DrainConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Pods that have to find another node; or, in `blocked_by`, the pod that does not let the node go and why.

    Attributes:
        pods: To move.
        blocked_by: Such as `web-1: LocalStorageRequested`; empty if nothing does.
        is_risky: Whether a disruption budget allows fewer disruptions than the node has pods of it, so that they
            cannot all be evicted at once; such nodes are drained last.
    """

    pods: tuple[Pod, ...] = ()
    blocked_by: str = ""
    is_risky: bool = False


def blocking_reason(pod: Pod, now_s: float, budgets: Mapping[str, int], config: DrainConfig = DRAIN_DEFAULTS) -> str:
    """Why a pod keeps its node, in the original's words; empty if it does not.

    DaemonSet, mirror and long terminating pods never do; finished ones and those marked safe to evict only when a
    disruption budget of theirs is exhausted.

    Args:
        pod: Which.
        now_s: Now.
        budgets: Disruptions that each budget allows.
        config: What keeps a node.

    Source: Cluster Autoscaler `simulator/drainability/rules`.
    """
    if _is_left_alone(pod, now_s):
        return ""
    if not pod.is_terminal and pod.safe_to_evict is not True:
        reason = _unsafe_reason(pod, now_s, config)
        if reason:
            return reason
    if any(budgets.get(name, 0) < 1 for name in pod.disruption_budgets):
        return "NotEnoughPdb"
    return ""


def pods_to_move(
    info: NodeInfo, now_s: float, budgets: Mapping[str, int], config: DrainConfig = DRAIN_DEFAULTS
) -> Drain:
    """The pods that a node's removal would move, unless one of them blocks it.

    A budget blocks only when it allows no disruption at all; one that does not cover all pods makes the node risky.

    Args:
        info: The node.
        now_s: Now.
        budgets: Disruptions that each budget allows.
        config: What keeps a node.

    Source: Cluster Autoscaler `simulator/drain.go`, `core/scaledown/pdb/basic.go`.
    """
    for pod in info.pods:
        reason = blocking_reason(pod, now_s, budgets, config)
        if reason:
            return Drain(blocked_by=f"{pod.name}: {reason}")
    moving = tuple(pod for pod in info.pods if not _is_left_alone(pod, now_s))
    needed = Counter(name for pod in moving for name in pod.disruption_budgets)
    return Drain(pods=moving, is_risky=any(count > budgets.get(name, 0) for name, count in needed.items()))


def drain_s(pods: tuple[Pod, ...], config: DrainConfig = DRAIN_DEFAULTS) -> float:
    """How long a node waits at most for its pods to stop: the longest grace period, at most 600 s.

    A pod that serves a generation longer than that is killed with the node.

    >>> drain_s((Pod(name="a"), Pod(name="b", termination_grace_s=3600.0)))
    600.0
    """
    return min(max((pod.termination_grace_s for pod in pods), default=0.0), config.max_graceful_termination_s)


def _is_left_alone(pod: Pod, now_s: float) -> bool:
    return pod.is_mirror or pod.is_daemon_set or is_long_terminating(pod, now_s)


def _unsafe_reason(pod: Pod, now_s: float, config: DrainConfig) -> str:
    has_custom_controller = pod.controller_kind not in REPLICATED_KINDS
    if not pod.controller or (config.skip_nodes_with_custom_controller_pods and has_custom_controller):
        return "NotReplicated"
    protected = config.skip_nodes_with_system_pods and pod.namespace == "kube-system" and not pod.disruption_budgets
    if protected and now_s <= pod.created_s + config.bsp_disruption_timeout_s:
        return "UnmovableKubeSystemPod"
    if pod.safe_to_evict is False:
        return "NotSafeToEvictAnnotation"
    if pod.has_local_storage and config.skip_nodes_with_local_storage:
        return "LocalStorageRequested"
    return ""
