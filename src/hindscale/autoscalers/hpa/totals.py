"""The replica calculator for Object and External metrics: one number for the service as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hindscale.autoscalers.hpa.calculator import MAX_REPLICAS, Proposal
from hindscale.autoscalers.hpa.pods import Pod, ready_pods
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.core.errors import MetricsUnavailable

__all__ = ["MAX_TOTAL", "external_total", "replicas_for_average_value", "replicas_for_value"]

MAX_TOTAL = 2**63 - 1
_TOLERANCE = Tolerance()


def external_total(series_milli: Sequence[int]) -> int:
    """An External metric: the sum of its series, at most 2^63 - 1.

    Raises:
        MetricsUnavailable: If there is no series: an empty answer is not a zero.

    >>> external_total([12_500, 500])
    13000
    """
    if not series_milli:
        raise MetricsUnavailable("no metrics returned from external metrics API")
    return min(sum(series_milli), MAX_TOTAL)


def replicas_for_value(
    usage_milli: int,
    *,
    target_milli: int,
    current: int,
    pods: Sequence[Pod] = (),
    tolerance: Tolerance = _TOLERANCE,
) -> Proposal:
    """Replicas for a Value target: ⌈usage / target · ready pods⌉, or `current` within the tolerance.

    From 0 replicas ⌈usage / target⌉, with no tolerance. If no pod is ready this is 0, whatever the load.
    Releases before the newest leave counts above 2^31 - 1 undefined; here they are held there in all.

    Args:
        usage_milli: The metric.
        target_milli: value in milli; > 0.
        current: Replicas in the scale's spec.
        pods: All that the selector finds.
        tolerance: What is left alone.

    Raises:
        MetricsUnavailable: If the ready pods must be counted, and there are none of any kind.

    Source: kubernetes `replica_calculator.go`, getUsageRatioReplicaCount.

    >>> replicas_for_value(30_000, target_milli=20_000, current=0).replicas
    2
    >>> replicas_for_value(30_000, target_milli=20_000, current=4, pods=[Pod(name="a", count=3)]).replicas
    5
    """
    ratio = float(usage_milli) / float(target_milli)  # as the original: each rounded first
    if current == 0:
        replicas = math.ceil(ratio)
    elif tolerance.holds(ratio):
        replicas = current
    else:
        replicas = math.ceil(ratio * ready_pods(pods))
    return Proposal(replicas=min(replicas, MAX_REPLICAS), value_milli=usage_milli)


def replicas_for_average_value(
    usage_milli: int, *, target_milli: int, status_replicas: int, tolerance: Tolerance = _TOLERANCE
) -> Proposal:
    """Replicas for an AverageValue target: ⌈usage / target⌉, or the *status* count within the tolerance.

    The status count is not the spec's while a scaling step or a rollout is under way. Readiness of pods plays
    no part.

    Args:
        usage_milli: The metric.
        target_milli: averageValue in milli; > 0.
        status_replicas: Replicas in the scale's status.
        tolerance: What is left alone.

    Source: kubernetes `replica_calculator.go`, GetExternalPerPodMetricReplicas.

    >>> replicas_for_average_value(120_000, target_milli=50_000, status_replicas=10).replicas
    3
    """
    # With a status of 0 the ratio is infinite, or not a number: never inside.
    if status_replicas and tolerance.holds(float(usage_milli) / (float(target_milli) * status_replicas)):
        replicas = status_replicas
    else:
        replicas = math.ceil(float(usage_milli) / float(target_milli))
    mean_milli = math.ceil(float(usage_milli) / status_replicas) if status_replicas else None
    if usage_milli >= MAX_TOTAL:
        mean_milli = MAX_TOTAL  # a total that was clamped is not divided
    return Proposal(replicas=min(replicas, MAX_REPLICAS), value_milli=mean_milli)
