from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Constant, Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.aws_target_tracking import AwsTargetTracking
from hindscale.sizing import capacity_rps
from hindscale.testing import PolicyContract, observation
from strategies import histories
from walks import walk

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=1, max_replicas=20)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("aws-target-tracking", SPEC),
            build_policy("aws-target-tracking", SPEC, {"metric": "cpu", "scale_in_datapoints": "2", "period_s": "15"}),
            build_policy("aws-target-tracking", SPEC, {"metric": "cpu", "estimated_instance_warmup_s": "30"}),
        ]


def cpu(**given: Any) -> AwsTargetTracking:
    policy = build_policy("aws-target-tracking", SPEC, {"metric": "cpu", "target_value": 70.0, **given})
    assert isinstance(policy, AwsTargetTracking)
    return policy


def test_three_minutes_above_the_target_scale_out() -> None:
    # 90 / 70 of 7 is 9, in the third minute; then the metric is at its target.
    assert walk(cpu(), [(0.9, 1), (0.9, 1), (0.9, 1), (0.7, 1)], ready=7) == [7, 7, 9, 9]


def test_what_a_scale_out_added_is_credited_in_its_cooldown() -> None:
    # 14 / 10 of 5 is 7. While the metric stays, from 5 it is 7 again, until 300 s after completion: from 7, 10.
    minutes = [(0.98, 1.0)] * 9
    assert walk(cpu(), minutes, ready=5) == [5, 5, 7, 7, 7, 7, 7, 7, 10]


def test_a_larger_scale_out_adds_only_the_difference() -> None:
    # 84 / 70 of 5 is 6; a minute later 126 / 70 of the 5 before is 9, not 126 / 70 of 6, which is 11.
    assert walk(cpu(), [(0.84, 1), (0.84, 1), (0.84, 1), (1.26, 1)], ready=5) == [5, 5, 6, 9]


def test_fifteen_minutes_below_ninety_percent_scale_in() -> None:
    # 35 / 70 of 10 is 5 after 15 minutes; then the cooldown of 5 minutes holds, and 35 / 70 of 5 is 3.
    minutes = [(0.35, 1.0)] * 20
    assert walk(cpu(), minutes, ready=10) == [10] * 14 + [5] * 5 + [3]


def test_between_the_alarms_nothing_happens() -> None:
    assert walk(cpu(), [(0.64, 1.0)] * 20, ready=10) == [10] * 20  # 63 is the low threshold


def test_scaling_out_is_immediate_after_scaling_in() -> None:
    minutes = [(0.35, 1.0)] * 15 + [(0.91, 1.0)] * 3
    assert walk(cpu(), minutes, ready=10)[-4:] == [5, 5, 5, 7]  # 91 / 70 of 5 is 6.5


def test_disabled_scale_in_only_grows() -> None:
    assert walk(cpu(disable_scale_in="true"), [(0.1, 1.0)] * 20, ready=10) == [10] * 20


def test_a_scale_out_in_progress_holds_scaling_in() -> None:
    policy = cpu(scale_in_datapoints=1)
    minutes = [(0.98, 1.0)] * 3 + [(0.2, 0.7)] * 3 + [(0.2, 1.0)]
    # 7 are asked for; while some of them start nothing is removed; 20 / 70 of 7 is 2.
    assert walk(policy, minutes, ready=5) == [5, 5, 7, 7, 7, 7, 2]


def test_warming_replicas_do_not_count_in_ec2_auto_scaling() -> None:
    policy = cpu(estimated_instance_warmup_s=120.0)
    # Minute 3: 98 / 70 of 5 is 7. Ready in minute 4, warm in minute 6: until then from 5, then from 7 to 10.
    assert walk(policy, [(0.98, 1.0)] * 6, ready=5) == [5, 5, 7, 7, 7, 10]


def test_per_replica_metrics_cannot_wake_a_fleet() -> None:
    spec = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=20)
    policy = build_policy("aws-target-tracking", spec)
    state = policy.initial_state()
    for minute in range(1, 6):
        seen = observation(60.0 * minute, ready=0, arrival_rate_rps=50.0)
        decision, state = policy.decide(seen, state)
        assert decision.desired_replicas == 0


def test_datapoints_gather_finer_ticks() -> None:
    policy = cpu()
    state = policy.initial_state()
    targets = []
    for tick in range(1, 13):
        decision, state = policy.decide(observation(15.0 * tick, ready=7, cpu_utilization=0.9), state)
        targets.append(decision.desired_replicas)
    assert targets == [7] * 11 + [9]


def test_high_resolution_metrics_evaluate_every_ten_seconds(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "TargetValue: 4\nPredefinedMetricSpecification:\n"
        "  PredefinedMetricType: SageMakerVariantConcurrentRequestsPerModelHighResolution\n"
    )
    policy = build_policy("aws-target-tracking", SPEC, {"manifest": str(path)})
    assert isinstance(policy, AwsTargetTracking)
    assert (policy.interval_s, policy.scale_in_datapoints) == (10.0, 90)
    state, targets = policy.initial_state(), []
    for tick in range(1, 5):
        decision, state = policy.decide(observation(10.0 * tick, ready=2, ongoing_requests=16.0), state)
        targets.append(decision.desired_replicas)
    assert targets == [2, 2, 4, 2]  # 8 a replica, target 4; invoked again only a minute later


def test_the_default_target_is_half_of_what_a_replica_sustains() -> None:
    profile = ServiceProfile(slots=4, service_time=Constant(0.5))
    spec = ServiceSpec(profile=profile, slo=Slo(latency_s=1.0))
    policy = AwsTargetTracking.for_service(spec)
    assert policy.target_value == pytest.approx(30.0 * capacity_rps(profile, spec.slo), abs=1e-3)
    assert AwsTargetTracking.for_service(spec, metric="concurrency-per-replica").target_value == 2.8
    assert AwsTargetTracking.for_service(spec, metric="accelerator").target_value == 70.0


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    policy = cpu(min_replicas=2, max_replicas=7, period_s=15.0, scale_in_datapoints=1)
    state = policy.initial_state()
    for seen in history:
        decision, state = policy.decide(seen, state)
        assert 2 <= decision.desired_replicas <= 7


def test_the_state_does_not_grow() -> None:
    policy = cpu(estimated_instance_warmup_s=300.0)
    state = policy.initial_state()
    for minute in range(1, 500):
        seen = observation(60.0 * minute, ready=3 + minute % 5, cpu_utilization=0.5)
        _, state = policy.decide(seen, state)
    assert len(str(to_plain(state))) < 2500


def test_reasons_name_the_alarm() -> None:
    policy = cpu(scale_out_datapoints=1)
    decision, _ = policy.decide(observation(60.0, ready=7, cpu_utilization=0.9), policy.initial_state())
    assert decision.reason == "AlarmHigh: cpu 90, target 70: from 7 to 9"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"metric": "gpu"}, "metric: nobody measures 'gpu'"),
        ({"target_value": 0}, "target_value must be a number > 0"),
        ({"low_share": 90}, r"low_share must be in \(0, 1\], was 90; did you mean 0.9"),
        ({"min_replicas": 9, "max_replicas": 3}, "min_replicas must be <= max_replicas"),
    ],
)
def test_wrong_settings_are_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        cpu(**given_)
