"""Which pods want a change, and how urgently."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.capping import ContainerRecommendation
from hindscale.autoscalers.vpa.policy import RECREATE, EvictionRequirement, UpdatePolicy
from hindscale.core.checks import require_at_least, require_nonnegative, require_share

__all__ = [
    "UPDATER_DEFAULTS",
    "Container",
    "Pod",
    "UpdatePriority",
    "UpdateWish",
    "UpdaterConfig",
    "eviction_admitted",
    "has_quick_oom",
    "most_urgent_first",
    "update_priority",
    "update_wish",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdaterConfig:
    """The updater's flags.

    Attributes:
        min_replicas: Live pods that a group must have.
        eviction_tolerance: Share of a group that may be down at once, in [0, 1).
        pod_update_threshold: Least sum of relative differences that is worth a change inside the bounds.
        in_recommendation_bounds_eviction_lifetime_threshold_s: Age from which a pod inside the bounds is changed.
        evict_after_oom_threshold_s: An OOM sooner than this after the start is a quick one.
        in_place_skip_disruption_budget: Whether resizing without a restart needs no leave of the group.
    """

    min_replicas: int = 2
    eviction_tolerance: float = 0.5
    pod_update_threshold: float = 0.1
    in_recommendation_bounds_eviction_lifetime_threshold_s: float = 12 * 3600.0
    evict_after_oom_threshold_s: float = 600.0
    in_place_skip_disruption_budget: bool = False

    def __post_init__(self) -> None:
        require_at_least(0, min_replicas=self.min_replicas)
        require_share(eviction_tolerance=self.eviction_tolerance)
        require_nonnegative(
            pod_update_threshold=self.pod_update_threshold,
            in_recommendation_bounds_eviction_lifetime_threshold_s=(
                self.in_recommendation_bounds_eviction_lifetime_threshold_s
            ),
            evict_after_oom_threshold_s=self.evict_after_oom_threshold_s,
        )


UPDATER_DEFAULTS = UpdaterConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the updater sees of a container.

    Attributes:
        name: Of the container.
        requests: None for a resource without a request.
        oom_after_s: Seconds from start to the last OOM; None if it did not last end so.
        restarts_on_resize: Whether a resize policy of it is RestartContainer.
        mode: `Off` leaves it out of the quick-OOM rule.
    """

    name: str
    requests: Amounts = Amounts()
    oom_after_s: float | None = None
    restarts_on_resize: bool = False
    mode: str = "Auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What the updater sees of a pod.

    Attributes:
        name: Of the pod.
        containers: Those that the VPA observes.
        start_s: When it started; None if that is unknown.
        is_pending: Whether its phase is Pending.
        resize: State of a resize under way: `""` for none, `Deferred`, `Infeasible`, `InProgress` or `Error`.
        resized_s: When that resize was asked for; None if unknown, which counts as now.
    """

    name: str
    containers: tuple[Container, ...]
    start_s: float | None = 0.0
    is_pending: bool = False
    resize: str = ""
    resized_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UpdatePriority:
    """How urgent a change is; pods that want to grow come first, then larger differences.

    Attributes:
        scale_up: Whether a container's target is above its request, or it has no request.
        resource_diff: Relative difference of requests and targets, summed over resources.
        outside_recommended_range: Whether a request is outside its bounds, or missing.
    """

    scale_up: bool
    resource_diff: float
    outside_recommended_range: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWish:
    """Whether a pod should be changed, and why."""

    wanted: bool
    reason: str
    priority: UpdatePriority


def update_priority(pod: Pod, recommendations: Collection[ContainerRecommendation]) -> UpdatePriority:
    """How far a pod's requests are from their targets.

    resource_diff = sum over resources of |request - target| / max(request, 1 milli), both summed over containers.

    A container without a recommendation is left out; a missing request counts as outside the range.

    Args:
        pod: Which; of its containers names and requests count.
        recommendations: For its containers, by name.

    Source: VPA `pkg/updater/priority/priority_processor.go`.
    """
    by_name = {each.container: each for each in recommendations}
    requested, recommended = {"cpu": 0, "memory": 0}, {"cpu": 0, "memory": 0}
    outside = scale_up = False
    for container in pod.containers:
        if container.name not in by_name:
            continue
        advice = by_name[container.name]
        for resource, target in _milli(advice.target).items():
            recommended[resource] += target
            request = _milli(container.requests).get(resource)
            if request is None:
                outside = scale_up = True
                continue
            requested[resource] += request
            scale_up = scale_up or target > request
            low, high = _milli(advice.lower_bound).get(resource), _milli(advice.upper_bound).get(resource)
            outside = outside or (low is not None and request < low) or (high is not None and request > high)
    diff = sum(
        abs(max(requested[resource], 1) - recommended[resource]) / max(requested[resource], 1)
        for resource in _recommended_resources(pod, by_name.values())
    )
    return UpdatePriority(scale_up=scale_up, resource_diff=diff, outside_recommended_range=outside)


def update_wish(
    pod: Pod,
    recommendations: Collection[ContainerRecommendation],
    now_s: float,
    *,
    policy: UpdatePolicy = RECREATE,
    config: UpdaterConfig = UPDATER_DEFAULTS,
    priority: UpdatePriority | None = None,
) -> UpdateWish:
    """Whether a pod should be changed.

    Yes if a request is outside its range, if a container ran out of memory within 10 min of starting and the
    target differs at all, or if the pod has run 12 h and the difference is at least 0.1.

    Args:
        pod: Which.
        recommendations: For its containers.
        now_s: Now.
        policy: The object's update policy.
        config: The updater's flags.
        priority: Of the pod, if it is known; `update_priority` of it otherwise.

    Source: VPA `pkg/updater/priority/update_priority_calculator.go`.
    """
    priority = priority or update_priority(pod, recommendations)
    quick_s = config.evict_after_oom_threshold_s if policy.evict_after_oom_s is None else policy.evict_after_oom_s
    if has_quick_oom(pod, quick_s):
        wanted = priority.resource_diff != 0
        reason = f"out of memory within {quick_s:g} s of starting"
        reason = reason if wanted else f"{reason}, but the resources would not change"
    elif priority.outside_recommended_range:
        wanted, reason = True, "a request is outside the recommended range"
    else:
        wanted, reason = _in_range_wish(pod, priority, now_s, config)
    return UpdateWish(wanted=wanted, reason=reason, priority=priority)


def most_urgent_first(wishes: Iterable[tuple[Pod, UpdateWish]]) -> tuple[tuple[Pod, UpdateWish], ...]:
    """The pods that want a change: those that want to grow first, then by the difference, largest first.

    Source: VPA `pkg/updater/priority/update_priority_calculator.go`.
    """
    wanted = (each for each in wishes if each[1].wanted)
    return tuple(
        sorted(wanted, key=lambda each: (each[1].priority.scale_up, each[1].priority.resource_diff), reverse=True)
    )


def has_quick_oom(pod: Pod, within_s: float) -> bool:
    """Whether a container that is not Off last ended out of memory less than so many seconds after its start."""
    return any(
        each.mode != "Off" and each.oom_after_s is not None and each.oom_after_s < within_s for each in pod.containers
    )


def eviction_admitted(
    pod: Pod,
    recommendations: Collection[ContainerRecommendation],
    requirements: Collection[EvictionRequirement],
) -> bool:
    """Whether one container meets all requirements, or lacks a request; without requirements always.

    Args:
        pod: Which.
        recommendations: For its containers; those without one are left out.
        requirements: Each is met if the target differs in its direction for one of its resources.

    Source: VPA `pkg/updater/priority/scaling_direction_pod_eviction_admission.go`.
    """
    by_name = {each.container: each for each in recommendations}
    containers = [container for container in pod.containers if container.name in by_name]
    return not requirements or any(
        None in {container.requests.cpu_millicores, container.requests.memory_bytes}
        or all(_is_met(requirement, container.requests, by_name[container.name].target) for requirement in requirements)
        for container in containers
    )


def _in_range_wish(pod: Pod, priority: UpdatePriority, now_s: float, config: UpdaterConfig) -> tuple[bool, str]:
    lifetime_s = config.in_recommendation_bounds_eviction_lifetime_threshold_s
    if pod.start_s is None:
        return False, "start time unknown, request within recommended range"
    if now_s < pod.start_s + lifetime_s:
        return False, f"younger than {lifetime_s:g} s, request within recommended range"
    if priority.resource_diff < config.pod_update_threshold:
        return False, f"resource diff {priority.resource_diff:.3g} below {config.pod_update_threshold:g}"
    return True, f"older than {lifetime_s:g} s, resource diff {priority.resource_diff:.3g}"


def _is_met(requirement: EvictionRequirement, requests: Amounts, target: Amounts) -> bool:
    requested, wanted = _milli(requests), _milli(target)
    differences = [wanted.get(each, 0) - requested.get(each, 0) for each in requirement.resources]
    if requirement.change_requirement == "TargetHigherThanRequests":
        return any(difference > 0 for difference in differences)
    return any(difference < 0 for difference in differences)


def _recommended_resources(pod: Pod, recommendations: Iterable[ContainerRecommendation]) -> list[str]:
    names = {container.name for container in pod.containers}
    targets = [_milli(each.target) for each in recommendations if each.container in names]
    return [resource for resource in ("cpu", "memory") if any(resource in target for target in targets)]


def _milli(amounts: Amounts) -> dict[str, int]:
    """Given amounts in thousandths of a core and of a byte, as quantities compare."""
    milli = {}
    if amounts.cpu_millicores is not None:
        milli["cpu"] = amounts.cpu_millicores
    if amounts.memory_bytes is not None:
        milli["memory"] = amounts.memory_bytes * 1000
    return milli
