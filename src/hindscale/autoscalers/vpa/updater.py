"""Which pods are changed to fit their recommendation, and whether by resizing or by evicting them.

Three questions in a row: does a pod want a change (`update_wish`), may one more pod of its group be disrupted
now (`is_disruptable`), and by which means (`in_place_decision`). `plan_updates` asks them of a whole group.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from hindscale.autoscalers.vpa.capping import ContainerRecommendation
from hindscale.autoscalers.vpa.policy import RECREATE, UpdatePolicy
from hindscale.autoscalers.vpa.priority import (
    UPDATER_DEFAULTS,
    Pod,
    UpdaterConfig,
    eviction_admitted,
    most_urgent_first,
    update_wish,
)

__all__ = ["PodAction", "ReplicaGroup", "in_place_decision", "is_disruptable", "plan_updates", "replica_group"]

DEFERRED_RESIZE_TIMEOUT_S = 300.0
IN_PROGRESS_RESIZE_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaGroup:
    """One controller's pods.

    Attributes:
        configured: Pods that there should be.
        running: Pods that are there and not pending.
        eviction_tolerance: Pods that may be down at once.
        disrupted: Pods evicted or resized in this loop.
    """

    configured: int
    running: int
    eviction_tolerance: int
    disrupted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAction:
    """What is done to a pod: `evict` or `resize`."""

    pod: str
    action: str
    reason: str


def replica_group(pods: Collection[Pod], configured: int, config: UpdaterConfig = UPDATER_DEFAULTS) -> ReplicaGroup:
    """The group of these live pods; trunc(configured x tolerance) of them may be down."""
    return ReplicaGroup(
        configured=configured,
        running=sum(not pod.is_pending for pod in pods),
        eviction_tolerance=int(configured * config.eviction_tolerance),
    )


def is_disruptable(group: ReplicaGroup) -> bool:
    """Whether one more pod may be taken: alive > configured - tolerance, or the first of a full group at tolerance 0.

    Source: VPA `pkg/updater/restriction/pods_restriction_factory.go`.

    >>> is_disruptable(ReplicaGroup(configured=4, running=4, eviction_tolerance=2, disrupted=1))
    True
    >>> is_disruptable(ReplicaGroup(configured=4, running=4, eviction_tolerance=2, disrupted=2))
    False
    """
    alive = group.running - group.disrupted
    first_of_full = group.running == group.configured and group.eviction_tolerance == 0 and group.disrupted == 0
    return alive > group.configured - group.eviction_tolerance or first_of_full


def in_place_decision(
    pod: Pod, group: ReplicaGroup, now_s: float, *, mode: str, config: UpdaterConfig = UPDATER_DEFAULTS
) -> str:
    """`resize` the pod, `evict` it, or `wait`.

    Args:
        pod: Which.
        group: Its controller's pods.
        now_s: Now.
        mode: The update mode; other than InPlace and InPlaceOrRecreate always evict.
        config: The updater's flags.

    Source: VPA `pkg/updater/restriction/pods_inplace_restriction.go`.
    """
    if mode not in {"InPlace", "InPlaceOrRecreate"}:
        return "evict"
    if pod.is_pending:
        return "wait"
    if pod.resize:
        return "evict" if mode == "InPlaceOrRecreate" and _resize_failed(pod, group, now_s) else "wait"
    restarts = any(container.restarts_on_resize for container in pod.containers)
    if (config.in_place_skip_disruption_budget and not restarts) or is_disruptable(group):
        return "resize"
    return "wait"


def plan_updates(
    pods: Collection[Pod],
    recommendations: Collection[ContainerRecommendation],
    now_s: float,
    *,
    configured_replicas: int,
    policy: UpdatePolicy = RECREATE,
    config: UpdaterConfig = UPDATER_DEFAULTS,
) -> tuple[PodAction, ...]:
    """What one loop does to the pods of one controller, the most urgent first.

    Args:
        pods: Live pods.
        recommendations: For their containers.
        now_s: Now.
        configured_replicas: The controller's spec.replicas.
        policy: The object's update policy.
        config: The updater's flags.
    """
    if policy.update_mode in {"Off", "Initial"}:
        return ()
    required = config.min_replicas if policy.min_replicas is None else policy.min_replicas
    too_few = len(pods) < required
    if too_few and not (policy.update_mode == "InPlaceOrRecreate" and config.in_place_skip_disruption_budget):
        return ()
    wishes = ((pod, update_wish(pod, recommendations, now_s, policy=policy, config=config)) for pod in pods)
    group = replica_group(pods, configured_replicas, config)
    actions: list[PodAction] = []
    for pod, wish in most_urgent_first(wishes):
        if eviction_admitted(pod, recommendations, policy.eviction_requirements):
            action = in_place_decision(pod, group, now_s, mode=policy.update_mode, config=config)
            if _is_allowed(action, pod, group, now_s, too_few=too_few):
                actions.append(PodAction(pod=pod.name, action=action, reason=wish.reason))
                group = group if pod.is_pending else replace(group, disrupted=group.disrupted + 1)
    return tuple(actions)


def _is_allowed(action: str, pod: Pod, group: ReplicaGroup, now_s: float, *, too_few: bool) -> bool:
    if action == "evict":
        disruptable = _resize_failed(pod, group, now_s) if pod.resize else is_disruptable(group)
        return not too_few and (pod.is_pending or disruptable)
    return action == "resize"


def _resize_failed(pod: Pod, group: ReplicaGroup, now_s: float) -> bool:
    if not is_disruptable(group):
        return False
    waited_s = 0.0 if pod.resized_s is None else now_s - pod.resized_s
    timeouts_s = {"Deferred": DEFERRED_RESIZE_TIMEOUT_S, "InProgress": IN_PROGRESS_RESIZE_TIMEOUT_S}
    return waited_s > timeouts_s[pod.resize] if pod.resize in timeouts_s else True
