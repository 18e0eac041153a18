"""Usage against its target: integer percent of what was requested, or the pods' mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hindscale.core.errors import MetricsUnavailable

__all__ = ["PodValue", "Usage", "average_usage", "truncated", "utilization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodValue:
    """What a pod used, or is assumed to have used.

    Attributes:
        value_milli: In thousandths of the metric's unit.
        request_milli: Of the resource; None where it is not known or plays no part.
        count: How many equal pods this stands for.
    """

    value_milli: int
    request_milli: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Usage against its target.

    Attributes:
        ratio: Usage / target.
        value_milli: Mean of the pods, truncated.
        percent: Of the request, truncated; None where there is no request.
    """

    ratio: float
    value_milli: int
    percent: int | None = None


def utilization(values: Iterable[PodValue], target_percent: int) -> Usage:
    """Total usage over total request as an *integer* percent, truncated before it is compared.

    ratio = trunc(100 · Σ usage / Σ request) / target.

    Args:
        values: What was used; pods whose request is not known are left out.
        target_percent: averageUtilization; > 0.

    Raises:
        MetricsUnavailable: If no pod has a request, or nothing is requested.

    Source: kubernetes `metrics/utilization.go`, GetResourceUtilizationRatio.

    >>> utilization([PodValue(value_milli=1109, request_milli=1000)], 100)
    Usage(ratio=1.1, value_milli=1109, percent=110)
    """
    total = requested = pods = 0
    for each in values:
        if each.request_milli is not None:
            total += each.value_milli * each.count
            requested += each.request_milli * each.count
            pods += each.count
    if requested == 0:
        raise MetricsUnavailable("no metrics returned matched known pods")
    percent = truncated(total * 100, requested)
    return Usage(ratio=percent / target_percent, value_milli=truncated(total, pods), percent=percent)


def average_usage(values: Iterable[PodValue], target_milli: int) -> Usage:
    """Mean usage, truncated to whole milli units, over its target.

    Args:
        values: What was used, at least one.
        target_milli: averageValue; > 0.

    Source: kubernetes `metrics/utilization.go`, GetMetricUsageRatio.

    >>> average_usage([PodValue(value_milli=1000), PodValue(value_milli=2001)], 1000)
    Usage(ratio=1.5, value_milli=1500, percent=None)
    """
    total = pods = 0
    for each in values:
        total += each.value_milli * each.count
        pods += each.count
    mean = truncated(total, pods)
    return Usage(ratio=mean / target_milli, value_milli=mean)


def truncated(numerator: int, denominator: int) -> int:
    """Integer division towards zero, as machines do it.

    >>> truncated(7, 2), truncated(-7, 2)
    (3, -3)
    """
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator >= 0) == (denominator >= 0) else -quotient
