"""Predictive rules: a plan by the hour that moves the group's minimum and maximum, not its size.

Documented: at least 24 hours of history, 48 hours ahead by the hour, a new plan once a day, one task an
hour that sets the boundary values, and how a prediction and the initial maximum meet. The forecast itself
is machine learning behind closed doors; the mean of the same hour of the days before stands in for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hindscale.core.checks import require_at_least, require_count, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.rounding import ceil

__all__ = [
    "BEHAVIORS",
    "DAY_HOURS",
    "HISTORY_HOURS",
    "HOUR_S",
    "PLAN_HOURS",
    "hourly_forecast",
    "planned_bounds",
    "predicted_instances",
    "prediction_bounds",
]

HOUR_S = 3600.0
DAY_HOURS = 24
PLAN_HOURS = 48
HISTORY_HOURS = 14 * DAY_HOURS
"""Two weeks are remembered; the documentation asks for at least one day."""

BEHAVIORS = ("MaxOverridePredictiveValue", "PredictiveValueOverrideMax", "PredictiveValueOverrideMaxWithBuffer")


def hourly_forecast(loads: Sequence[float], *, hours: int = PLAN_HOURS) -> tuple[float, ...]:
    """The load of the next hours: the mean of the same hour of the days before. A stand-in of ours.

    Args:
        loads: By the hour, newest last; NaN where nothing was measured.
        hours: How many hours ahead.

    Returns:
        One load an hour; empty with less than 24 hours of history, NaN where an hour was never measured.

    >>> hourly_forecast([1.0] * 23 + [5.0] + [3.0] * 23 + [7.0], hours=24)[-2:]
    (2.0, 6.0)
    """
    if len(loads) < DAY_HOURS:
        return ()
    means = []
    for ahead in range(hours):
        # The last entry is one hour before the first hour ahead.
        same = [loads[-back] for back in range(DAY_HOURS - ahead % DAY_HOURS, len(loads) + 1, DAY_HOURS)]
        known = [load for load in same if not math.isnan(load)]
        means.append(sum(known) / len(known) if known else math.nan)
    return tuple(means)


def predicted_instances(load: float, target_value: float) -> int:
    """⌈load / target⌉ instances, the load being the metric summed over instances.

    Source: Alibaba Cloud Auto Scaling, "Predictive scaling rules": the number is calculated from the predicted
    metric and the target; the formula is not public.
    """
    require_nonnegative(load=load)
    require_positive(target_value=target_value)
    return ceil(load / target_value)


def prediction_bounds(
    predicted: int, *, initial_min: int, initial_max: int, behavior: str = BEHAVIORS[0], buffer_percent: int = 0
) -> tuple[int, int]:
    """Minimum and maximum that a prediction task sets.

    The prediction becomes the minimum. As for the maximum: MaxOverridePredictiveValue keeps the initial one,
    which then caps the prediction; PredictiveValueOverrideMax takes the prediction if it is larger;
    PredictiveValueOverrideMaxWithBuffer takes the prediction raised by the buffer if that is larger.

    Args:
        predicted: Instances; >= 0.
        initial_min: The group's own minimum; it is never undercut here.
        initial_max: `InitialMaxSize`.
        behavior: `PredictiveValueBehavior`.
        buffer_percent: `PredictiveValueBuffer`, in [0, 100].

    Source: Alibaba Cloud Auto Scaling, CreateScalingRule. That the minimum is not set below the group's own is
    our reading.

    >>> prediction_bounds(12, initial_min=1, initial_max=10, behavior=BEHAVIORS[2], buffer_percent=25)
    (12, 15)
    """
    require_count(predicted=predicted, initial_min=initial_min, buffer_percent=buffer_percent)
    require_at_least(1, initial_max=initial_max)
    if behavior not in BEHAVIORS:
        raise ParameterError(f"behavior: nobody knows {behavior!r}; {did_you_mean(behavior, BEHAVIORS)}")
    high = initial_max
    if behavior == "PredictiveValueOverrideMax":
        high = max(initial_max, predicted)
    elif behavior == "PredictiveValueOverrideMaxWithBuffer":
        high = max(initial_max, ceil(predicted * (100 + buffer_percent) / 100))
    return min(max(initial_min, predicted), high), high


def planned_bounds(
    plan: Sequence[int | None],
    *,
    plan_begins_hour: int,
    now_s: float,
    task_buffer_s: float,
    initial_min: int,
    initial_max: int,
    behavior: str = BEHAVIORS[0],
    buffer_percent: int = 0,
) -> tuple[int, int]:
    """The bounds that hold at a time; the group's own where the plan says nothing.

    Args:
        plan: Predicted instances by the hour; None for nothing.
        plan_begins_hour: Number of the plan's first hour, counted from time 0.
        now_s: The time.
        task_buffer_s: `PredictiveTaskBufferTime`: how much before its hour a task runs; in [0, 3600].
        initial_min: The group's own minimum.
        initial_max: `InitialMaxSize`.
        behavior: `PredictiveValueBehavior`.
        buffer_percent: `PredictiveValueBuffer`.

    Source: Alibaba Cloud Auto Scaling, CreateScalingRule, PredictiveTaskBufferTime.

    >>> common = {"plan_begins_hour": 24, "initial_min": 1, "initial_max": 9}
    >>> planned_bounds((3, 5), now_s=25 * 3600 - 600.0, task_buffer_s=600.0, **common)
    (5, 9)
    """
    hour = math.floor((now_s + task_buffer_s) / HOUR_S) - plan_begins_hour
    predicted = plan[hour] if 0 <= hour < len(plan) else None
    if predicted is None:
        return initial_min, initial_max
    return prediction_bounds(
        predicted,
        initial_min=initial_min,
        initial_max=initial_max,
        behavior=behavior,
        buffer_percent=buffer_percent,
    )
