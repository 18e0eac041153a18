"""Replicas for a load that is known: in requests at a time, or in requests per second."""

from __future__ import annotations

from hindscale.core.checks import require_fraction, require_nonnegative, require_positive
from hindscale.core.rounding import ceil

__all__ = ["replicas_for_load", "replicas_for_rate"]


def replicas_for_load(requests: float, target_per_replica: float) -> int:
    """Replicas that bring the mean load per replica down to its target: ⌈requests / target⌉.

    Args:
        requests: In service plus queued, over all replicas; >= 0.
        target_per_replica: Wanted mean per replica; > 0.

    Returns:
        A count >= 0, before tolerance, stabilization and bounds.

    Raises:
        ParameterError: If `requests` is negative or `target_per_replica` is not positive.

    Source: Kubernetes HPA, AverageValue metrics; Knative KPA, concurrency.

    >>> replicas_for_load(120.0, target_per_replica=50.0)
    3
    """
    require_nonnegative(requests=requests)
    require_positive(target_per_replica=target_per_replica)
    return ceil(requests / target_per_replica)


def replicas_for_rate(rate_rps: float, *, capacity_rps: float, alpha: float = 0.8) -> int:
    """Replicas that serve a rate with headroom: ⌈R / (alpha * C)⌉.

    Args:
        rate_rps: R, requests per second over all replicas; >= 0.
        capacity_rps: C, requests per second that one replica sustains within the SLO; > 0.
        alpha: Share of C that is planned for, in (0, 1]; usually 0.7 to 0.9.

    Returns:
        A count >= 0.

    Raises:
        ParameterError: If a value is out of its range.

    Source: predictive autoscaling, N = ⌈R_max / (alpha * C)⌉ with R_max the highest forecast rate.

    >>> replicas_for_rate(100.0, capacity_rps=10.0, alpha=0.8)
    13
    """
    require_nonnegative(rate_rps=rate_rps)
    require_positive(capacity_rps=capacity_rps)
    require_fraction(alpha=alpha)
    return ceil(rate_rps / (alpha * capacity_rps))
