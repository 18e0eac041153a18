"""Scaling rules as Alibaba Cloud has them: the bodies of CreateScalingRule and CreateAlarm, in JSON or YAML."""

from __future__ import annotations

from pathlib import Path

from hindscale.autoscalers._configs import read_mapping
from hindscale.autoscalers._steps import StepAdjustment, steps_from
from hindscale.autoscalers.alibaba.predictive import BEHAVIORS
from hindscale.autoscalers.alibaba.rules import ADJUSTMENT_TYPES, COMPARISONS, TriggeredRule
from hindscale.autoscalers.kubernetes.fields import Fields
from hindscale.core.errors import ParameterError

__all__ = ["METRICS", "read_rule", "read_triggered_rules"]

METRICS = {
    "CpuUtilization": "cpu",
    "CpuUtilizationAgent": "cpu",
    "MemoryUtilization": "memory",
    "GpuUtilizationAgent": "accelerator",
    "LoadBalancerRealServerAverageQps": "qps-per-replica",
}
_IDENTITY = ("RegionId", "ScalingGroupId", "ScalingRuleId", "ScalingRuleName", "ScalingRuleAri", "ScalingRuleType")
_TRACKING = (
    *("MetricName", "MetricType", "TargetValue", "DisableScaleIn", "EstimatedInstanceWarmup"),
    *("ScaleInEvaluationCount", "ScaleOutEvaluationCount"),
)
_PREDICTIVE = (
    *("MetricName", "TargetValue", "PredictiveScalingMode", "PredictiveValueBehavior", "PredictiveValueBuffer"),
    *("PredictiveTaskBufferTime", "InitialMaxSize"),
)
_GROUP = ("MinSize", "MaxSize", "DefaultCooldown")


def read_rule(source: str | Path, rule_type: str) -> dict[str, object]:
    """A target tracking or predictive rule as settings; `MinSize` and `MaxSize` of the group may stand beside.

    Args:
        source: A path; or the text itself, known by its line breaks.
        rule_type: TargetTrackingScalingRule or PredictiveScalingRule.

    Raises:
        ParameterError: With the field's path.
    """
    rule = read_mapping(source)
    rule.only(*_IDENTITY, *_GROUP, *(_TRACKING if rule_type == "TargetTrackingScalingRule" else _PREDICTIVE))
    rule.text("ScalingRuleType", default=rule_type, choices=(rule_type,))
    read = {**_bounds(rule), "metric": METRICS[rule.text("MetricName", choices=tuple(METRICS))]}
    read["target_value"] = rule.number("TargetValue")
    if rule.number("TargetValue") <= 0:
        raise rule.invalid("TargetValue", "must be greater than 0")
    return {**read, **(_tracking(rule) if rule_type == "TargetTrackingScalingRule" else _predictive(rule))}


def _tracking(rule: Fields) -> dict[str, object]:
    read: dict[str, object] = {}
    if rule.has("DisableScaleIn"):
        read["disable_scale_in"] = rule.boolean("DisableScaleIn")
    if rule.has("EstimatedInstanceWarmup"):
        read["estimated_instance_warmup_s"] = float(rule.integer("EstimatedInstanceWarmup", minimum=0))
    for name, setting in (
        ("ScaleInEvaluationCount", "scale_in_evaluation_count"),
        ("ScaleOutEvaluationCount", "scale_out_evaluation_count"),
    ):
        if rule.has(name):
            read[setting] = rule.integer(name, minimum=1)
    return read


def _predictive(rule: Fields) -> dict[str, object]:
    read: dict[str, object] = {}
    if rule.has("PredictiveScalingMode"):
        mode = rule.text("PredictiveScalingMode", choices=("PredictAndScale", "PredictOnly"))
        read["predict_only"] = mode == "PredictOnly"
    if rule.has("PredictiveValueBehavior"):
        read["value_behavior"] = rule.text("PredictiveValueBehavior", choices=BEHAVIORS)
    if rule.has("PredictiveValueBuffer"):
        read["value_buffer_percent"] = rule.integer("PredictiveValueBuffer", minimum=0, maximum=100)
    if rule.has("PredictiveTaskBufferTime"):
        read["task_buffer_s"] = 60.0 * rule.integer("PredictiveTaskBufferTime", minimum=0, maximum=60)
    if rule.has("InitialMaxSize"):
        read["max_replicas"] = rule.integer("InitialMaxSize", minimum=1)
    return read


