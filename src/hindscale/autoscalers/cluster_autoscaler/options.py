"""What each group could do for the pending pods, and what the cluster's limits leave room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.backoff import is_backed_off
from hindscale.autoscalers.cluster_autoscaler.estimator import MAX_NODES_PER_SCALEUP, estimate, node_limit
from hindscale.autoscalers.cluster_autoscaler.expanders import Option
from hindscale.autoscalers.cluster_autoscaler.pending import PodGroup
from hindscale.autoscalers.cluster_autoscaler.provisioning import (
    PROVISIONING_DEFAULTS,
    ProvisioningConfig,
    ProvisioningState,
    Readiness,
    is_group_healthy,
)
from hindscale.autoscalers.cluster_autoscaler.scheduling import fits
from hindscale.autoscalers.cluster_autoscaler.values import NodeGroup, NodeInfo, Resources
from hindscale.core.checks import require_count, require_nonnegative

__all__ = [
    "SCALE_UP_DEFAULTS",
    "ScaleUpConfig",
    "expansion_option",
    "quota_room",
    "schedulable_groups",
    "skip_reason",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUpConfig:
    """The autoscaler's flags.

    Attributes:
        expendable_pods_priority_cutoff: Pods below it get no nodes.
        new_pod_scale_up_delay_s: Pods younger than it get none yet.
        max_nodes_total: In the whole cluster; 0 for no limit.
        max_nodes_per_scaleup: In one loop; 0 for no limit.
        max_resources: Most of each resource in the whole cluster; a resource that is not named has no limit.
        expander: Names of filters, applied in order.
        balance_similar_node_groups: Whether to share new nodes among similar groups.
    """

    expendable_pods_priority_cutoff: int = -10
    new_pod_scale_up_delay_s: float = 0.0
    max_nodes_total: int = 0
    max_nodes_per_scaleup: int = MAX_NODES_PER_SCALEUP
    max_resources: tuple[tuple[str, int], ...] = (
        ("cpu", 5000 * 64 * 1000),
        ("memory", 5000 * 64 * 20 * 1024**3),
    )
    expander: tuple[str, ...] = ("least-waste",)
    balance_similar_node_groups: bool = False

    def __post_init__(self) -> None:
        require_nonnegative(new_pod_scale_up_delay_s=self.new_pod_scale_up_delay_s)
        require_count(max_nodes_total=self.max_nodes_total, max_nodes_per_scaleup=self.max_nodes_per_scaleup)


SCALE_UP_DEFAULTS = ScaleUpConfig()


def skip_reason(
    group: NodeGroup,
    readiness: Readiness | None,
    state: ProvisioningState,
    now_s: float,
    *,
    room: int,
    config: ProvisioningConfig = PROVISIONING_DEFAULTS,
) -> str:
    """Why a group cannot grow now; empty if it can.

    Args:
        group: The group.
        readiness: Of its nodes; None if there is none.
        state: Orders and backoffs.
        now_s: Now.
        room: Nodes of it that the cluster's limits leave room for.
        config: What is healthy.
    """
    if group.exists and not is_group_healthy(group, readiness, state, config):
        return "not ready for scale-up"
    if group.exists and is_backed_off(state.backoffs, group.name, now_s):
        return "in backoff after failed scale-up"
    if group.headroom == 0:
        return "max node group size reached"
    if room < (group.headroom if group.is_atomic else 1):
        return "max cluster limit reached"
    return ""


def quota_room(template: NodeInfo, used: Resources, wanted: int, config: ScaleUpConfig = SCALE_UP_DEFAULTS) -> int:
    """How many of the wanted nodes the cluster's resource limits allow.

    Args:
        template: The node to add.
        used: Capacity of all nodes there and ordered.
        wanted: >= 0.
        config: With the limits.

    >>> from hindscale.autoscalers.cluster_autoscaler.values import Node
    >>> node = NodeInfo.of(Node(name="n", allocatable=Resources(cpu_millicores=4000, memory_bytes=1)))
    >>> quota_room(node, Resources(cpu_millicores=8000), 9, ScaleUpConfig(max_resources=(("cpu", 18_000),)))
    2
    """
    capacity = template.node.full_capacity
    rooms = [
        max(0, most - used.of(name)) // capacity.of(name) for name, most in config.max_resources if capacity.of(name)
    ]
    return min([wanted, *rooms])


def schedulable_groups(pod_groups: Iterable[PodGroup], group: NodeGroup) -> tuple[PodGroup, ...]:
    """The groups of pods that pass the scheduler's filters on a group's template."""
    return tuple(each for each in pod_groups if fits(each.exemplar, group.template))


def expansion_option(
    group: NodeGroup,
    pod_groups: Sequence[PodGroup],
    *,
    similar: Sequence[NodeGroup] = (),
    current_nodes: int = 0,
    config: ScaleUpConfig = SCALE_UP_DEFAULTS,
) -> Option | None:
    """What a group could do for the pods; None if nothing. An atomic group offers all its nodes or none."""
    limit = node_limit(
        group,
        similar=similar,
        max_nodes_total=config.max_nodes_total,
        current_nodes=current_nodes,
        max_nodes_per_scaleup=config.max_nodes_per_scaleup,
    )
    found = estimate(schedulable_groups(pod_groups, group), group.template, limit=limit)
    if not found.nodes:
        return None
    count = group.max_size if group.is_atomic else found.nodes
    return Option(group=group.name, node_count=count, pods=found.pods, node=group.template.node, exists=group.exists)
