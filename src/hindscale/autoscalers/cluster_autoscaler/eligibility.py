"""The flags and the memory of scaling down, and which nodes can be unneeded at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.budgets import BUDGET_DEFAULTS, BudgetConfig
from hindscale.autoscalers.cluster_autoscaler.drain import DRAIN_DEFAULTS, DrainConfig
from hindscale.autoscalers.cluster_autoscaler.utilization import node_utilization
from hindscale.autoscalers.cluster_autoscaler.values import NodeInfo
from hindscale.core.checks import require_nonnegative

__all__ = [
    "SCALE_DOWN_DEFAULTS",
    "Removable",
    "ScaleDownConfig",
    "ScaleDownState",
    "ScaleDownTimes",
    "Unremovable",
    "ineligible_reason",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDownConfig:
    """The autoscaler's flags.

    Attributes:
        scale_down_unneeded_time_s: A ready node goes when it was unneeded for longer.
        scale_down_unready_time_s: An unready one.
        scale_down_utilization_threshold: At or below it a node may be unneeded.
        scale_down_gpu_utilization_threshold: The same for nodes with an accelerator.
        scale_down_unready_enabled: Whether unready nodes go at all.
        scale_down_delay_after_add_s: Nothing goes for so long after nodes were ordered.
        scale_down_delay_after_delete_s: After nodes went.
        scale_down_delay_after_failure_s: After nodes failed to go.
        scale_down_delay_type_local: Whether these delays hold per group, outside of this rule.
        unremovable_node_recheck_timeout_s: A node whose pods did not fit elsewhere is not looked at for so long.
        ignore_daemonsets_utilization: Whether DaemonSet pods are left out of utilization.
        ignore_mirror_pods_utilization: Whether mirror pods are.
        min_resources: Least of each resource that the cluster keeps.
        drain: Which pods keep their node.
        budgets: How many nodes go at once.
    """

    scale_down_unneeded_time_s: float = 600.0
    scale_down_unready_time_s: float = 1200.0
    scale_down_utilization_threshold: float = 0.5
    scale_down_gpu_utilization_threshold: float = 0.5
    scale_down_unready_enabled: bool = True
    scale_down_delay_after_add_s: float = 600.0
    scale_down_delay_after_delete_s: float = 0.0
    scale_down_delay_after_failure_s: float = 180.0
    scale_down_delay_type_local: bool = False
    unremovable_node_recheck_timeout_s: float = 300.0
    ignore_daemonsets_utilization: bool = False
    ignore_mirror_pods_utilization: bool = False
    min_resources: tuple[tuple[str, int], ...] = ()
    drain: DrainConfig = DRAIN_DEFAULTS
    budgets: BudgetConfig = BUDGET_DEFAULTS

    def __post_init__(self) -> None:
        require_nonnegative(
            scale_down_unneeded_time_s=self.scale_down_unneeded_time_s,
            scale_down_unready_time_s=self.scale_down_unready_time_s,
            scale_down_utilization_threshold=self.scale_down_utilization_threshold,
            scale_down_gpu_utilization_threshold=self.scale_down_gpu_utilization_threshold,
            scale_down_delay_after_add_s=self.scale_down_delay_after_add_s,
            scale_down_delay_after_delete_s=self.scale_down_delay_after_delete_s,
            scale_down_delay_after_failure_s=self.scale_down_delay_after_failure_s,
            unremovable_node_recheck_timeout_s=self.unremovable_node_recheck_timeout_s,
        )


SCALE_DOWN_DEFAULTS = ScaleDownConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDownTimes:
    """When things last happened; None for never."""

    scaled_up_s: float | None = None
    deleted_s: float | None = None
    failed_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removable:
    """An unneeded node: since when, whether pods would have to move, and whether a budget is too small for them."""

    node: str
    since_s: float
    needs_drain: bool
    is_risky: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unremovable:
    """A node that stays, and why, in the original's words; `detail` names the pod that is behind it, if one is."""

    node: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleDownState:
    """What is remembered from loop to loop; it starts empty.

    Attributes:
        unneeded: Nodes unneeded in the last loop.
        recheck: (node, time) until when a node whose pods fit nowhere else is not looked at.
        unremovable: Nodes that stayed in the last loop, for reports.
    """

    unneeded: tuple[Removable, ...] = ()
    recheck: tuple[tuple[str, float], ...] = ()
    unremovable: tuple[Unremovable, ...] = ()


def ineligible_reason(
    info: NodeInfo,
    state: ScaleDownState,
    now_s: float,
    groups: Collection[str],
    config: ScaleDownConfig = SCALE_DOWN_DEFAULTS,
) -> str:
    """Why a node cannot be unneeded, before its pods are looked at; empty if it can.

    Args:
        info: The node with its pods.
        state: Nodes that are not looked at again yet.
        now_s: Now.
        groups: Names of the autoscaled groups.
        config: Thresholds.

    Source: Cluster Autoscaler `core/scaledown/eligibility/eligibility.go`.
    """
    node = info.node
    utilization = node_utilization(
        info,
        now_s,
        ignore_daemon_sets=config.ignore_daemonsets_utilization,
        ignore_mirror_pods=config.ignore_mirror_pods_utilization,
    )
    threshold = config.scale_down_gpu_utilization_threshold if node.gpu else config.scale_down_utilization_threshold
    checks = (
        (any(name == node.name and until_s > now_s for name, until_s in state.recheck), "RecentlyUnremovable"),
        (node.being_deleted, "CurrentlyBeingDeleted"),
        (node.scale_down_disabled, "ScaleDownDisabledAnnotation"),
        (node.group not in groups, "NotAutoscaled"),
        (not node.is_ready and not config.scale_down_unready_enabled, "ScaleDownUnreadyDisabled"),
        (utilization.share > threshold, "NotUnderutilized"),
    )
    return next((reason for applies, reason in checks if applies), "")
