from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.policies import build_policy
from hindscale.policies.aws_step_scaling import AwsStepScaling
from hindscale.testing import PolicyContract, observation
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=1, max_replicas=30)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("aws-step-scaling", SPEC),
            build_policy("aws-step-scaling", SPEC, {"evaluation_periods": "1", "period_s": "15"}),
            build_policy("aws-step-scaling", SPEC, {"estimated_instance_warmup_s": "60", "metric": "accelerator"}),
        ]


def steps(**given: Any) -> AwsStepScaling:
    policy = build_policy("aws-step-scaling", SPEC, {"evaluation_periods": 1, **given})
    assert isinstance(policy, AwsStepScaling)
    return policy


def walk(policy: AwsStepScaling, utilizations: Sequence[float], ready: int) -> list[int]:
    """Targets minute by minute; every replica is ready within its minute."""
    state, targets = policy.initial_state(), []
    for minute, utilization in enumerate(utilizations, start=1):
        decision, state = policy.decide(observation(60.0 * minute, ready=ready, cpu_utilization=utilization), state)
        ready = decision.desired_replicas
        targets.append(ready)
    return targets


def test_the_example_of_the_guide() -> None:
    # At 60 % 10 % of 10 are added; at 70 % 30 % of the 10 before, 13 in all: two more than the 11 there are.
    assert walk(steps(), [0.6, 0.7], ready=10) == [11, 13]


def test_the_same_step_does_nothing_in_its_cooldown() -> None:
    # Complete a minute after it began, and 5 minutes of cooldown: in minute 7 from 11, 10 % is 1.
    assert walk(steps(), [0.65] * 7, ready=10) == [11] * 6 + [12]


def test_scaling_in_waits_for_its_cooldown() -> None:
    # 10 % of 10 go, then 10 % of 9, rounded up to 1.
    assert walk(steps(), [0.35] * 6, ready=10) == [9] * 5 + [8]
    assert walk(steps(), [0.25], ready=10) == [7]


def test_an_alarm_of_several_periods_waits() -> None:
    assert walk(steps(evaluation_periods=2), [0.65, 0.5, 0.65, 0.65], ready=10) == [10, 10, 10, 11]
    assert walk(steps(evaluation_periods=3, datapoints_to_alarm=2), [0.65, 0.5, 0.65], ready=10) == [10, 10, 11]


def test_steps_may_be_written_out() -> None:
    policy = steps(
        scale_out_threshold=50.0, scale_out_steps="0:20=2;20:=5", scale_in_steps="", adjustment_type="ChangeInCapacity"
    )
    assert walk(policy, [0.5, 0.71], ready=4) == [6, 9]  # 4 + 5, of which 2 are there already
    assert walk(policy, [0.0], ready=4) == [4]


def test_exact_capacity_sets_the_size() -> None:
    policy = steps(scale_out_steps="0:=12", scale_in_steps=":0=3", adjustment_type="ExactCapacity")
    assert walk(policy, [0.9, 0.2], ready=5) == [12, 3]  # complete, and its cooldown does not hold scaling in


def test_bounds_hold() -> None:
    assert walk(steps(min_replicas=2, max_replicas=5), [0.9, 0.9], ready=9) == [5, 5]


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    policy = steps(min_replicas=2, max_replicas=7, period_s=15.0)
    state = policy.initial_state()
    for seen in history:
        decision, state = policy.decide(seen, state)
        assert 2 <= decision.desired_replicas <= 7


def test_a_file_brings_policies_alarms_and_metric(tmp_path: Path) -> None:
    path = tmp_path / "steps.yaml"
    path.write_text(
        "ScalingPolicies:\n"
        "- PolicyName: out\n  PolicyType: StepScaling\n  AdjustmentType: ChangeInCapacity\n"
        "  EstimatedInstanceWarmup: 60\n"
        "  StepAdjustments: [{MetricIntervalLowerBound: 0, ScalingAdjustment: 4}]\n"
        "MetricAlarms:\n"
        "- {MetricName: GPUUtilization, Threshold: 80, ComparisonOperator: GreaterThanThreshold, "
        "EvaluationPeriods: 1, Period: 30}\n"
        "MaxSize: 6\n"
    )
    policy = build_policy("aws-step-scaling", SPEC, {"manifest": str(path)})
    assert isinstance(policy, AwsStepScaling)
    assert (policy.metric, policy.interval_s, policy.max_replicas) == ("accelerator", 30.0, 6)
    seen = observation(30.0, ready=3, accelerator_utilization=0.9)
    decision, _ = policy.decide(seen, policy.initial_state())
    assert decision.desired_replicas == 6
    assert decision.reason == "accelerator 90 +10 from 80: from 3 to 7, bounded to 6"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"scale_out_steps": "0:10=1"}, "scale_out_steps: Invalid value: the highest step must have no upper bound"),
        ({"adjustment_type": "Percent"}, "adjustment_type: nobody knows 'Percent'"),
        ({"datapoints_to_alarm": 3}, "datapoints_to_alarm must be <= evaluation_periods"),
        ({"statistic": "p99"}, "statistic: nobody knows 'p99'"),
        ({"treat_missing_data": "miss"}, "treat_missing_data: nobody knows 'miss'; did you mean 'missing'"),
        ({"scale_out_steps": "", "scale_in_steps": ""}, "at least one step"),
    ],
)
def test_wrong_settings_are_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        steps(**given_)
