"""What was ordered and has not come: upcoming nodes, those that never come, health, and time to capacity.

A scale-up request stands until the group has as many nodes as ordered. After 15 min without, it failed and
the group backs off. Until then its missing nodes count as upcoming: pods that will fit on them order no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from hindscale.autoscalers.cluster_autoscaler.backoff import (
    BACKOFF_DEFAULTS,
    Backoff,
    BackoffConfig,
    back_off,
    drop_stale,
    remove_backoff,
)
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeGroup, NodeInfo
from hindscale.core.checks import require_count, require_nonnegative, require_positive

__all__ = [
    "NOTHING_ORDERED",
    "PROVISIONING_DEFAULTS",
    "Provisioned",
    "ProvisioningConfig",
    "ProvisioningState",
    "Readiness",
    "ScaleUpRequest",
    "UnregisteredNode",
    "group_readiness",
    "is_cluster_healthy",
    "is_group_healthy",
    "is_starting",
    "register_scale_up",
    "upcoming_infos",
    "upcoming_nodes",
    "update_requests",
]

MAX_NODE_STARTUP_TIME_S = 900.0  # registered nodes younger than this are starting, not broken


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningConfig:
    """The autoscaler's flags.

    Attributes:
        max_node_provision_time_s: Nodes that did not come within it failed.
        max_total_unready_percentage: Above it, and above the count below, nothing is scaled.
        ok_total_unready_count: So many unready nodes are always all right.
        backoff: How long groups that failed are left alone.
    """

    max_node_provision_time_s: float = 900.0
    max_total_unready_percentage: float = 45.0
    ok_total_unready_count: int = 3
    backoff: BackoffConfig = BACKOFF_DEFAULTS

    def __post_init__(self) -> None:
        require_positive(max_node_provision_time_s=self.max_node_provision_time_s)
        require_nonnegative(max_total_unready_percentage=self.max_total_unready_percentage)
        require_count(ok_total_unready_count=self.ok_total_unready_count)


PROVISIONING_DEFAULTS = ProvisioningConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUpRequest:
    """Nodes ordered for a group and not all there yet.

    Attributes:
        group: Name of the group.
        increase: Nodes ordered since the last time all were there.
        time_s: When the last of them were ordered.
        expected_add_s: When it failed if they are not there.
    """

    group: str
    increase: int
    time_s: float
    expected_add_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningState:
    """What is remembered from loop to loop; it starts empty."""

    requests: tuple[ScaleUpRequest, ...] = ()
    backoffs: tuple[Backoff, ...] = ()


NOTHING_ORDERED = ProvisioningState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """The state after looking at the orders, groups whose order was filled, and groups whose order timed out."""

    state: ProvisioningState
    finished: tuple[str, ...] = ()
    timed_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnregisteredNode:
    """A machine that the provider runs and that has not registered."""

    group: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """A group's nodes by state.

    Attributes:
        ready: Able to run pods.
        unready: Broken after they had time to start.
        not_started: Registered within the last 15 min and not ready yet.
        unregistered: Running at the provider, not registered yet.
        long_unregistered: The same, for longer than a node may take.
        deleted: Registered, but gone at the provider.
    """

    ready: int = 0
    unready: int = 0
    not_started: int = 0
    unregistered: int = 0
    long_unregistered: int = 0
    deleted: int = 0

    @property
    def registered(self) -> int:
        return self.ready + self.unready + self.not_started + self.deleted


def group_readiness(
    nodes: Iterable[Node],
    unregistered: Iterable[UnregisteredNode],
    group: str,
    now_s: float,
    config: ProvisioningConfig = PROVISIONING_DEFAULTS,
    *,
    deleted: Collection[str] = (),
) -> Readiness:
    """A group's nodes by state; a GPU node that does not advertise its GPU yet is not ready.

    Args:
        nodes: Registered ones of all groups.
        unregistered: Machines of all groups that have not registered.
        group: The group's name.
        now_s: Now.
        config: When a machine is long unregistered.
        deleted: Names of nodes that are registered but gone at the provider.

    Source: Cluster Autoscaler `clusterstate/clusterstate.go`.
    """
    registered = [node for node in nodes if node.group == group]
    own = [node for node in registered if node.name not in deleted]
    waiting = [each.since_s + config.max_node_provision_time_s for each in unregistered if each.group == group]
    ready = sum(node.is_ready for node in own)
    not_started = sum(is_starting(node, now_s) for node in own)
    long_unregistered = sum(until_s < now_s for until_s in waiting)
    return Readiness(
        ready=ready,
        unready=len(own) - ready - not_started,
        not_started=not_started,
        unregistered=len(waiting) - long_unregistered,
        long_unregistered=long_unregistered,
        deleted=len(registered) - len(own),
    )


def is_starting(node: Node, now_s: float) -> bool:
    """Whether a node registered within the last 15 min and is not ready: upcoming still, not broken."""
    return not node.is_ready and node.created_s + MAX_NODE_STARTUP_TIME_S > now_s


def upcoming_nodes(target_size: int, readiness: Readiness) -> int:
    """Nodes ordered that will still come: target - ready - unready - long unregistered, at least 0.

    >>> upcoming_nodes(5, Readiness(ready=2, unready=1, not_started=1))
    2
    """
    return max(0, target_size - readiness.ready - readiness.unready - readiness.long_unregistered)


def upcoming_infos(groups: Iterable[NodeGroup], readiness: Mapping[str, Readiness]) -> tuple[NodeInfo, ...]:
    """Upcoming nodes as copies of their group's template."""
    return tuple(
        replace(group.template, node=replace(group.template.node, name=f"{group.name}-upcoming-{index}"))
        for group in groups
        for index in range(upcoming_nodes(group.target_size, readiness.get(group.name, Readiness())))
    )


