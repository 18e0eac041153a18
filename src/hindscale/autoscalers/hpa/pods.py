"""Pods as the HPA sees them, and how it sorts them: ready, unready, missing, ignored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hindscale.autoscalers.hpa.settings import Settings
from hindscale.core.checks import require_at_least
from hindscale.core.errors import MetricsUnavailable

__all__ = [
    "CPU",
    "Container",
    "GroupedPods",
    "Pod",
    "PodPhase",
    "Readiness",
    "Reading",
    "group_pods",
    "is_unready_for_cpu",
    "pod_requests",
    "ready_pods",
]

CPU = "cpu"
_DEFAULTS = Settings()


class PodPhase(StrEnum):
    """Where a pod stands in its life."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Readiness(StrEnum):
    """The status of a pod's Ready condition; `ABSENT` if it has none."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"
    ABSENT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container's requests.

    Attributes:
        name: The container's name.
        requests: Milli value by resource; a resource that is not there is not requested.
        is_init: An init container.
        restarts_always: With `is_init`: it stays (a sidecar), so its request counts.
    """

    name: str = "main"
    requests: Mapping[str, int] = field(default_factory=dict)
    is_init: bool = False
    restarts_always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod that the selector finds, or several equal ones.

    Attributes:
        name: The key of its reading.
        phase: Its phase.
        readiness: The status of its Ready condition.
        readiness_changed_s: When that condition last changed.
        started_s: When it started; None if that is not known.
        is_deleting: It has a deletion timestamp.
        containers: What its containers request.
        requests: Pod-level milli value by resource, where these are enabled and set. With any of them, a
            resource that is not among them is what the containers ask for together, some of which may not.
        count: How many equal pods, with equal readings, this one stands for; >= 1.
    """

    name: str
    phase: PodPhase = PodPhase.RUNNING
    readiness: Readiness = Readiness.TRUE
    readiness_changed_s: float = 0.0
    started_s: float | None = 0.0
    is_deleting: bool = False
    containers: tuple[Container, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    count: int = 1

    def __post_init__(self) -> None:
        require_at_least(1, count=self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pod used.

    Attributes:
        value_milli: In thousandths of the metric's unit.
        time_s: When it was measured.
        window_s: The interval that it covers, ending at `time_s`.
    """

    value_milli: int
    time_s: float = 0.0
    window_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedPods:
    """The pods of a selector, each in one group."""

    ready: tuple[Pod, ...] = ()
    unready: tuple[Pod, ...] = ()
    missing: tuple[Pod, ...] = ()
    ignored: tuple[Pod, ...] = ()


def group_pods(
    pods: Sequence[Pod],
    readings: Mapping[str, Reading],
    *,
    resource: str = "",
    now_s: float = math.inf,
    settings: Settings = _DEFAULTS,
) -> GroupedPods:
    """Sort pods; the first rule that fits decides.

    Deleted, or in phase Failed: ignored. Pending: unready. Without a reading: missing. For the resource cpu
    alone, by `is_unready_for_cpu`: unready. Else ready.

    Args:
        pods: All that the selector finds.
        readings: By name of pod.
        resource: The resource's name; empty for Pods metrics.
        now_s: The time of the decision; by default long after every pod has started.
        settings: The controller's.

    Source: kubernetes `replica_calculator.go`, groupPods.

    >>> pods = [Pod(name="a"), Pod(name="b", phase=PodPhase.PENDING), Pod(name="c")]
    >>> groups = group_pods(pods, {"a": Reading(value_milli=1)})
    >>> [[pod.name for pod in group] for group in (groups.ready, groups.unready, groups.missing)]
    [['a'], ['b'], ['c']]
    """
    groups: dict[str, list[Pod]] = {"ready": [], "unready": [], "missing": [], "ignored": []}
    for pod in pods:
        groups[_group(pod, readings.get(pod.name), resource, now_s, settings)].append(pod)
    return GroupedPods(**{name: tuple(members) for name, members in groups.items()})