def read_triggered_rules(source: str | Path, rule_type: str) -> tuple[dict[str, object], tuple[TriggeredRule, ...]]:
    """Simple or step rules with their event-triggered tasks: `ScalingRules` and `Alarms` in one file.

    These are the bodies of CreateScalingRule and CreateAlarm. A task belongs to the rule whose name ends one
    of its `AlarmActions`; one rule and one task belong together without.

    Args:
        source: A path; or the text itself, known by its line breaks.
        rule_type: SimpleScalingRule or StepScalingRule.

    Returns:
        Settings (metric, statistic, period, bounds, warm-up), and the rules.

    Raises:
        ParameterError: With the field's path.
    """
    top = read_mapping(source).only("ScalingRules", "Alarms", *_GROUP)
    rules, alarms = top.items("ScalingRules"), top.items("Alarms")
    if not rules:
        raise top.required("ScalingRules")
    settings: dict[str, object] = dict(_bounds(top))
    default_cooldown_s = float(top.integer("DefaultCooldown", default=300, minimum=0))
    read = []
    for rule in rules:
        alarm = _alarm_of(rule, alarms, top, is_only=len(rules) == len(alarms) == 1)
        read.append(_triggered(rule, alarm, rule_type, default_cooldown_s, settings))
    return settings, tuple(read)


def _alarm_of(rule: Fields, alarms: tuple[Fields, ...], top: Fields, *, is_only: bool) -> Fields:
    if is_only:
        return alarms[0]
    name = rule.text("ScalingRuleName")
    found = [one for one in alarms if any(action.split("/")[-1] == name for action in one.texts("AlarmActions"))]
    if len(found) != 1:
        raise top.required("Alarms", f"exactly one with an AlarmActions entry that ends in {name!r}")
    return found[0]


def _triggered(
    rule: Fields, alarm: Fields, rule_type: str, default_cooldown_s: float, settings: dict[str, object]
) -> TriggeredRule:
    own = (
        ("AdjustmentValue", "Cooldown")
        if rule_type == "SimpleScalingRule"
        else ("StepAdjustments", "EstimatedInstanceWarmup")
    )
    rule.only(*_IDENTITY, "AdjustmentType", "MinAdjustmentMagnitude", *own)
    rule.text("ScalingRuleType", default=rule_type, choices=(rule_type,))
    alarm.only(
        *("Name", "Description", "AlarmActions", "MetricName", "MetricType", "Statistics", "Period", "Threshold"),
        *("ComparisonOperator", "EvaluationCount", "ScalingGroupId", "Effective"),
    )
    shared = {
        "metric": METRICS[alarm.text("MetricName", choices=tuple(METRICS))],
        "statistic": alarm.text("Statistics", default="Average", choices=("Average", "Minimum", "Maximum")),
        "period_s": float(alarm.integer("Period", default=60, minimum=1)),
    }
    if rule.has("EstimatedInstanceWarmup"):
        shared["estimated_instance_warmup_s"] = float(rule.integer("EstimatedInstanceWarmup", minimum=0))
    for name, value in shared.items():
        if settings.setdefault(name, value) != value:
            raise ParameterError(f"{alarm.where('MetricName')}: all tasks must have the same {name}")
    kind = rule.text("AdjustmentType", choices=ADJUSTMENT_TYPES)
    if rule_type == "SimpleScalingRule":
        lowest = {"TotalCapacity": 0, "PercentChangeInCapacity": -100}.get(kind)
        steps: tuple[StepAdjustment, ...] = (
            StepAdjustment(adjustment=rule.integer("AdjustmentValue", minimum=lowest)),
        )
    else:
        steps = steps_from(rule, "StepAdjustments")
    return TriggeredRule(
        threshold=alarm.number("Threshold"),
        comparison=alarm.text("ComparisonOperator", default=">=", choices=tuple(COMPARISONS)),
        evaluation_count=alarm.integer("EvaluationCount", default=3, minimum=1),
        adjustment_type=kind,
        steps=steps,
        min_adjustment_magnitude=rule.integer("MinAdjustmentMagnitude", default=0, minimum=0),
        cooldown_s=float(rule.integer("Cooldown", default=default_cooldown_s, minimum=0)),
    )


def _bounds(top: Fields) -> dict[str, object]:
    read: dict[str, object] = {}
    if top.has("MinSize"):
        read["min_replicas"] = top.integer("MinSize", minimum=0)
    if top.has("MaxSize"):
        read["max_replicas"] = top.integer("MaxSize", minimum=1)
    return read
