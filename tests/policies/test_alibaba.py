from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.alibaba_predictive import AlibabaPredictive
from hindscale.policies.alibaba_simple import AlibabaSimple
from hindscale.policies.alibaba_step import AlibabaStep
from hindscale.policies.alibaba_target_tracking import AlibabaTargetTracking
from hindscale.sizing import capacity_rps
from hindscale.testing import PolicyContract, observation
from strategies import histories
from walks import walk

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=1, max_replicas=30)
NAMES = ("alibaba-predictive", "alibaba-simple", "alibaba-step", "alibaba-target-tracking")


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            *(build_policy(name, SPEC) for name in NAMES),
            *(
                build_policy(name, SPEC, {"metric": "cpu", "period_s": "15", "evaluation_count": "1"})
                for name in ("alibaba-simple", "alibaba-step")
            ),
        ]


def simple(**given: Any) -> AlibabaSimple:
    settings = {"metric": "cpu", "scale_out_threshold": 80.0, "scale_in_threshold": 40.0, "max_replicas": 30}
    return AlibabaSimple(**{**settings, "evaluation_count": 1, **given})


def step(**given: Any) -> AlibabaStep:
    settings = {"metric": "cpu", "scale_out_threshold": 80.0, "scale_in_threshold": 40.0, "max_replicas": 30}
    return AlibabaStep(**{**settings, "evaluation_count": 1, "scale_out_steps": ("0:10=1", "10:=4"), **given})


def tracking(**given: Any) -> AlibabaTargetTracking:
    return AlibabaTargetTracking(**{"metric": "cpu", "target_value": 70.0, "max_replicas": 30, **given})


def test_a_simple_rule_waits_for_its_cooldown() -> None:
    # Complete a minute after it was asked for, then 300 s: the task is rejected until minute 7.
    assert walk(simple(), [(0.9, 1)] * 8, ready=4) == [5] * 6 + [6] * 2


def test_a_cooldown_begins_when_the_activity_is_complete() -> None:
    minutes = [(0.9, 1.0)] + [(0.9, 0.5)] * 3 + [(0.9, 1.0)] * 6
    # Ready in minute 5, cooled down in minute 10.
    assert walk(simple(), minutes, ready=4) == [5] * 9 + [6]


def test_a_cooldown_holds_both_directions() -> None:
    assert walk(simple(), [(0.9, 1), (0.1, 1), (0.1, 1)], ready=4) == [5, 5, 5]


def test_three_datapoints_in_a_row_by_default() -> None:
    assert walk(simple(evaluation_count=3), [(0.9, 1), (0.5, 1), (0.9, 1), (0.9, 1), (0.9, 1)], ready=4) == [
        *(4, 4, 4, 4, 5)
    ]


def test_a_total_is_a_total() -> None:
    policy = simple(adjustment_type="TotalCapacity", scale_out_adjustment=12, scale_in_adjustment=2)
    assert walk(policy, [(0.9, 1)], ready=4) == [12]
    assert walk(policy, [(0.1, 1)], ready=4) == [2]


def test_a_step_rule_has_no_cooldown_but_warms_up() -> None:
    # +1; the new one warms up for 5 minutes, so that +4 comes from 4 again: 8, and no more until minute 7.
    assert walk(step(), [(0.85, 1), (0.95, 1), (0.95, 1)], ready=4) == [5, 8, 8]


def test_a_step_rule_removes_nothing_while_replicas_warm_up() -> None:
    policy = step(estimated_instance_warmup_s=120.0)
    # Ordered in minute 1, ready in minute 2, warm in minute 4.
    assert walk(policy, [(0.85, 1), (0.3, 1), (0.3, 1), (0.3, 1)], ready=4) == [5, 5, 5, 4]


def test_target_tracking_follows_the_proportion() -> None:
    assert walk(tracking(), [(0.9, 1)] * 4, ready=7) == [7, 7, 9, 9]
    assert walk(tracking(), [(0.35, 1)] * 15, ready=10) == [10] * 14 + [5]
    assert walk(tracking(disable_scale_in=True), [(0.35, 1)] * 15, ready=10) == [10] * 15
    assert walk(tracking(), [(0.64, 1)] * 20, ready=10) == [10] * 20


def predictive(**given: Any) -> AlibabaPredictive:
    settings = {"metric": "qps-per-replica", "target_value": 2.0, "min_replicas": 1, "max_replicas": 10}
    return AlibabaPredictive(**{**settings, **given})


def day_after_day(policy: AlibabaPredictive, days: int = 2) -> list[int]:
    """Targets minute by minute: 2 requests a second at night, 12 a second from 09:00 to 17:00."""
    state, targets, wanted = policy.initial_state(), [], 1
    for minute in range(1, 24 * 60 * days + 1):
        rate_rps = 12.0 if 9 * 60 < (minute - 1) % (24 * 60) + 1 <= 17 * 60 else 2.0
        seen = observation(60.0 * minute, ready=wanted, arrival_rate_rps=rate_rps)
        decision, state = policy.decide(seen, state)
        wanted = decision.desired_replicas
        targets.append(wanted)
    return targets


def clock(hour: int, minute: int = 0, *, day: int = 1) -> int:
    """Index of the target at a time of day; the first minute that is decided on is 00:01."""
    return (24 * day + hour) * 60 + minute - 1


