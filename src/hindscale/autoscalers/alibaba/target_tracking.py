"""Target tracking rules: a metric is held at its target by two event-triggered tasks that the service makes itself."""

from __future__ import annotations

from collections.abc import Sequence

from hindscale.autoscalers.alibaba.rules import is_triggered
from hindscale.core.checks import require_count, require_fraction, require_nonnegative, require_positive
from hindscale.core.rounding import ceil

__all__ = ["SCALE_IN_EVALUATION_COUNT", "SCALE_OUT_EVALUATION_COUNT", "tracked_instances", "tracking_alerts"]

SCALE_OUT_EVALUATION_COUNT = 3
SCALE_IN_EVALUATION_COUNT = 15
LOW_SHARE = 0.9


def tracking_alerts(
    datapoints: Sequence[float | None],
    *,
    target_value: float,
    scale_out_evaluation_count: int = SCALE_OUT_EVALUATION_COUNT,
    scale_in_evaluation_count: int = SCALE_IN_EVALUATION_COUNT,
    low_share: float = LOW_SHARE,
) -> tuple[bool, bool]:
    """Whether the datapoints scale out, and whether they scale in.

    Out: so many in a row above the target. In: so many in a row below a share of it.

    Source: Alibaba Cloud Auto Scaling, CreateScalingRule, ScaleOutEvaluationCount and ScaleInEvaluationCount.
    The threshold below which it scales in is not public: 90 % of the target is our reading.

    >>> tracking_alerts((71.0, 72.0, 73.0), target_value=70.0)
    (True, False)
    """
    require_positive(target_value=target_value)
    require_fraction(low_share=low_share)
    goes_out = is_triggered(
        datapoints, threshold=target_value, comparison=">", evaluation_count=scale_out_evaluation_count
    )
    low = low_share * target_value
    goes_in = is_triggered(datapoints, threshold=low, comparison="<", evaluation_count=scale_in_evaluation_count)
    return goes_out, goes_in


def tracked_instances(instances: int, metric_value: float, target_value: float) -> int:
    """The instances at which the metric, shared out evenly, meets its target: ⌈instances · metric / target⌉.

    Source: Alibaba Cloud Auto Scaling, "Target tracking scaling rules": the number is calculated so that the
    metric comes close to the target. The formula is not public; this is the proportion.

    >>> tracked_instances(4, 105.0, 70.0)
    6
    """
    require_count(instances=instances)
    require_nonnegative(metric_value=metric_value)
    require_positive(target_value=target_value)
    return ceil(instances * metric_value / target_value)
