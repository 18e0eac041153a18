"""AWS scaling policies against numbers worked by hand, and what holds for all numbers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers import aws
from hindscale.autoscalers._periods import Periods, add_sample
from hindscale.autoscalers._steps import StepAdjustment, check_steps, parse_steps, step_for
from hindscale.autoscalers.aws import (
    Activity,
    Alarm,
    Warmup,
    adjusted_capacity,
    alarm_state,
    read_scaling_policies,
    read_target_tracking,
    tracked_capacity,
)
from hindscale.autoscalers.aws.step_scaling import ADJUSTMENT_TYPES
from hindscale.core import ParameterError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "aws.json").read_text())
POSITIONAL = {
    "alarm_state": ("datapoints", "alarm"),
    "tracked_capacity": ("capacity", "metric_value", "target_value"),
    "target_tracking_alarms": ("target_value",),
    "adjusted_capacity": ("capacity", "adjustment"),
    "scale_out_base": ("activity",),
    "scale_in_is_blocked": ("activity",),
    "warming_replicas": ("warmup",),
    "track_warmup": ("warmup",),
}


def call(function: str, **arguments: Any) -> Any:
    if function == "step_for":
        steps = parse_steps([f"{lower}:{upper}={change}" for lower, upper, change in arguments["steps"]], name="steps")
        step = step_for(arguments["distance"], steps)
        return None if step is None else step.adjustment
    for name, kind in (("alarm", Alarm), ("activity", Activity)):
        if name in arguments:
            arguments[name] = kind(**arguments[name])
    if "warmup" in arguments:
        batches = tuple(tuple(batch) for batch in arguments["warmup"].get("batches", ()))
        arguments["warmup"] = Warmup(**{**arguments["warmup"], "batches": batches})
    given = [arguments.pop(name) for name in POSITIONAL[function]]
    return plain(getattr(aws, function)(*given, **arguments))


def plain(value: Any) -> Any:
    if isinstance(value, Alarm):
        return [value.threshold, value.comparison, value.evaluation_periods, value.datapoints_to_alarm]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: plain(each) for key, each in dataclasses.asdict(value).items()}
    return [plain(each) for each in value] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_numbers_worked_by_hand(case: dict[str, Any]) -> None:
    assert call(**case["given"]) == case["expected"], case["why"]


@given(capacity=st.integers(0, 10_000), value=st.floats(0, 1e4), target=st.floats(0.1, 1e3))
def test_tracking_goes_the_right_way(capacity: int, value: float, target: float) -> None:
    wanted = tracked_capacity(capacity, value, target)
    if value > target * (1 + 1e-6):
        assert wanted >= capacity
    if value < target:
        assert wanted <= capacity


@given(
    capacity=st.integers(0, 1000),
    adjustment=st.integers(-200, 1000),
    kind=st.sampled_from(ADJUSTMENT_TYPES),
    magnitude=st.integers(0, 20),
)
def test_adjustments_keep_their_direction(capacity: int, adjustment: int, kind: str, magnitude: int) -> None:
    wanted = adjusted_capacity(capacity, adjustment, adjustment_type=kind, min_adjustment_magnitude=magnitude)
    assert wanted >= 0
    if kind != "ExactCapacity":
        assert (wanted - capacity) * adjustment >= 0


@given(
    points=st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=20),
    periods=st.integers(1, 15),
    data=st.data(),
)
def test_good_datapoints_never_set_an_alarm_off(points: list[float | None], periods: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, periods))
    treatment = data.draw(st.sampled_from(["missing", "notBreaching", "ignore"]))
    alarm = Alarm(
        threshold=100.0,
        comparison="GreaterThanThreshold",
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        treat_missing_data=treatment,
    )
    assert alarm_state(points, alarm, previous="OK") != "ALARM"


def gathered(samples: list[tuple[float, float | None]], *, statistic: str = "Average") -> tuple[Periods, list[int]]:
    periods, counts = Periods(), []
    for now_s, value in samples:
        periods, ended = add_sample(periods, value, now_s=now_s, period_s=60.0, keep=4, statistic=statistic)
        counts.append(ended)
    return periods, counts


def test_a_sample_at_the_end_of_a_period_closes_it() -> None:
    periods, counts = gathered([(20.0, 1.0), (40.0, 2.0), (60.0, 6.0), (80.0, 9.0)])
    assert periods.closed == (3.0,)
    assert counts == [0, 0, 1, 0]


def test_a_late_sample_closes_what_it_skipped() -> None:
    periods, counts = gathered([(30.0, 1.0), (250.0, 4.0)])
    assert periods.closed == (1.0, None, None, None)
    assert counts == [0, 4]


def test_nothing_measured_is_no_datapoint() -> None:
    assert gathered([(60.0, None), (120.0, 5.0)])[0].closed == (None, 5.0)


@pytest.mark.parametrize(("statistic", "expected"), [("Average", 4.0), ("Minimum", 1.0), ("Maximum", 7.0)])
def test_statistics(statistic: str, expected: float) -> None:
    assert gathered([(30.0, 7.0), (60.0, 1.0)], statistic=statistic)[0].closed == (expected,)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), "at least one step"),
        (("0:10=1",), "the highest step must have no upper bound"),
        (("-10:0=-1",), "the lowest step must have no lower bound"),
        (("0:10=1", "12:=2"), "leaves a gap to 12"),
        (("0:10=1", "8:=2"), "overlaps 8"),
        (("10:0=1",), "must be below"),
        (("0:=x",), "must look like '0:15=1'"),
        (("5=1",), "must look like"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(steps: tuple[str, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parse_steps(steps, name="steps")


def test_steps_are_put_in_order() -> None:
    ordered = check_steps([StepAdjustment(lower=5.0, adjustment=2), StepAdjustment(upper=5.0, adjustment=1)], path="s")
    assert [step.adjustment for step in ordered] == [1, 2]


SAGEMAKER = """{
  "PolicyName": "llm",
  "PolicyType": "TargetTrackingScaling",
  "ServiceNamespace": "sagemaker",
  "ResourceId": "endpoint/llm/variant/main",
  "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
  "TargetTrackingScalingPolicyConfiguration": {
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "ScaleInCooldown": 600,
    "ScaleOutCooldown": 120
  },
  "MinCapacity": 2,
  "MaxCapacity": 9
}
"""


def test_a_policy_of_application_auto_scaling() -> None:
    assert read_target_tracking(SAGEMAKER) == {
        "min_replicas": 2,
        "max_replicas": 9,
        "target_value": 70.0,
        "disable_scale_in": False,
        "metric": "requests-per-replica",
        "scale_out_cooldown_s": 120.0,
        "scale_in_cooldown_s": 600.0,
    }


def test_a_bare_configuration_is_a_policy_too() -> None:
    text = "TargetValue: 4\nPredefinedMetricSpecification:\n  PredefinedMetricType: "
    high = "SageMakerVariantConcurrentRequestsPerModelHighResolution\n"
    assert read_target_tracking(text + high) == {
        "target_value": 4.0,
        "disable_scale_in": False,
        "metric": "concurrency-per-replica",
        "period_s": 10.0,
    }


def test_a_policy_of_ec2_auto_scaling_has_a_warmup() -> None:
    text = """
