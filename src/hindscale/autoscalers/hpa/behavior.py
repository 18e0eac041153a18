"""How fast an HPA may move: the `behavior` of its spec, and the logs it keeps for that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "DEFAULT_SCALE_DOWN",
    "DEFAULT_SCALE_UP",
    "Behavior",
    "PolicyType",
    "Recommendation",
    "ScaleEvent",
    "ScalingPolicy",
    "ScalingRules",
    "SelectPolicy",
    "logged_recommendation",
    "stored_events",
]


class PolicyType(StrEnum):
    """What a scaling policy counts in."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies holds: that with the largest change, the smallest, or none at all."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPolicy:
    """At most so many pods, or so many percent, within a period.

    Attributes:
        type: What `value` counts in.
        value: Pods or percent; > 0.
        period_s: periodSeconds; in (0, 1800].
    """

    type: PolicyType
    value: int
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules:
    """The rules of one direction.

    Attributes:
        stabilization_window_s: stabilizationWindowSeconds, in [0, 3600]; None for the controller's own.
        select_policy: Which policy holds.
        policies: The policies; at least one.
        tolerance: Relative error that is left alone in this direction; None for the controller's own.
    """

    stabilization_window_s: float | None
    select_policy: SelectPolicy = SelectPolicy.MAX
    policies: tuple[ScalingPolicy, ...]
    tolerance: float | None = None


DEFAULT_SCALE_UP = ScalingRules(
    stabilization_window_s=0.0,
    policies=(
        ScalingPolicy(type=PolicyType.PODS, value=4, period_s=15.0),
        ScalingPolicy(type=PolicyType.PERCENT, value=100, period_s=15.0),
    ),
)
DEFAULT_SCALE_DOWN = ScalingRules(
    stabilization_window_s=None,
    policies=(ScalingPolicy(type=PolicyType.PERCENT, value=100, period_s=15.0),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """Both directions. An HPA without any `behavior` follows another algorithm, not these defaults.

    Source: kubernetes `pkg/apis/autoscaling/v2/defaults.go`.
    """

    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What the metrics wanted at a time, before stabilization."""

    replicas: int
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleEvent:
    """A step that was taken.

    Attributes:
        size: Pods added or removed; > 0.
        time_s: When.
        is_outdated: Older than every period of its direction: the next event may take its place.
    """

    size: int
    time_s: float
    is_outdated: bool = False


def logged_recommendation(
    log: tuple[Recommendation, ...], replicas: int, *, now_s: float, outdated_before_s: float
) -> tuple[Recommendation, ...]:
    """The log with a new entry: in place of the *last* one dated before `outdated_before_s`, else at the end.

    >>> log = tuple(Recommendation(replicas=n, time_s=at) for n, at in ((1, 10), (2, 20), (3, 90)))
    >>> [each.replicas for each in logged_recommendation(log, 7, now_s=100, outdated_before_s=50)]
    [1, 7, 3]
    """
    new = Recommendation(replicas=replicas, time_s=now_s)
    for index in range(len(log) - 1, -1, -1):
        if log[index].time_s < outdated_before_s:
            return (*log[:index], new, *log[index + 1 :])
    return (*log, new)


def stored_events(
    events: tuple[ScaleEvent, ...], rules: ScalingRules, *, change: int, now_s: float
) -> tuple[ScaleEvent, ...]:
    """One direction's event log after a step in that direction.

    Every entry older than the longest period of the rules is marked outdated; the *last* outdated one gives
    its place to the new event, else that goes to the end.

    Args:
        events: The log before.
        rules: The rules of the step's direction.
        change: Pods added or removed; > 0.
        now_s: The time of the step.

    Source: kubernetes `horizontal.go`, storeScaleEvent.

    >>> rules = DEFAULT_SCALE_UP
    >>> stored_events((ScaleEvent(size=3, time_s=0), ScaleEvent(size=4, time_s=90)), rules, change=5, now_s=100)
    (ScaleEvent(size=5, time_s=100, is_outdated=False), ScaleEvent(size=4, time_s=90, is_outdated=False))
    """
    oldest_s = now_s - longest_period_s(rules)
    marked = [
        ScaleEvent(size=event.size, time_s=event.time_s, is_outdated=event.is_outdated or event.time_s < oldest_s)
        for event in events
    ]
    new = ScaleEvent(size=change, time_s=now_s)
    for index in range(len(marked) - 1, -1, -1):
        if marked[index].is_outdated:
            marked[index] = new
            return tuple(marked)
    return (*marked, new)


def longest_period_s(rules: ScalingRules) -> float:
    """The longest period among the policies."""
    return max((policy.period_s for policy in rules.policies), default=0.0)