def test_the_second_day_is_planned() -> None:
    targets = day_after_day(predictive())
    # The first day has no plan: three datapoints above the target before anything is added.
    assert targets[clock(9, 0, day=0) : clock(9, 4, day=0)] == [1, 1, 1, 6]
    # On the second day the task of 09:00 sets the minimum to 12 / 2 = 6.
    assert targets[clock(8, 59)] == 1
    assert targets[clock(9)] == 6
    # At 17:00 the minimum is 1 again, and the target tracking rule scales in after 15 datapoints.
    assert targets[clock(17, 14)] == 6
    assert targets[clock(17, 15)] == 1


def test_a_plan_that_is_only_made_changes_nothing() -> None:
    targets = day_after_day(predictive(predict_only=True))
    assert targets[: clock(0)] == targets[clock(0) + 1 :][: clock(0)]
    assert targets[clock(9)] == 1


def test_the_initial_maximum_caps_or_yields() -> None:
    capped = day_after_day(predictive(max_replicas=4))
    lifted = day_after_day(predictive(max_replicas=4, value_behavior="PredictiveValueOverrideMax"))
    assert (capped[clock(9)], lifted[clock(9)]) == (4, 6)


def test_tasks_may_run_ahead() -> None:
    targets = day_after_day(predictive(task_buffer_s=600.0))
    assert (targets[clock(8, 49)], targets[clock(8, 50)]) == (1, 6)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_does_not_grow(name: str) -> None:
    policy = build_policy(name, SPEC)
    state = policy.initial_state()
    for tick in range(1, 3000):
        seen = observation(600.0 * tick, ready=3 + tick % 4, arrival_rate_rps=float(tick % 20))
        _, state = policy.decide(seen, state)
    assert len(str(to_plain(state))) < 12_000


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    bounds: dict[str, Any] = {"min_replicas": 2, "max_replicas": 7, "period_s": 15.0, "interval_s": 15.0}
    for policy in (simple(**bounds), step(**bounds), tracking(**bounds, scale_in_evaluation_count=1)):
        state = policy.initial_state()
        for seen in history:
            decision, state = policy.decide(seen, state)
            assert 2 <= decision.desired_replicas <= 7


def test_defaults_follow_from_the_service() -> None:
    sustained = capacity_rps(SPEC.profile, SPEC.slo)
    policy = AlibabaTargetTracking.for_service(SPEC)
    assert policy.target_value == pytest.approx(0.8 * sustained, abs=1e-5)
    assert AlibabaTargetTracking.for_service(SPEC, metric="cpu").target_value == 80.0
    assert AlibabaStep.for_service(SPEC).scale_in_threshold == pytest.approx(0.4 * sustained, abs=1e-5)


def test_files_bring_rules_and_bounds(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "ScalingRules:\n- {AdjustmentType: QuantityChangeInCapacity, AdjustmentValue: 3, Cooldown: 60}\n"
        "Alarms:\n- {MetricName: CpuUtilization, Threshold: 70, EvaluationCount: 1, Period: 120}\nMaxSize: 6\n"
    )
    policy = build_policy("alibaba-simple", SPEC, {"manifest": str(path)})
    assert isinstance(policy, AlibabaSimple)
    assert (policy.metric, policy.interval_s, policy.max_replicas) == ("cpu", 120.0, 6)
    decision, _ = policy.decide(observation(120.0, ready=4, cpu_utilization=0.9), policy.initial_state())
    assert decision.desired_replicas == 6
    assert decision.reason == "cpu 90 >= 70: from 4 to 7, bounded to 6"
    path.write_text("MetricName: CpuUtilization\nTargetValue: 50\nScaleOutEvaluationCount: 1\n")
    tracked = build_policy("alibaba-target-tracking", SPEC, {"manifest": str(path), "target_value": "60"})
    decision, _ = tracked.decide(observation(60.0, ready=4, cpu_utilization=0.9), tracked.initial_state())
    assert decision.desired_replicas == 6  # the parameter wins: 90 / 60
    path.write_text("MetricName: CpuUtilization\nTargetValue: 50\nInitialMaxSize: 8\n")
    planned = build_policy("alibaba-predictive", SPEC, {"manifest": str(path)})
    assert isinstance(planned, AlibabaPredictive)
    assert (planned.max_replicas, planned.target_value) == (8, 50.0)


@pytest.mark.parametrize(
    ("name", "given_", "message"),
    [
        ("alibaba-simple", {"metric": "gpu"}, "metric: nobody measures 'gpu'"),
        ("alibaba-simple", {"adjustment_type": "Quantity"}, "adjustment_type: nobody knows 'Quantity'"),
        ("alibaba-simple", {"statistic": "p99"}, "statistic: nobody knows 'p99'"),
        ("alibaba-step", {"scale_out_steps": "0:5=1"}, "the highest step must have no upper bound"),
        ("alibaba-step", {"estimated_instance_warmup_s": -1}, "estimated_instance_warmup_s must be a number >= 0"),
        ("alibaba-target-tracking", {"target_value": 0}, "target_value must be a number > 0"),
        ("alibaba-target-tracking", {"low_share": 90}, "did you mean 0.9"),
        ("alibaba-predictive", {"value_behavior": "Max"}, "behavior: nobody knows 'Max'"),
        ("alibaba-predictive", {"task_buffer_s": "2h"}, "task_buffer_s must be <= 1h"),
    ],
)
def test_wrong_settings_are_refused(name: str, given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        build_policy(name, SPEC, given_)
