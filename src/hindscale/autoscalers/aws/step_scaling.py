"""Step scaling: how far the metric is beyond the alarm's threshold decides how much is added or removed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.autoscalers._steps import StepAdjustment, step_for
from hindscale.autoscalers.aws.alarms import Alarm
from hindscale.core.checks import require_count, require_nonnegative
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["ADJUSTMENT_TYPES", "StepPolicy", "adjusted_capacity", "rounded_percent", "step_capacity"]

ADJUSTMENT_TYPES = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """A step scaling policy and the alarm that invokes it.

    Attributes:
        alarm: What invokes it.
        steps: Ranges relative to the alarm's threshold.
        adjustment_type: ChangeInCapacity, PercentChangeInCapacity or ExactCapacity.
        min_adjustment_magnitude: Least change of a percentage, >= 0; 0 for none.
        cooldown_s: How long a scaling activity is waited for, >= 0.
    """

    alarm: Alarm
    steps: tuple[StepAdjustment, ...]
    adjustment_type: str = "ChangeInCapacity"
    min_adjustment_magnitude: int = 0
    cooldown_s: float = 300.0

    def __post_init__(self) -> None:
        require_nonnegative(cooldown_s=self.cooldown_s)
        require_count(min_adjustment_magnitude=self.min_adjustment_magnitude)
        if self.adjustment_type not in ADJUSTMENT_TYPES:
            raise ParameterError(
                f"adjustment_type: nobody knows {self.adjustment_type!r};"
                f" {did_you_mean(self.adjustment_type, ADJUSTMENT_TYPES)}"
            )


def rounded_percent(change: float) -> int:
    """A change of capacity as a whole number: towards zero, but what lies between zero and one becomes one.

    Source: Amazon EC2 Auto Scaling user guide, "Step and simple scaling policies", adjustment types.

    >>> [rounded_percent(change) for change in (12.7, 0.67, -0.58, -6.67, 0.0)]
    [12, 1, -1, -6, 0]
    """
    if 0 < abs(change) < 1:
        return 1 if change > 0 else -1
    return math.trunc(change)


def adjusted_capacity(
    capacity: int, adjustment: int, *, adjustment_type: str, min_adjustment_magnitude: int = 0
) -> int:
    """The capacity after one adjustment, before minimum and maximum; never below 0.

    Args:
        capacity: What is adjusted; >= 0.
        adjustment: A number of replicas, a percentage of `capacity`, or the capacity itself.
        adjustment_type: ChangeInCapacity, PercentChangeInCapacity or ExactCapacity.
        min_adjustment_magnitude: Least change of a percentage; 0 for none.

    Source: Application Auto Scaling, API reference, StepScalingPolicyConfiguration.

    >>> adjusted_capacity(4, 25, adjustment_type="PercentChangeInCapacity", min_adjustment_magnitude=2)
    6
    """
    if adjustment_type == "ExactCapacity":
        return max(0, adjustment)
    if adjustment_type == "ChangeInCapacity":
        return max(0, capacity + adjustment)
    change = rounded_percent(capacity * adjustment / 100)
    if change and abs(change) < min_adjustment_magnitude:
        change = int(math.copysign(min_adjustment_magnitude, change))
    return max(0, capacity + change)


def step_capacity(policy: StepPolicy, *, capacity: int, metric_value: float) -> int:
    """What a policy wants once its alarm goes off; the capacity itself where no step applies.

    Args:
        policy: Its steps.
        capacity: What is adjusted.
        metric_value: The datapoint that the alarm went off for.

    >>> alarm = Alarm(threshold=60.0, comparison="GreaterThanOrEqualToThreshold")
    >>> steps = (StepAdjustment(lower=0.0, upper=10.0, adjustment=10), StepAdjustment(lower=10.0, adjustment=30))
    >>> policy = StepPolicy(alarm=alarm, steps=steps, adjustment_type="PercentChangeInCapacity")
    >>> step_capacity(policy, capacity=10, metric_value=69.0), step_capacity(policy, capacity=11, metric_value=70.0)
    (11, 14)
    """
    step = step_for(metric_value - policy.alarm.threshold, policy.steps)
    if step is None:
        return capacity
    return adjusted_capacity(
        capacity,
        step.adjustment,
        adjustment_type=policy.adjustment_type,
        min_adjustment_magnitude=policy.min_adjustment_magnitude,
    )
