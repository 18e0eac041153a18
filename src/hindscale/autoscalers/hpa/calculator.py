"""The replica calculator for metrics of pods: how many there should be for what each of them uses.

Doubles throughout, as in the original: some results depend on their last bits, so no ceiling here forgives
rounding errors. `totals` holds the metrics of a service as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hindscale.autoscalers.hpa.pods import GroupedPods, Pod, Reading, group_pods, pod_requests
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.autoscalers.hpa.usage import PodValue, Usage, average_usage, truncated, utilization
from hindscale.core.errors import MetricsUnavailable

__all__ = ["MAX_REPLICAS", "Proposal", "replicas_for_average", "replicas_for_utilization"]

MAX_REPLICAS = 2**31 - 1
_DEFAULTS = Settings()
_TOLERANCE = Tolerance()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one metric wants.

    Attributes:
        replicas: Replicas wanted, before stabilization, rate limits and bounds.
        value_milli: The metric's value as reported in the status: the pods' mean, or the total. None where
            that would be a division by zero.
        percent: The value as a percentage of the request, for utilization targets.
    """

    replicas: int
    value_milli: int | None = None
    percent: int | None = None


def replicas_for_utilization(
    pods: Sequence[Pod],
    readings: Mapping[str, Reading],
    *,
    target_percent: int,
    current: int,
    resource: str = "cpu",
    container: str = "",
    now_s: float = math.inf,
    tolerance: Tolerance = _TOLERANCE,
    settings: Settings = _DEFAULTS,
) -> Proposal:
    """Replicas for a Resource or ContainerResource metric with a Utilization target.

    ⌈ratio · ready pods⌉, or `current` within the tolerance. Where pods are missing or unready, they are
    assumed at 100 % of their request on the way down (missing) and at 0 on the way up (both), and the
    direction is looked at again. The ratio multiplies the pods that were measured, not `current`.

    Args:
        pods: All that the selector finds.
        readings: Usage by name of pod.
        target_percent: averageUtilization; > 0.
        current: Replicas in the scale's spec: the answer "no change".
        resource: The resource's name; cpu has readiness rules of its own.
        container: For ContainerResource, the container whose request counts.
        now_s: The time of the decision; by default long after every pod has started.
        tolerance: What is left alone.
        settings: The controller's.

    Raises:
        MetricsUnavailable: If there are no pods, no readings of pods that count, or requests are missing.

    Source: kubernetes `replica_calculator.go`, GetResourceReplicas.

    >>> pods = [Pod(name="a", requests={"cpu": 1000}, count=4)]
    >>> seen = {"a": Reading(value_milli=900)}
    >>> replicas_for_utilization(pods, seen, target_percent=60, current=4, now_s=400).replicas
    6
    """
    groups = _grouped(pods, readings, resource, now_s, settings)
    requests = pod_requests(pods, resource=resource, container=container)
    # A target above 100 % is met only by pods above their request: assume what leaves the fleet as it is.
    assumed_percent = max(100, target_percent)
    return _decided(
        groups,
        readings,
        current=current,
        tolerance=tolerance,
        requests=requests,
        measure=lambda values: utilization(values, target_percent),
        assumed_below=lambda pod: truncated(requests[pod.name] * assumed_percent, 100),
    )


