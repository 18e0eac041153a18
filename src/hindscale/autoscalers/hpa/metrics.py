"""The metrics of an HPA: what each one targets, and what it proposes for what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hindscale.autoscalers.hpa.calculator import Proposal, replicas_for_average, replicas_for_utilization
from hindscale.autoscalers.hpa.pods import Pod, Reading
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.autoscalers.hpa.totals import external_total, replicas_for_average_value, replicas_for_value
from hindscale.core.errors import MetricsUnavailable

__all__ = ["DEFAULT_METRIC", "Failure", "Metric", "MetricType", "Sample", "TargetType", "propose"]


class MetricType(StrEnum):
    """Where a metric comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class TargetType(StrEnum):
    """What a metric is held against."""

    UTILIZATION = "Utilization"
    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of an HPA's spec.

    Attributes:
        type: Where it comes from.
        name: The resource's or the metric's name.
        target_type: Utilization for (Container)Resource alone; Value for Object and External alone.
        target: Percent of the request for Utilization, else milli units; > 0.
        container: The container of a ContainerResource metric.
    """

    type: MetricType
    name: str
    target_type: TargetType
    target: int
    container: str = ""

    @property
    def is_of_pods(self) -> bool:
        """Whether it is measured pod by pod."""
        return self.type not in {MetricType.OBJECT, MetricType.EXTERNAL}


DEFAULT_METRIC = Metric(type=MetricType.RESOURCE, name="cpu", target_type=TargetType.UTILIZATION, target=80)
"""What an HPA without metrics follows."""

Sample = Mapping[str, Reading] | Sequence[int] | str
"""What was measured: a reading a pod; milli values of an External metric's series or an Object's one; or an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A metric that proposes nothing.

    Attributes:
        reason: Of the condition ScalingActive, such as FailedGetPodsMetric.
        message: What went wrong.
    """

    reason: str
    message: str


def propose(
    metric: Metric,
    sample: Sample,
    *,
    pods: Sequence[Pod],
    current: int,
    status_replicas: int,
    now_s: float,
    tolerance: Tolerance | None = None,
    settings: Settings | None = None,
) -> Proposal | Failure:
    """What one metric wants, or why it cannot say.

    Args:
        metric: The metric and its target.
        sample: What was measured; a text is an error of the metrics API.
        pods: All that the selector finds.
        current: Replicas in the scale's spec.
        status_replicas: Replicas in the scale's status: what AverageValue targets of Object and External
            metrics divide by.
        now_s: The time of the decision.
        tolerance: What is left alone; by default the controller's.
        settings: The controller's.

    Source: kubernetes `horizontal.go`, computeReplicasForMetric.
    """
    settings = settings or Settings()
    if tolerance is None:
        is_two_sided = settings.release.has_two_tolerances
        tolerance = Tolerance(up=settings.tolerance, down=settings.tolerance, is_two_sided=is_two_sided)
    if isinstance(sample, str):
        return _failure(metric, sample)
    try:
        if isinstance(sample, Mapping):
            return _of_pods(metric, sample, pods, current, now_s, tolerance, settings)
        return _of_service(metric, sample, pods, current, status_replicas, tolerance)
    except MetricsUnavailable as error:
        return _failure(metric, str(error))


def _failure(metric: Metric, message: str) -> Failure:
    return Failure(reason=f"FailedGet{metric.type}Metric", message=message)


def _of_pods(
    metric: Metric,
    readings: Mapping[str, Reading],
    pods: Sequence[Pod],
    current: int,
    now_s: float,
    tolerance: Tolerance,
    settings: Settings,
) -> Proposal:
    # Only resources have a name that the readiness rules know: a Pods metric called "cpu" is no resource.
    resource = "" if metric.type is MetricType.PODS else metric.name
    if metric.target_type is TargetType.UTILIZATION:
        return replicas_for_utilization(
            pods,
            readings,
            target_percent=metric.target,
            current=current,
            resource=resource,
            container=metric.container,
            now_s=now_s,
            tolerance=tolerance,
            settings=settings,
        )
    return replicas_for_average(
        pods,
        readings,
        target_milli=metric.target,
        current=current,
        resource=resource,
        now_s=now_s,
        tolerance=tolerance,
        settings=settings,
    )


def _of_service(
    metric: Metric,
    series_milli: Sequence[int],
    pods: Sequence[Pod],
    current: int,
    status_replicas: int,
    tolerance: Tolerance,
) -> Proposal:
    total_milli = external_total(series_milli)
    if metric.type is MetricType.OBJECT and len(series_milli) != 1:
        raise MetricsUnavailable(f"expected one value of the object metric, got {len(series_milli)}")
    if metric.target_type is TargetType.VALUE:
        return replicas_for_value(
            total_milli, target_milli=metric.target, current=current, pods=pods, tolerance=tolerance
        )
    return replicas_for_average_value(
        total_milli, target_milli=metric.target, status_replicas=status_replicas, tolerance=tolerance
    )
