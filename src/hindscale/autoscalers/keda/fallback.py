"""A number in place of a metric that cannot be read: KEDA's fallback, metric by metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from hindscale.autoscalers.keda.values import milli_as_float
from hindscale.core.errors import MetricsUnavailable

__all__ = ["Fallback", "FallbackBehavior", "failures_after", "fallback_milli", "fallback_replicas", "is_falling_back"]


class FallbackBehavior(StrEnum):
    """How many replicas a fallback stands for."""

    STATIC = "static"
    CURRENT_REPLICAS = "currentReplicas"
    CURRENT_REPLICAS_IF_HIGHER = "currentReplicasIfHigher"
    CURRENT_REPLICAS_IF_LOWER = "currentReplicasIfLower"
    SCALING_MODIFIERS = "scalingModifiers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """`spec.fallback`.

    Attributes:
        failure_threshold: failureThreshold: errors in a row that are still passed on.
        replicas: fallback.replicas.
        behavior: How many replicas it stands for.
    """

    failure_threshold: int
    replicas: int
    behavior: FallbackBehavior = FallbackBehavior.STATIC


def failures_after(failures: int, *, has_failed: bool) -> int:
    """Failures of one metric in a row; a success ends the row. Polls and the HPA's queries count alike.

    >>> failures_after(3, has_failed=True), failures_after(3, has_failed=False)
    (4, 0)
    """
    return failures + 1 if has_failed else 0


def is_falling_back(fallback: Fallback | None, failures: int) -> bool:
    """Whether a metric is faked: only above the threshold; until then the HPA sees the error.

    >>> fallback = Fallback(failure_threshold=3, replicas=6)
    >>> is_falling_back(fallback, 3), is_falling_back(fallback, 4), is_falling_back(None, 99)
    (False, True, False)
    """
    return fallback is not None and failures > fallback.failure_threshold


def fallback_replicas(fallback: Fallback, current: int) -> int:
    """R, the replicas that a fallback stands for.

    Args:
        fallback: The settings.
        current: Replicas now.

    >>> lower = Fallback(failure_threshold=3, replicas=6, behavior=FallbackBehavior.CURRENT_REPLICAS_IF_LOWER)
    >>> fallback_replicas(lower, 4), fallback_replicas(lower, 9)
    (4, 6)
    """
    return {
        FallbackBehavior.CURRENT_REPLICAS: current,
        FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER: max(current, fallback.replicas),
        FallbackBehavior.CURRENT_REPLICAS_IF_LOWER: min(current, fallback.replicas),
    }.get(fallback.behavior, fallback.replicas)


def fallback_milli(target_milli: int, replicas: int, *, is_value: bool = False, ready_replicas: int = 0) -> int:
    """The faked metric in milli units, truncated: target · R, and target · R / ready replicas for a Value target.

    Args:
        target_milli: The metric's target, in milli units.
        replicas: R.
        is_value: Whether the target is of type Value; else AverageValue.
        ready_replicas: Replicas that are ready; for a Value target alone.

    Raises:
        MetricsUnavailable: For a Value target, if no replica is ready.

    Source: keda `pkg/fallback/fallback.go`.

    >>> fallback_milli(5_000, 6), fallback_milli(5_000, 6, is_value=True, ready_replicas=4)
    (30000, 7500)
    """
    factor = float(replicas)
    if is_value:
        if ready_replicas == 0:
            raise MetricsUnavailable("fallback for a Value target needs a ready replica")
        factor /= ready_replicas
    # Doubles in the original's order: their last bits decide what is cut off.
    return math.trunc(milli_as_float(target_milli) * 1000 * factor)
