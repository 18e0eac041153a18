"""Utilization thresholds: out above T_U, in below T_L.

The rules in circulation round the ratio before they multiply it with the fleet:

    out, when U > T_U:   N_new = ⌈U / T_U⌉ * N - N        (replicas to add)
    in,  when U < T_L:   N_del = N - ⌊U / T_L⌋ * N        (replicas to remove)

So any excess at least doubles the fleet, and any shortfall removes all of it, down to the bounds
(`rounding="ratio"`). The proportional reading multiplies first and rounds the count
(`rounding="product"`, the default): ⌈N * U / T_U⌉ replicas out, ⌊N * U / T_L⌋ in, and never fewer
than one while there is load.
"""

from __future__ import annotations

from typing import Literal

from hindscale.core.checks import require_count, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.rounding import ceil, floor

__all__ = ["ROUNDINGS", "Rounding", "scale_in_replicas", "scale_out_replicas"]

Rounding = Literal["product", "ratio"]
ROUNDINGS: tuple[Rounding, ...] = ("product", "ratio")


def scale_out_replicas(replicas: int, utilization: float, upper: float, *, rounding: Rounding = "product") -> int:
    """Fleet size after scaling out; the same size when utilization does not exceed the threshold.

    Args:
        replicas: N, replicas that the utilization was measured over; >= 0.
        utilization: U, their mean utilization as a fraction; >= 0, may exceed 1.
        upper: T_U, > 0.
        rounding: "product" gives ⌈N * U / T_U⌉, "ratio" gives ⌈U / T_U⌉ * N.

    Raises:
        ParameterError: If a value is out of its range.

    Source: utilization-threshold autoscaling as published; `product` is also Kubernetes HPA's
    ⌈current * metric / target⌉.

    >>> scale_out_replicas(10, 0.9, upper=0.8)
    12
    >>> scale_out_replicas(10, 0.9, upper=0.8, rounding="ratio")
    20
    """
    _check(replicas, utilization, rounding)
    require_positive(upper=upper)
    if utilization <= upper:
        return replicas
    return ceil(utilization / upper) * replicas if rounding == "ratio" else ceil(replicas * utilization / upper)


def scale_in_replicas(replicas: int, utilization: float, lower: float, *, rounding: Rounding = "product") -> int:
    """Fleet size after scaling in; the same size when utilization does not fall below the threshold.

    Args:
        replicas: N, replicas that the utilization was measured over; >= 0.
        utilization: U, their mean utilization as a fraction; >= 0.
        lower: T_L, > 0.
        rounding: "product" gives ⌊N * U / T_L⌋, at least 1 while U > 0; "ratio" gives ⌊U / T_L⌋ * N, which
            is always 0 here: the bounds decide.

    Raises:
        ParameterError: If a value is out of its range.

    Source: as `scale_out_replicas`.

    >>> scale_in_replicas(10, 0.3, lower=0.4), scale_in_replicas(10, 0.01, lower=0.4)
    (7, 1)
    >>> scale_in_replicas(10, 0.3, lower=0.4, rounding="ratio")
    0
    """
    _check(replicas, utilization, rounding)
    require_positive(lower=lower)
    if utilization >= lower:
        return replicas
    if rounding == "ratio":
        return floor(utilization / lower) * replicas
    at_least = 1 if utilization > 0 and replicas else 0
    return max(floor(replicas * utilization / lower), at_least)


def _check(replicas: int, utilization: float, rounding: str) -> None:
    require_count(replicas=replicas)
    require_nonnegative(utilization=utilization)
    if rounding not in ROUNDINGS:
        raise ParameterError(f"rounding must be 'product' or 'ratio', was {rounding!r}")
