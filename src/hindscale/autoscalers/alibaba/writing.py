"""Scaling rules of Alibaba Cloud as the bodies that its API takes: the inverse of `alibaba.manifest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hindscale.autoscalers._steps import steps_document
from hindscale.autoscalers.alibaba.rules import TriggeredRule
from hindscale.autoscalers.writing import Workload, plain_number, whole_seconds
from hindscale.core.errors import ParameterError

__all__ = ["metric_name", "predictive_document", "tracking_document", "triggered_document"]

NAMES = {
    "cpu": "CpuUtilization",
    "memory": "MemoryUtilization",
    "accelerator": "GpuUtilizationAgent",
    "qps-per-replica": "LoadBalancerRealServerAverageQps",
}


def metric_name(metric: str) -> str:
    """What CloudMonitor calls a metric of ours.

    Raises:
        ParameterError: If it has none such.

    >>> metric_name("cpu")
    'CpuUtilization'
    """
    if metric not in NAMES:
        raise ParameterError(f"metric={metric}: ESS scales on none such; known: {', '.join(NAMES)}")
    return NAMES[metric]


def tracking_document(
    workload: Workload,
    *,
    metric: str,
    target_value: float,
    disable_scale_in: bool,
    warmup_s: float,
    evaluation_counts: tuple[int, int],
    bounds: tuple[int, int],
) -> dict[str, Any]:
    """The body of CreateScalingRule for target tracking, with the group's bounds beside it.

    Args:
        workload: Gives the rule its name.
        metric: One of ours.
        target_value: In the metric's unit.
        disable_scale_in: Whether nothing is ever removed.
        warmup_s: Replicas that have been ready for less do not count.
        evaluation_counts: Datapoints in a row that scale out, and in.
        bounds: The group's minimum and maximum.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    return {
        "ScalingRuleName": f"{workload.name}-target-tracking",
        "ScalingRuleType": "TargetTrackingScalingRule",
        "MetricName": metric_name(metric),
        "TargetValue": plain_number(target_value),
        "DisableScaleIn": disable_scale_in,
        "EstimatedInstanceWarmup": whole_seconds(warmup_s, field="EstimatedInstanceWarmup"),
        "ScaleOutEvaluationCount": evaluation_counts[0],
        "ScaleInEvaluationCount": evaluation_counts[1],
        **_bounds(bounds),
    }


def predictive_document(
    workload: Workload,
    *,
    metric: str,
    target_value: float,
    predict_only: bool,
    value_behavior: str,
    value_buffer_percent: int,
    task_buffer_s: float,
    bounds: tuple[int, int],
) -> dict[str, Any]:
    """The body of CreateScalingRule for predictive scaling, with the group's bounds beside it.

    Args:
        workload: Gives the rule its name.
        metric: One of ours.
        target_value: In the metric's unit.
        predict_only: Whether the prediction only shows.
        value_behavior: PredictiveValueBehavior.
        value_buffer_percent: PredictiveValueBuffer.
        task_buffer_s: PredictiveTaskBufferTime; whole minutes.
        bounds: The group's minimum, and InitialMaxSize.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    if task_buffer_s % 60:
        raise ParameterError(f"PredictiveTaskBufferTime takes whole minutes, was {task_buffer_s:g} s; round it")
    return {
        "ScalingRuleName": f"{workload.name}-predictive",
        "ScalingRuleType": "PredictiveScalingRule",
        "MetricName": metric_name(metric),
        "TargetValue": plain_number(target_value),
        "PredictiveScalingMode": "PredictOnly" if predict_only else "PredictAndScale",
        "PredictiveValueBehavior": value_behavior,
        "PredictiveValueBuffer": value_buffer_percent,
        "PredictiveTaskBufferTime": int(task_buffer_s // 60),
        "InitialMaxSize": bounds[1],
        "MinSize": bounds[0],
    }


def triggered_document(
    workload: Workload,
    rules: Sequence[TriggeredRule],
    *,
    rule_type: str,
    metric: str,
    statistic: str,
    period_s: float,
    warmup_s: float,
    bounds: tuple[int, int],
) -> dict[str, Any]:
    """Bodies of CreateScalingRule and CreateAlarm for simple or step rules, with the group's bounds beside them.

    Args:
        workload: Gives the rules their names.
        rules: The rules with their tasks.
        rule_type: SimpleScalingRule or StepScalingRule.
        metric: One of ours.
        statistic: How samples become a datapoint.
        period_s: Length of a datapoint's period.
        warmup_s: Of step rules.
        bounds: The group's minimum and maximum.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    names = [f"{workload.name}-{number}-{_direction(rule)}" for number, rule in enumerate(rules, start=1)]
    seen = {
        "MetricName": metric_name(metric),
        "Statistics": statistic,
        "Period": whole_seconds(period_s, field="Period"),
    }
    return {
        "ScalingRules": [
            {"ScalingRuleName": name, "ScalingRuleType": rule_type, **_rule(rule, rule_type, warmup_s)}
            for name, rule in zip(names, rules, strict=True)
        ],
        "Alarms": [{"Name": name, **seen, **_task(name, rule)} for name, rule in zip(names, rules, strict=True)],
        **_bounds(bounds),
    }


def _rule(rule: TriggeredRule, rule_type: str, warmup_s: float) -> dict[str, Any]:
    shared: dict[str, Any] = {"AdjustmentType": rule.adjustment_type}
    if rule.min_adjustment_magnitude and rule.adjustment_type == "PercentChangeInCapacity":
        shared["MinAdjustmentMagnitude"] = rule.min_adjustment_magnitude  # of a percentage alone
    if rule_type == "SimpleScalingRule":
        cooldown_s = whole_seconds(rule.cooldown_s, field="Cooldown")
        return {**shared, "AdjustmentValue": rule.steps[0].adjustment, "Cooldown": cooldown_s}
    warmup = whole_seconds(warmup_s, field="EstimatedInstanceWarmup")
    return {**shared, "StepAdjustments": steps_document(rule.steps), "EstimatedInstanceWarmup": warmup}


def _task(name: str, rule: TriggeredRule) -> dict[str, Any]:
    return {
        "Threshold": plain_number(rule.threshold),
        "ComparisonOperator": rule.comparison,
        "EvaluationCount": rule.evaluation_count,
        "AlarmActions": [f"scalingrule/{name}"],
    }


def _direction(rule: TriggeredRule) -> str:
    return "out" if rule.comparison.startswith(">") else "in"


def _bounds(bounds: tuple[int, int]) -> dict[str, int]:
    return {"MinSize": bounds[0], "MaxSize": bounds[1]}
