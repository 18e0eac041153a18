"""Stabilization windows: what the metrics want now, held against what they wanted lately.

Without a `behavior` the HPA holds the highest recommendation of five minutes; with one, each direction has a
window. Both come before rate limits and bounds, and log the number as it was before them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.autoscalers.hpa.behavior import Recommendation, logged_recommendation

__all__ = ["DOWNSCALE_STABILIZATION_S", "Stabilized", "stabilize", "stabilize_with_behavior"]

DOWNSCALE_STABILIZATION_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilized:
    """The recommendation after the stabilization windows.

    Attributes:
        replicas: The number that goes on to the limits.
        reason: ReadyForNewScale, ScaleUpStabilized or ScaleDownStabilized, of the condition AbleToScale.
        log: The recommendations with this one, unstabilized, among them.
    """

    replicas: int
    reason: str
    log: tuple[Recommendation, ...]


def stabilize(
    desired: int, log: tuple[Recommendation, ...], *, now_s: float, window_s: float = DOWNSCALE_STABILIZATION_S
) -> Stabilized:
    """Without `behavior`: the highest of `desired` and the recommendations since now - window, that instant too.

    Args:
        desired: What the metrics want.
        log: Recommendations so far.
        now_s: The time of the decision.
        window_s: --horizontal-pod-autoscaler-downscale-stabilization.

    Source: kubernetes `horizontal.go`, stabilizeRecommendation.

    >>> stabilize(2, (Recommendation(replicas=5, time_s=0),), now_s=300).replicas
    5
    >>> stabilize(2, (Recommendation(replicas=5, time_s=0),), now_s=300.001).replicas
    2
    """
    since_s = now_s - window_s
    highest = max((each.replicas for each in log if each.time_s >= since_s), default=desired)
    stabilized = max(desired, highest)
    return Stabilized(
        replicas=stabilized,
        reason="ScaleDownStabilized" if stabilized != desired else "ReadyForNewScale",
        log=logged_recommendation(log, desired, now_s=now_s, outdated_before_s=since_s),
    )


def stabilize_with_behavior(
    desired: int,
    log: tuple[Recommendation, ...],
    *,
    current: int,
    now_s: float,
    up_window_s: float,
    down_window_s: float,
) -> Stabilized:
    """With `behavior`: up only to the lowest of the up window, down only to the highest of the down window.

    Recommendations count strictly after now - window.

    Args:
        desired: What the metrics want.
        log: Recommendations so far.
        current: Replicas now; it stays unless it lies outside of the two bounds.
        now_s: The time of the decision.
        up_window_s: The window of scaleUp.
        down_window_s: The window of scaleDown.

    Source: kubernetes `horizontal.go`, stabilizeRecommendationWithBehaviors.

    >>> log = (Recommendation(replicas=5, time_s=0),)
    >>> [stabilize_with_behavior(9, log, current=4, now_s=now_s, up_window_s=60, down_window_s=300).replicas
    ...  for now_s in (59, 60)]
    [5, 9]
    """
    up_since_s, down_since_s = now_s - up_window_s, now_s - down_window_s
    lowest = min((each.replicas for each in log if each.time_s > up_since_s), default=desired)
    highest = max((each.replicas for each in log if each.time_s > down_since_s), default=desired)
    lowest, highest = min(desired, lowest), max(desired, highest)
    stabilized = min(max(current, lowest), highest)
    reason = "ReadyForNewScale"
    if stabilized != desired:
        reason = "ScaleUpStabilized" if desired >= current else "ScaleDownStabilized"
    oldest_s = min(up_since_s, down_since_s)
    new_log = logged_recommendation(log, desired, now_s=now_s, outdated_before_s=oldest_s)
    return Stabilized(replicas=stabilized, reason=reason, log=new_log)