def _group(pod: Pod, reading: Reading | None, resource: str, now_s: float, settings: Settings) -> str:
    has_ended = pod.phase is PodPhase.FAILED or (pod.phase is PodPhase.SUCCEEDED and settings.release.ignores_succeeded)
    if pod.is_deleting or has_ended:
        return "ignored"
    if pod.phase is PodPhase.PENDING:
        return "unready"
    if reading is None:
        return "missing"
    is_unready = resource == CPU and is_unready_for_cpu(pod, reading, now_s=now_s, settings=settings)
    return "unready" if is_unready else "ready"


def is_unready_for_cpu(pod: Pod, reading: Reading, *, now_s: float, settings: Settings = _DEFAULTS) -> bool:
    """Whether a pod's cpu reading says nothing yet, since the pod is only starting.

    Always, without a Ready condition or a start time. While starting up (start + initialization period > now):
    not ready, or the reading's window does not lie wholly after the pod became ready. Later: not ready, and
    never ready after the initial delay. So a pod that was ready once counts, ready or not.

    >>> pod = Pod(name="a", started_s=0, readiness_changed_s=50)
    >>> is_unready_for_cpu(pod, Reading(value_milli=1, time_s=79, window_s=30), now_s=90)
    True
    >>> is_unready_for_cpu(pod, Reading(value_milli=1, time_s=80, window_s=30), now_s=90)
    False
    """
    if pod.readiness is Readiness.ABSENT or pod.started_s is None:
        return True
    is_not_ready = pod.readiness is Readiness.FALSE
    if pod.started_s + settings.cpu_initialization_period_s > now_s:
        return is_not_ready or reading.time_s < pod.readiness_changed_s + reading.window_s
    return is_not_ready and pod.started_s + settings.initial_readiness_delay_s > pod.readiness_changed_s


def ready_pods(pods: Sequence[Pod]) -> int:
    """Pods in phase Running whose Ready condition is True; those being deleted count too.

    Raises:
        MetricsUnavailable: If the selector finds no pod at all.
    """
    if not pods:
        raise MetricsUnavailable("no pods returned by selector while calculating replica count")
    return sum(pod.count for pod in pods if pod.phase is PodPhase.RUNNING and pod.readiness is Readiness.TRUE)


def pod_requests(pods: Sequence[Pod], *, resource: str, container: str = "") -> dict[str, int]:
    """What each pod requests of a resource, in milli: the sum over its containers and sidecars.

    With pod-level requests, and no one container named, the pod's own; for a resource that it does not request
    itself, what the scheduler counts: the sum over the containers that do, at least the largest step of the init
    containers.

    Args:
        pods: All that the selector finds, whatever group they are in.
        resource: The resource's name.
        container: Count this container alone; empty for all.

    Raises:
        MetricsUnavailable: If any counted container of any pod requests none, or the named one is not there;
            with pod-level requests, if no container requests any.

    Source: kubernetes `replica_calculator.go`, calculateRequests.
    """
    return {pod.name: _request(pod, resource, container) for pod in pods}


def _request(pod: Pod, resource: str, container: str) -> int:
    if not container and pod.requests:
        return pod.requests[resource] if resource in pod.requests else _aggregated_request(pod, resource)
    counted = [each for each in pod.containers if not each.is_init or each.restarts_always]
    if container:
        counted = [each for each in counted if each.name == container]
        if not counted:
            raise MetricsUnavailable(f"container {container} not found in Pod {pod.name}")
    for each in counted:
        if resource not in each.requests:
            raise MetricsUnavailable(f"missing request for {resource} in container {each.name} of Pod {pod.name}")
    return sum(each.requests[resource] for each in counted)


def _aggregated_request(pod: Pod, resource: str) -> int:
    """What the scheduler counts: containers and sidecars together, or the largest step of the init containers."""
    if not any(resource in each.requests for each in pod.containers):
        raise MetricsUnavailable(f"missing pod-level request for {resource} in Pod {pod.name}")
    running = sidecars = largest_step = 0
    for each in pod.containers:
        asked = each.requests.get(resource, 0)
        if not each.is_init:
            running += asked
        elif each.restarts_always:
            sidecars += asked
            largest_step = max(largest_step, sidecars)
        else:
            largest_step = max(largest_step, sidecars + asked)
    return max(running + sidecars, largest_step)
