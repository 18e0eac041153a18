"""Simple and step rules, and the event-triggered tasks that execute them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hindscale.autoscalers._steps import StepAdjustment, step_for
from hindscale.core.checks import require_at_least, require_count, require_finite, require_nonnegative
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.rounding import nearest

__all__ = [
    "ADJUSTMENT_TYPES",
    "COMPARISONS",
    "TriggeredRule",
    "adjusted_instances",
    "is_triggered",
    "rounded_percent",
    "rule_instances",
]

ADJUSTMENT_TYPES = ("QuantityChangeInCapacity", "PercentChangeInCapacity", "TotalCapacity")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggeredRule:
    """A simple or step rule and the event-triggered task that executes it.

    Attributes:
        threshold: Of the task, in the metric's unit.
        comparison: >=, <=, > or <.
        evaluation_count: Datapoints in a row that must breach; >= 1.
        adjustment_type: QuantityChangeInCapacity, PercentChangeInCapacity or TotalCapacity.
        steps: Adjustments by distance from the threshold; a simple rule has one without bounds.
        min_adjustment_magnitude: Least change of a percentage, >= 0.
        cooldown_s: Of a simple rule, >= 0.
    """

    threshold: float
    comparison: str = ">="
    evaluation_count: int = 3
    adjustment_type: str = "QuantityChangeInCapacity"
    steps: tuple[StepAdjustment, ...]
    min_adjustment_magnitude: int = 0
    cooldown_s: float = 300.0

    def __post_init__(self) -> None:
        require_finite(threshold=self.threshold)
        require_at_least(1, evaluation_count=self.evaluation_count)
        require_count(min_adjustment_magnitude=self.min_adjustment_magnitude)
        require_nonnegative(cooldown_s=self.cooldown_s)
        for name, known in (("comparison", COMPARISONS), ("adjustment_type", ADJUSTMENT_TYPES)):
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ParameterError(f"{name}: nobody knows {value!r}; {did_you_mean(value, known)}")


def is_triggered(
    datapoints: Sequence[float | None], *, threshold: float, comparison: str, evaluation_count: int
) -> bool:
    """Whether the latest datapoints all breach; a missing one is no breach.

    Source: Alibaba Cloud Auto Scaling, CreateAlarm, EvaluationCount. What a missing datapoint does is our reading.

    >>> is_triggered((60.0, 82.0, 80.0), threshold=80.0, comparison=">=", evaluation_count=2)
    True
    """
    latest = datapoints[-evaluation_count:]
    breaches = COMPARISONS[comparison]
    return len(latest) == evaluation_count and all(one is not None and breaches(one, threshold) for one in latest)


def rounded_percent(change: float) -> int:
    """A change of instances, to the nearest whole number, halves away from zero.

    Source: Alibaba Cloud Auto Scaling, CreateScalingRule: rounded to the nearest integer. Where halves go is
    not said.

    >>> [rounded_percent(change) for change in (2.4, 2.5, 0.4, -0.5, -2.4)]
    [2, 3, 0, -1, -2]
    """
    return int(math.copysign(nearest(abs(change)), change))


def adjusted_instances(
    instances: int, adjustment: int, *, adjustment_type: str, min_adjustment_magnitude: int = 0
) -> int:
    """The instances after one adjustment, before the group's minimum and maximum; never below 0.

    Args:
        instances: What is adjusted; >= 0.
        adjustment: A number of instances, a percentage of `instances`, or the total itself.
        adjustment_type: QuantityChangeInCapacity, PercentChangeInCapacity or TotalCapacity.
        min_adjustment_magnitude: Least change of a percentage; it also lifts one that rounds to nothing.

    Source: Alibaba Cloud Auto Scaling, CreateScalingRule.

    >>> adjusted_instances(10, 25, adjustment_type="PercentChangeInCapacity")
    13
    """
    if adjustment_type == "TotalCapacity":
        return max(0, adjustment)
    if adjustment_type == "QuantityChangeInCapacity":
        return max(0, instances + adjustment)
    change = rounded_percent(instances * adjustment / 100)
    if adjustment and abs(change) < min_adjustment_magnitude:
        change = int(math.copysign(min_adjustment_magnitude, adjustment))
    return max(0, instances + change)


def rule_instances(rule: TriggeredRule, *, instances: int, metric_value: float) -> int:
    """What a rule wants once its task executes it; the instances themselves where no step applies.

    Source: Alibaba Cloud Auto Scaling, "Step scaling rules"; which end of a range belongs to it is not said
    and taken from the same notation of AWS.
    """
    step = step_for(metric_value - rule.threshold, rule.steps)
    if step is None:
        return instances
    return adjusted_instances(
        instances,
        step.adjustment,
        adjustment_type=rule.adjustment_type,
        min_adjustment_magnitude=rule.min_adjustment_magnitude,
    )
