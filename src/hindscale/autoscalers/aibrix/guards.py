"""What stands between a recommendation and the fleet: pending replicas, and the cooldown windows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.autoscalers.aibrix.algorithms import ScalingContext

__all__ = ["GUARDED_SOURCES", "Recommendation", "pending_guard", "stabilized"]

GUARDED_SOURCES = ("pod", "resource")
"""Metrics that are means over pods; only for these does a pending pod make a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What one metric asks for.

    Attributes:
        replicas: Within minimum and maximum.
        metric_value: The average it was computed from.
        target: The metric's target.
        source: Of the metric: pod, resource, custom, external or domain.
        reason: Why.
    """

    replicas: int
    metric_value: float
    target: float
    source: str = "pod"
    reason: str = ""


def pending_guard(
    recommendation: Recommendation, *, current: int, ready: int, pending: int, strategy: str
) -> Recommendation:
    """The recommendation, corrected for replicas that do not report yet.

    When growing, pending replicas are taken to use nothing; when shrinking, exactly the target. The
    correction only goes towards the current size, never past it, and never past the recommendation.

    Args:
        recommendation: The largest of all metrics.
        current: Replicas asked for now.
        ready: How many of them are ready.
        pending: How many pods are pending; none leaves everything as it is.
        strategy: APA or KPA.

    Source: AIBrix `pkg/controller/podautoscaler/autoscaler.go`.

    >>> wants_eight = Recommendation(replicas=8, metric_value=80.0, target=40.0)
    >>> pending_guard(wants_eight, current=4, ready=2, pending=2, strategy="APA").replicas  # 4 * (80 / 2) / 40
    4
    """
    waiting = current - min(max(ready, 0), current)
    if recommendation.source not in GUARDED_SOURCES or pending <= 0 or waiting <= 0 or current <= 0:
        return recommendation
    if recommendation.replicas == current or recommendation.target <= 0:
        return recommendation
    ready = current - waiting
    if recommendation.replicas > current:
        replicas = _growing(recommendation, current=current, ready=ready, strategy=strategy)
        replicas = min(max(replicas, current), recommendation.replicas)
        reason = "scale-up adjusted: pending replicas treated as missing metrics"
    else:
        replicas = _shrinking(recommendation, current=current, ready=ready, waiting=waiting, strategy=strategy)
        replicas = max(min(replicas, current), recommendation.replicas)
        reason = "scale-down adjusted: pending replicas treated at target utilization"
    if replicas == recommendation.replicas:
        return recommendation
    return replace(recommendation, replicas=replicas, reason=reason)


def _growing(recommendation: Recommendation, *, current: int, ready: int, strategy: str) -> int:
    adjusted = recommendation.metric_value * ready / current
    if strategy == "APA":
        return math.ceil(current * adjusted / recommendation.target)
    return math.ceil(adjusted / recommendation.target)


def _shrinking(recommendation: Recommendation, *, current: int, ready: int, waiting: int, strategy: str) -> int:
    total = recommendation.metric_value * ready + recommendation.target * waiting
    if strategy == "APA":
        return math.ceil(current * (total / current) / recommendation.target)
    return math.ceil(total / recommendation.target)


History = tuple[tuple[float, int], ...]


def stabilized(
    recommended: int, *, current: int, history: History, now_s: float, context: ScalingContext
) -> tuple[int, History]:
    """Growth takes the largest recommendation of its window, shrinking the smallest of its own.

    Unlike the stabilization of Kubernetes' HPA, shrinking takes the *smallest*: the window does not wait,
    it makes a low recommendation count for as long as it is remembered. A recommendation exactly as old as
    the window is out of it.

    Args:
        recommended: Now.
        current: Replicas asked for now.
        history: Times and recommendations, oldest first.
        now_s: The time.
        context: The two windows.

    Returns:
        The stabilized count, and the history with this recommendation and without what no window reaches.

    Source: AIBrix `pkg/controller/podautoscaler/podautoscaler_controller.go`, stabilizeRecommendation.

    >>> stabilized(6, current=8, history=((0.0, 3),), now_s=100.0, context=ScalingContext())[0]
    3
    """
    longest_s = max(context.scale_up_cooldown_s, context.scale_down_cooldown_s)
    history = tuple(one for one in (*history, (now_s, recommended)) if one[0] > now_s - longest_s)
    if recommended == current:
        return current, history
    grows = recommended > current
    window_s = context.scale_up_cooldown_s if grows else context.scale_down_cooldown_s
    within = [one for time_s, one in history if time_s > now_s - window_s]
    if not within:
        return recommended, history
    return (max(within) if grows else min(within)), history