def is_cluster_healthy(unready: int, nodes: int, config: ProvisioningConfig = PROVISIONING_DEFAULTS) -> bool:
    """Not if more than 3 nodes and more than 45 % are unready; then nothing is scaled, and no node is unneeded.

    Args:
        unready: Registered nodes that broke after they had time to start, as in `Readiness`.
        nodes: Registered nodes.
        config: What is all right.

    >>> is_cluster_healthy(4, 8), is_cluster_healthy(3, 3), is_cluster_healthy(9, 20), is_cluster_healthy(10, 20)
    (False, True, True, False)
    """
    return unready <= config.ok_total_unready_count or unready <= config.max_total_unready_percentage / 100.0 * nodes


def is_group_healthy(
    group: NodeGroup,
    readiness: Readiness | None,
    state: ProvisioningState,
    config: ProvisioningConfig = PROVISIONING_DEFAULTS,
) -> bool:
    """Not if more nodes than is all right are missing that were not ordered just now.

    missing = target - long unregistered - ordered - ready, held against 3 nodes and 45 % of the registered ones.

    Args:
        group: The group.
        readiness: Its nodes; None if there is none at all.
        state: With the orders.
        config: What is all right.
    """
    ordered = sum(request.increase for request in state.requests if request.group == group.name)
    if readiness is None:
        return group.target_size in {0, ordered}
    expected = group.target_size - readiness.long_unregistered - ordered
    missing = max(0, expected - readiness.ready)
    present = readiness.ready + readiness.unready + readiness.not_started
    return missing <= config.ok_total_unready_count or missing <= config.max_total_unready_percentage / 100.0 * present


def register_scale_up(
    state: ProvisioningState,
    group: str,
    delta: int,
    now_s: float,
    config: ProvisioningConfig = PROVISIONING_DEFAULTS,
) -> ProvisioningState:
    """The state after so many nodes were ordered for a group, or given back (delta < 0).

    Ordering more restarts the order's 15 min for all of them; giving back does not.
    """
    others = tuple(request for request in state.requests if request.group != group)
    old = next((request for request in state.requests if request.group == group), None)
    increase = delta + (old.increase if old else 0)
    if increase <= 0:
        return replace(state, requests=others)
    if old and delta <= 0:
        return replace(state, requests=(*others, replace(old, increase=increase)))
    expected_add_s = now_s + config.max_node_provision_time_s
    request = ScaleUpRequest(group=group, increase=increase, time_s=now_s, expected_add_s=expected_add_s)
    return replace(state, requests=(*others, request))


def update_requests(
    state: ProvisioningState,
    groups: Collection[NodeGroup],
    readiness: Mapping[str, Readiness],
    now_s: float,
    config: ProvisioningConfig = PROVISIONING_DEFAULTS,
) -> Provisioned:
    """Look at every order: filled ones end their group's backoff; those over 15 min old fail and back it off.

    An order is filled when the group has its target of started nodes, by whatever way.

    Source: Cluster Autoscaler `clusterstate/clusterstate.go`.
    """
    targets = {group.name: group.target_size for group in groups}
    backoffs = drop_stale(state.backoffs, now_s, config.backoff)
    waiting, finished, timed_out = [], [], []
    for request in state.requests:
        there = readiness.get(request.group, Readiness())
        if targets.get(request.group, 0) <= there.registered - there.not_started:
            finished.append(request.group)
            backoffs = remove_backoff(backoffs, request.group)
        elif request.expected_add_s < now_s:
            timed_out.append(request.group)
            backoffs = back_off(backoffs, request.group, now_s, config.backoff)
        else:
            waiting.append(request)
    return Provisioned(
        state=ProvisioningState(requests=tuple(waiting), backoffs=backoffs),
        finished=tuple(finished),
        timed_out=tuple(timed_out),
    )
