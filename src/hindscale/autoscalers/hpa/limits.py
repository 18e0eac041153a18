"""Rate limits and bounds: how far the stabilized recommendation may go now.

Without a `behavior` the HPA at most doubles at each sync; with one, policies limit the change per period, and
only the limit in the direction of travel is applied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.autoscalers.hpa.behavior import (
    Behavior,
    PolicyType,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)

__all__ = ["Limited", "change_within", "limit", "limit_with_behavior", "scale_down_limit", "scale_up_limit"]

SCALE_UP_LIMIT_FACTOR, SCALE_UP_LIMIT_MINIMUM = 2.0, 4.0
MAX_INT32, MIN_INT32 = 2**31 - 1, -(2**31)  # where the original's search begins, and stays without any policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The number after rate limits and bounds.

    Attributes:
        replicas: The number to scale to.
        reason: Of the condition ScalingLimited.
        is_limited: This step changed the number.
    """

    replicas: int
    reason: str = "DesiredWithinRange"
    is_limited: bool = False


def limit(desired: int, *, current: int, min_replicas: int, max_replicas: int) -> Limited:
    """Without `behavior`: bounds, and at most max(2 · current, 4) at once.

    Source: kubernetes `horizontal.go`, convertDesiredReplicasWithRules.

    >>> limit(9, current=3, min_replicas=1, max_replicas=10)
    Limited(replicas=6, reason='ScaleUpLimit', is_limited=True)
    """
    highest_step = int(max(SCALE_UP_LIMIT_FACTOR * current, SCALE_UP_LIMIT_MINIMUM))
    if desired < min_replicas:
        return Limited(replicas=min_replicas, reason="TooFewReplicas", is_limited=True)
    return _at_most(desired, highest_step, max_replicas)


def limit_with_behavior(
    desired: int,
    *,
    current: int,
    min_replicas: int,
    max_replicas: int,
    behavior: Behavior,
    up_events: tuple[ScaleEvent, ...] = (),
    down_events: tuple[ScaleEvent, ...] = (),
    now_s: float,
) -> Limited:
    """With `behavior`: the rate limit and the bound in the direction of travel.

    Args:
        desired: The stabilized recommendation.
        current: Replicas now.
        min_replicas: Lower bound.
        max_replicas: Upper bound.
        behavior: The policies of both directions.
        up_events: Steps up that were taken; both logs enter both directions.
        down_events: Steps down that were taken.
        now_s: The time of the decision.

    Source: kubernetes `horizontal.go`, convertDesiredReplicasWithBehaviorRate.

    >>> limit_with_behavior(9, current=3, min_replicas=1, max_replicas=20, behavior=Behavior(), now_s=0)
    Limited(replicas=7, reason='ScaleUpLimit', is_limited=True)
    """
    if desired > current:
        most = scale_up_limit(current, behavior.scale_up, up_events=up_events, down_events=down_events, now_s=now_s)
        return _at_most(desired, max(most, current), max_replicas)
    if desired < current:
        least = scale_down_limit(
            current, behavior.scale_down, up_events=up_events, down_events=down_events, now_s=now_s
        )
        return _at_least(desired, min(least, current), min_replicas)
    return Limited(replicas=desired)


def _at_most(desired: int, rate_limit: int, max_replicas: int) -> Limited:
    if desired <= min(rate_limit, max_replicas):
        return Limited(replicas=desired)
    if max_replicas > rate_limit:
        return Limited(replicas=rate_limit, reason="ScaleUpLimit", is_limited=True)
    return Limited(replicas=max_replicas, reason="TooManyReplicas", is_limited=True)


def _at_least(desired: int, rate_limit: int, min_replicas: int) -> Limited:
    if desired >= max(rate_limit, min_replicas):
        return Limited(replicas=desired)
    if min_replicas < rate_limit:
        return Limited(replicas=rate_limit, reason="ScaleDownLimit", is_limited=True)
    return Limited(replicas=min_replicas, reason="TooFewReplicas", is_limited=True)


def scale_up_limit(
    current: int,
    rules: ScalingRules,
    *,
    up_events: tuple[ScaleEvent, ...] = (),
    down_events: tuple[ScaleEvent, ...] = (),
    now_s: float,
) -> int:
    """The highest count that the policies of scaleUp allow now; `current` if they are disabled.

    Pods: start + value. Percent: ⌈start · (1 + value / 100)⌉. Start is the count at the beginning of the
    policy's period: current - added + deleted within it. The ceiling is in doubles: 10 % up from 100 is 111.
    An API server takes no empty list of policies; with one, Max allows no step at all and Min any.

    Source: kubernetes `horizontal.go`, calculateScaleUpLimitWithScalingRules.

    >>> rules = ScalingRules(stabilization_window_s=0, policies=(
    ...     ScalingPolicy(type=PolicyType.PERCENT, value=10, period_s=60),))
    >>> scale_up_limit(100, rules, now_s=0)
    111
    """
    if rules.select_policy is SelectPolicy.DISABLED:
        return current

    def allowed(policy: ScalingPolicy) -> int:
        start = _period_start(current, policy, up_events, down_events, now_s)
        if policy.type is PolicyType.PODS:
            return start + policy.value
        return math.ceil(start * (1 + policy.value / 100))

    if rules.select_policy is SelectPolicy.MIN:
        return min((allowed(policy) for policy in rules.policies), default=MAX_INT32)
    return max((allowed(policy) for policy in rules.policies), default=MIN_INT32)


def scale_down_limit(
    current: int,
    rules: ScalingRules,
    *,
    up_events: tuple[ScaleEvent, ...] = (),
    down_events: tuple[ScaleEvent, ...] = (),
    now_s: float,
) -> int:
    """The lowest count that the policies of scaleDown allow now; `current` if they are disabled.

    Pods: start - value. Percent: trunc(start · (1 - value / 100)), in doubles: 80 % down from 5 is 0. `Max`
    is the largest change, so the smallest count.

    Source: kubernetes `horizontal.go`, calculateScaleDownLimitWithBehaviors.

    >>> rules = ScalingRules(stabilization_window_s=None, policies=(
    ...     ScalingPolicy(type=PolicyType.PERCENT, value=80, period_s=60),))
    >>> scale_down_limit(5, rules, now_s=0)
    0
    """
    if rules.select_policy is SelectPolicy.DISABLED:
        return current

    def allowed(policy: ScalingPolicy) -> int:
        start = _period_start(current, policy, up_events, down_events, now_s)
        if policy.type is PolicyType.PODS:
            return start - policy.value
        return math.trunc(start * (1 - policy.value / 100))

    if rules.select_policy is SelectPolicy.MIN:
        return max((allowed(policy) for policy in rules.policies), default=MIN_INT32)
    return min((allowed(policy) for policy in rules.policies), default=MAX_INT32)


def change_within(period_s: float, events: tuple[ScaleEvent, ...], *, now_s: float) -> int:
    """Pods added or removed strictly after now - period.

    >>> change_within(60, (ScaleEvent(size=3, time_s=40), ScaleEvent(size=2, time_s=41)), now_s=100)
    2
    """
    return sum(event.size for event in events if event.time_s > now_s - period_s)


def _period_start(
    current: int,
    policy: ScalingPolicy,
    up_events: tuple[ScaleEvent, ...],
    down_events: tuple[ScaleEvent, ...],
    now_s: float,
) -> int:
    added = change_within(policy.period_s, up_events, now_s=now_s)
    deleted = change_within(policy.period_s, down_events, now_s=now_s)
    return current - added + deleted