AutoScalingGroupName: asg
PolicyType: TargetTrackingScaling
EstimatedInstanceWarmup: 120
TargetTrackingConfiguration:
  TargetValue: 50
  DisableScaleIn: true
  CustomizedMetricSpecification: {MetricName: GPUUtilization, Namespace: Mine, Statistic: Maximum, Period: 30}
"""
    assert read_target_tracking(text) == {
        "target_value": 50.0,
        "disable_scale_in": True,
        "metric": "accelerator",
        "statistic": "Maximum",
        "period_s": 30.0,
        "estimated_instance_warmup_s": 120.0,
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"TargetValue": 70.0', '"TargetValue": 0', "Configuration.TargetValue: Invalid value: 0: must be greater"),
        ('"TargetValue": 70.0', '"TargetValue": "70%"', "must be a number"),
        ('"TargetValue": 70.0,', "", "TargetValue: Required value"),
        ('"ScaleInCooldown": 600', '"ScaleInCooldown": -1', "ScaleInCooldown: Invalid value: -1"),
        ('"ScaleInCooldown"', '"ScaleinCooldown"', "did you mean 'ScaleInCooldown'"),
        ('"SageMakerVariantInvocationsPerInstance"', '"Nope"', "Unsupported value"),
        ('"PredefinedMetricSpecification"', '"PredefinedMetric"', "did you mean 'PredefinedMetricSpecification'"),
        ('"TargetTrackingScaling"', '"StepScaling"', "PolicyType: Unsupported value"),
        ('"MinCapacity": 2', '"MinCapacity": -2', "MinCapacity: Invalid value: -2"),
        ('"TargetTrackingScalingPolicyConfiguration"', '"Configuration"', "Required value"),
    ],
)
def test_wrong_policies_are_refused_with_their_path(old: str, new: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        read_target_tracking(SAGEMAKER.replace(old, new))
    assert "\n" not in str(caught.value)


STEPS = """
ScalingPolicies:
- PolicyName: out
  PolicyType: StepScaling
  StepScalingPolicyConfiguration:
    AdjustmentType: ChangeInCapacity
    Cooldown: 60
    StepAdjustments:
    - {MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 15, ScalingAdjustment: 1}
    - {MetricIntervalLowerBound: 15, ScalingAdjustment: 3}
