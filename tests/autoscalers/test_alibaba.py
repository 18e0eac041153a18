"""Alibaba Cloud's rules against numbers worked by hand, and what holds for all numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers import alibaba
from hindscale.autoscalers._steps import parse_steps
from hindscale.autoscalers.alibaba import (
    ADJUSTMENT_TYPES,
    BEHAVIORS,
    TriggeredRule,
    adjusted_instances,
    hourly_forecast,
    prediction_bounds,
    read_rule,
    read_triggered_rules,
)
from hindscale.core import ParameterError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "alibaba.json").read_text())
POSITIONAL = {
    "adjusted_instances": ("instances", "adjustment"),
    "is_triggered": ("datapoints",),
    "tracking_alerts": ("datapoints",),
    "tracked_instances": ("instances", "metric_value", "target_value"),
    "rule_instances": ("rule",),
    "prediction_bounds": ("predicted",),
    "planned_bounds": ("plan",),
    "hourly_forecast": ("loads",),
    "predicted_instances": ("load", "target_value"),
}


def call(function: str, **arguments: Any) -> Any:
    if "rule" in arguments:
        texts = [f"{lower}:{upper}={change}" for lower, upper, change in arguments["rule"]["steps"]]
        arguments["rule"] = TriggeredRule(**{**arguments["rule"], "steps": parse_steps(texts, name="steps")})
    given = [arguments.pop(name) for name in POSITIONAL[function]]
    found = getattr(alibaba, function)(*given, **arguments)
    return list(found) if isinstance(found, tuple) else found


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_numbers_worked_by_hand(case: dict[str, Any]) -> None:
    assert call(**case["given"]) == case["expected"], case["why"]


@given(
    instances=st.integers(0, 1000),
    adjustment=st.integers(-100, 1000),
    kind=st.sampled_from(ADJUSTMENT_TYPES),
    magnitude=st.integers(0, 20),
)
def test_adjustments_keep_their_direction(instances: int, adjustment: int, kind: str, magnitude: int) -> None:
    wanted = adjusted_instances(instances, adjustment, adjustment_type=kind, min_adjustment_magnitude=magnitude)
    assert wanted >= 0
    if kind != "TotalCapacity":
        assert (wanted - instances) * adjustment >= 0


@given(
    predicted=st.integers(0, 200),
    low=st.integers(0, 20),
    high=st.integers(20, 100),
    behavior=st.sampled_from(BEHAVIORS),
    buffer_percent=st.integers(0, 100),
)
def test_predicted_bounds_are_bounds(predicted: int, low: int, high: int, behavior: str, buffer_percent: int) -> None:
    minimum, maximum = prediction_bounds(
        predicted, initial_min=low, initial_max=high, behavior=behavior, buffer_percent=buffer_percent
    )
    assert low <= minimum <= maximum
    assert maximum >= high


def test_hours_that_were_never_measured_are_not_forecast() -> None:
    forecast = hourly_forecast([math.nan] + [2.0] * 23, hours=2)
    assert math.isnan(forecast[0])
    assert forecast[1] == 2.0


TRACKING = """
ScalingRuleName: track
ScalingRuleType: TargetTrackingScalingRule
MetricName: CpuUtilization
TargetValue: 55
DisableScaleIn: true
EstimatedInstanceWarmup: 120
ScaleInEvaluationCount: 10
ScaleOutEvaluationCount: 2
MinSize: 2
MaxSize: 12
"""
PREDICTIVE = """
ScalingRuleType: PredictiveScalingRule
MetricName: CpuUtilization
TargetValue: 55
PredictiveScalingMode: PredictOnly
PredictiveValueBehavior: PredictiveValueOverrideMaxWithBuffer
PredictiveValueBuffer: 20
PredictiveTaskBufferTime: 30
InitialMaxSize: 40
"""


def test_a_target_tracking_rule() -> None:
    assert read_rule(TRACKING, "TargetTrackingScalingRule") == {
        "min_replicas": 2,
        "max_replicas": 12,
        "metric": "cpu",
        "target_value": 55.0,
        "disable_scale_in": True,
        "estimated_instance_warmup_s": 120.0,
        "scale_in_evaluation_count": 10,
        "scale_out_evaluation_count": 2,
    }


def test_a_predictive_rule() -> None:
    assert read_rule(PREDICTIVE, "PredictiveScalingRule") == {
        "metric": "cpu",
        "target_value": 55.0,
        "predict_only": True,
        "value_behavior": "PredictiveValueOverrideMaxWithBuffer",
        "value_buffer_percent": 20,
        "task_buffer_s": 1800.0,
        "max_replicas": 40,
    }


@pytest.mark.parametrize(
    ("text", "kind", "old", "new", "message"),
    [
        (TRACKING, "TargetTrackingScalingRule", "TargetValue: 55", "TargetValue: 0", "TargetValue: Invalid value: 0"),
        (TRACKING, "TargetTrackingScalingRule", "TargetValue: 55", "TargetValue: 55%", "did you mean 55"),
        (TRACKING, "TargetTrackingScalingRule", "TargetValue: 55", "Target: 55", "did you mean 'TargetValue'"),
        (TRACKING, "TargetTrackingScalingRule", "CpuUtilization", "Cpu", "MetricName: Unsupported value"),
        (TRACKING, "TargetTrackingScalingRule", "TargetTrackingS", "StepS", "ScalingRuleType: Unsupported value"),
        (TRACKING, "TargetTrackingScalingRule", "Count: 2", "Count: 0", "ScaleOutEvaluationCount: Invalid value: 0"),
        (PREDICTIVE, "PredictiveScalingRule", "Buffer: 20", "Buffer: 120", "must be less than or equal to 100"),
        (PREDICTIVE, "PredictiveScalingRule", "Time: 30", "Time: 90", "must be less than or equal to 60"),
        (PREDICTIVE, "PredictiveScalingRule", "PredictOnly", "Predict", "PredictiveScalingMode: Unsupported value"),
        (PREDICTIVE, "PredictiveScalingRule", "MaxWithBuffer", "Min", "PredictiveValueBehavior: Unsupported value"),
    ],
)
def test_wrong_rules_are_refused_with_their_path(text: str, kind: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(ParameterError, match=message) as caught:
        read_rule(text.replace(old, new, 1), kind)
    assert "\n" not in str(caught.value)


SIMPLE = """
DefaultCooldown: 120
ScalingRules:
- {ScalingRuleName: out, AdjustmentType: QuantityChangeInCapacity, AdjustmentValue: 2}
- {ScalingRuleName: in, AdjustmentType: PercentChangeInCapacity, AdjustmentValue: -10, Cooldown: 600}
Alarms:
- {AlarmActions: ["ari:acs:ess:cn:1:scalingrule/out"], MetricName: CpuUtilization, Threshold: 70, EvaluationCount: 2}
- {AlarmActions: [in], MetricName: CpuUtilization, Threshold: 30, ComparisonOperator: "<="}
"""


def test_simple_rules_meet_their_tasks() -> None:
    settings, (out, into) = read_triggered_rules(SIMPLE, "SimpleScalingRule")
    assert settings == {"metric": "cpu", "statistic": "Average", "period_s": 60.0}
    assert (out.threshold, out.comparison, out.evaluation_count, out.cooldown_s) == (70.0, ">=", 2, 120.0)
    assert (into.threshold, into.comparison, into.evaluation_count, into.cooldown_s) == (30.0, "<=", 3, 600.0)
    assert (out.steps[0].adjustment, into.steps[0].adjustment) == (2, -10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AlarmActions: [in]", "AlarmActions: [inn]", "exactly one with an AlarmActions entry that ends in 'in'"),
        ("AdjustmentValue: -10", "AdjustmentValue: -101", "AdjustmentValue: Invalid value: -101"),
        ("AdjustmentValue: 2", "StepAdjustments: []", "unknown field"),
        ('"<="', '"=<"', "ComparisonOperator: Unsupported value"),
        ("Threshold: 30", "Threshold: 30, Period: 300", "all tasks must have the same period_s"),
        ("DefaultCooldown: 120", "DefaultCooldown: 2m", "DefaultCooldown: Invalid value"),
        ("ScalingRules:", "ScalingRule:", "did you mean 'ScalingRules'"),
    ],
)
def test_wrong_triggered_rules_are_refused_with_their_path(old: str, new: str, message: str) -> None:
    assert old in SIMPLE
    with pytest.raises(ParameterError, match=message) as caught:
        read_triggered_rules(SIMPLE.replace(old, new, 1), "SimpleScalingRule")
    assert "\n" not in str(caught.value)


def test_a_step_rule_has_a_warmup() -> None:
    text = """
ScalingRules:
- ScalingRuleType: StepScalingRule
  AdjustmentType: TotalCapacity
  EstimatedInstanceWarmup: 90
  StepAdjustments: [{MetricIntervalLowerBound: 0, ScalingAdjustment: 5}]
Alarms:
- {MetricName: CpuUtilization, Threshold: 70}
"""
    settings, (rule,) = read_triggered_rules(text, "StepScalingRule")
    assert settings["estimated_instance_warmup_s"] == 90.0
    assert (rule.adjustment_type, rule.steps[0].adjustment) == ("TotalCapacity", 5)