def replicas_for_average(
    pods: Sequence[Pod],
    readings: Mapping[str, Reading],
    *,
    target_milli: int,
    current: int,
    resource: str = "",
    now_s: float = math.inf,
    tolerance: Tolerance = _TOLERANCE,
    settings: Settings = _DEFAULTS,
) -> Proposal:
    """Replicas for a Pods metric, or a Resource metric with an AverageValue target.

    As `replicas_for_utilization`, with the pods' mean in place of the percent; missing pods are assumed to be
    exactly at the target on the way down.

    Args:
        pods: All that the selector finds.
        readings: Values by name of pod.
        target_milli: averageValue in milli; > 0.
        current: Replicas in the scale's spec: the answer "no change".
        resource: The resource's name, or empty for a Pods metric, which knows no cpu rules.
        now_s: The time of the decision; by default long after every pod has started.
        tolerance: What is left alone.
        settings: The controller's.

    Raises:
        MetricsUnavailable: If there are no pods, or no readings of pods that count.

    Source: kubernetes `replica_calculator.go`, calcPlainMetricReplicas.

    >>> pods = [Pod(name="a", count=2), Pod(name="b")]
    >>> replicas_for_average(pods, {"a": Reading(value_milli=9000)}, target_milli=5000, current=3).replicas
    4
    """
    groups = _grouped(pods, readings, resource, now_s, settings)
    return _decided(
        groups,
        readings,
        current=current,
        tolerance=tolerance,
        requests={},
        measure=lambda values: average_usage(values, target_milli),
        assumed_below=lambda _: target_milli,
    )


def _grouped(
    pods: Sequence[Pod], readings: Mapping[str, Reading], resource: str, now_s: float, settings: Settings
) -> GroupedPods:
    if not readings:
        raise MetricsUnavailable("no metrics returned from the metrics API")
    if not pods:
        raise MetricsUnavailable("no pods returned by selector while calculating replica count")
    return group_pods(pods, readings, resource=resource, now_s=now_s, settings=settings)


def _decided(
    groups: GroupedPods,
    readings: Mapping[str, Reading],
    *,
    current: int,
    tolerance: Tolerance,
    requests: Mapping[str, int],
    measure: Callable[[Sequence[PodValue]], Usage],
    assumed_below: Callable[[Pod], int],
) -> Proposal:
    """The decision that utilization and average value share."""

    def valued(pod: Pod, value_milli: int) -> PodValue:
        return PodValue(value_milli=value_milli, request_milli=requests.get(pod.name), count=pod.count)

    values = [valued(pod, readings[pod.name].value_milli) for pod in groups.ready] + _strangers(groups, readings)
    if not values:
        raise MetricsUnavailable("did not receive metrics for targeted pods (pods might be unready)")
    usage = measure(values)
    counts_unready = bool(groups.unready) and usage.ratio > 1.0
    if not counts_unready and not groups.missing:
        ready = sum(pod.count for pod in groups.ready)
        replicas = current if tolerance.holds(usage.ratio) else math.ceil(usage.ratio * ready)
    else:
        if usage.ratio < 1.0:
            values += [valued(pod, assumed_below(pod)) for pod in groups.missing]
        elif usage.ratio > 1.0:
            values += [valued(pod, 0) for pod in groups.missing]
        if counts_unready:
            values += [valued(pod, 0) for pod in groups.unready]
        replicas = _confirmed(usage.ratio, measure(values).ratio, values, current, tolerance)
    return Proposal(replicas=min(replicas, MAX_REPLICAS), value_milli=usage.value_milli, percent=usage.percent)


def _strangers(groups: GroupedPods, readings: Mapping[str, Reading]) -> list[PodValue]:
    """Readings of pods that the selector does not find: they have no request, but count in a mean."""
    known = {pod.name for pod in (*groups.ready, *groups.unready, *groups.missing, *groups.ignored)}
    return [PodValue(value_milli=reading.value_milli) for name, reading in readings.items() if name not in known]


def _confirmed(ratio: float, new_ratio: float, values: Sequence[PodValue], current: int, tolerance: Tolerance) -> int:
    """The count for the ratio with assumed values, unless these turned the direction round."""
    if tolerance.holds(new_ratio) or ratio < 1.0 < new_ratio or ratio > 1.0 > new_ratio:
        return current
    replicas = math.ceil(new_ratio * sum(each.count for each in values))
    if (new_ratio < 1.0 and replicas > current) or (new_ratio > 1.0 and replicas < current):
        return current
    return replicas