- PolicyName: in
  PolicyType: StepScaling
  StepScalingPolicyConfiguration:
    AdjustmentType: ChangeInCapacity
    StepAdjustments:
    - {MetricIntervalUpperBound: 0, ScalingAdjustment: -1}
MetricAlarms:
- AlarmName: high
  AlarmActions: ["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:x:policyName/out"]
  MetricName: CPUUtilization
  Threshold: 70
  ComparisonOperator: GreaterThanThreshold
  EvaluationPeriods: 3
  DatapointsToAlarm: 2
- AlarmName: low
  AlarmActions: [in]
  MetricName: CPUUtilization
  Threshold: 30
  ComparisonOperator: LessThanThreshold
  EvaluationPeriods: 10
"""


def test_step_policies_meet_their_alarms() -> None:
    settings, (out, into) = read_scaling_policies(STEPS)
    assert settings == {"metric": "cpu", "statistic": "Average", "period_s": 60.0}
    assert (out.alarm.threshold, out.alarm.evaluation_periods, out.alarm.datapoints_to_alarm) == (70.0, 3, 2)
    assert (out.cooldown_s, into.cooldown_s) == (60.0, 300.0)
    assert [step.adjustment for step in out.steps] == [1, 3]
    assert (into.alarm.threshold, into.alarm.datapoints_to_alarm, into.steps[0].adjustment) == (30.0, 10, -1)


def test_a_step_policy_of_ec2_auto_scaling() -> None:
    text = """
ScalingPolicies:
- AutoScalingGroupName: asg
  PolicyName: out
  PolicyType: StepScaling
  AdjustmentType: PercentChangeInCapacity
  MinAdjustmentMagnitude: 2
  EstimatedInstanceWarmup: 200
  StepAdjustments: [{MetricIntervalLowerBound: 0, ScalingAdjustment: 25}]
MetricAlarms:
- {MetricName: GPUUtilization, Threshold: 80, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1}
"""
    settings, (policy,) = read_scaling_policies(text)
    assert settings["estimated_instance_warmup_s"] == 200.0
    assert settings["metric"] == "accelerator"
    assert policy.min_adjustment_magnitude == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AlarmActions: [in]", "AlarmActions: [inn]", "exactly one with an AlarmActions entry that ends in 'in'"),
        ("DatapointsToAlarm: 2", "DatapointsToAlarm: 4", r"MetricAlarms\[0\].DatapointsToAlarm: Invalid value: 4"),
        (
            "ScalingAdjustment: -1",
            "ScalingAdjustment: 1.5",
            "ScalingAdjustment: Invalid value: 1.5: must be an integer",
        ),
        ("MetricIntervalUpperBound: 15", "MetricIntervalUpperBound: 12", "leaves a gap to 15"),
        ("Cooldown: 60", "CoolDown: 60", "did you mean 'Cooldown'"),
        ("Threshold: 70", "Threshold: 70%", 'Invalid value: "70%": must be a number; did you mean 70'),
        ("GreaterThanThreshold", "Greater", "Unsupported value"),
        ("AdjustmentType: ChangeInCapacity\n    Cooldown", "AdjustmentType: Change\n    Cooldown", "Unsupported value"),
        ("Cooldown: 60", "MetricAggregationType: Maximum", "must be the alarm's Statistic, Average"),
        ("- AlarmName: low", "- Period: 30\n  AlarmName: low", "all alarms must have the same metric"),
    ],
)
def test_wrong_step_policies_are_refused_with_their_path(old: str, new: str, message: str) -> None:
    assert old in STEPS
    with pytest.raises(ParameterError, match=message) as caught:
        read_scaling_policies(STEPS.replace(old, new, 1))
    assert "\n" not in str(caught.value)
