"""Target tracking: two alarms around a target, and the capacity that would bring the metric back to it."""

from __future__ import annotations

from hindscale.autoscalers.aws.alarms import Alarm
from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_fraction,
    require_nonnegative,
    require_positive,
)
from hindscale.core.rounding import ceil

__all__ = ["LOW_SHARE", "SCALE_IN_DATAPOINTS", "SCALE_OUT_DATAPOINTS", "target_tracking_alarms", "tracked_capacity"]

SCALE_OUT_DATAPOINTS = 3
SCALE_IN_DATAPOINTS = 15
LOW_SHARE = 0.9
"""The low alarm's threshold as a share of the target, as the alarms that the service creates show it."""


def target_tracking_alarms(
    target_value: float,
    *,
    period_s: float = 60.0,
    scale_out_datapoints: int = SCALE_OUT_DATAPOINTS,
    scale_in_datapoints: int = SCALE_IN_DATAPOINTS,
    low_share: float = LOW_SHARE,
) -> tuple[Alarm, Alarm]:
    """AlarmHigh and AlarmLow of a target tracking policy.

    All of the latest datapoints must breach: 3 above the target, 15 below 90 % of it.

    Args:
        target_value: In the metric's unit; > 0.
        period_s: Length of a datapoint's period; > 0.
        scale_out_datapoints: How many in a row scale out; >= 1.
        scale_in_datapoints: How many in a row scale in; >= 1.
        low_share: The low threshold over the target, in (0, 1].

    Returns:
        High, low.

    Source: Application Auto Scaling user guide, "How target tracking scaling works"; periods and
    thresholds are those of the alarms it creates, which the guide does not promise.

    >>> high, low = target_tracking_alarms(70.0)
    >>> high.threshold, high.evaluation_periods, low.threshold, low.evaluation_periods
    (70.0, 3, 63.0, 15)
    """
    require_positive(target_value=target_value)
    require_fraction(low_share=low_share)
    require_at_least(1, scale_out_datapoints=scale_out_datapoints, scale_in_datapoints=scale_in_datapoints)
    high = Alarm(
        threshold=target_value,
        comparison="GreaterThanThreshold",
        evaluation_periods=scale_out_datapoints,
        datapoints_to_alarm=scale_out_datapoints,
        period_s=period_s,
    )
    low = Alarm(
        threshold=low_share * target_value,
        comparison="LessThanThreshold",
        evaluation_periods=scale_in_datapoints,
        datapoints_to_alarm=scale_in_datapoints,
        period_s=period_s,
    )
    return high, low


def tracked_capacity(capacity: int, metric_value: float, target_value: float) -> int:
    """The capacity at which the metric, shared out evenly, meets its target: ⌈capacity · metric / target⌉.

    Rounding up is careful both ways: it adds enough, and does not take away too much.

    Args:
        capacity: Replicas that the metric is an average over; >= 0.
        metric_value: The latest datapoint; >= 0.
        target_value: > 0.

    Source: Application Auto Scaling user guide, "Target tracking scaling policies", considerations: rounding
    is conservative. That the change is in proportion is documented, the formula itself is not public.

    >>> tracked_capacity(4, 105.0, 70.0), tracked_capacity(10, 50.0, 70.0)
    (6, 8)
    """
    require_count(capacity=capacity)
    require_nonnegative(metric_value=metric_value)
    require_positive(target_value=target_value)
    return ceil(capacity * metric_value / target_value)
