from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.aibrix_apa import AibrixApa
from hindscale.policies.aibrix_kpa import AibrixKpa
from hindscale.testing import PolicyContract, observation
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=1, max_replicas=40)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("aibrix-apa", SPEC),
            build_policy("aibrix-kpa", SPEC),
            build_policy("aibrix-apa", SPEC, {"metrics": "cpu;kv-cache", "targets": "70;0.5"}),
            build_policy("aibrix-kpa", SPEC, {"scale_up_cooldown_s": "30", "panic_window_s": "20"}),
        ]


def apa(**given: Any) -> AibrixApa:
    return AibrixApa(**{"min_replicas": 1, "max_replicas": 40, "targets": ("4",), **given})


def kpa(**given: Any) -> AibrixKpa:
    return AibrixKpa(**{"min_replicas": 1, "max_replicas": 40, "targets": ("4",), **given})


def walk(policy: AibrixApa | AibrixKpa, loads: Sequence[float], ready: int, **seen: Any) -> list[int]:
    """Targets each 10 s; every replica is ready at once."""
    state, targets = policy.initial_state(), []
    for tick, load in enumerate(loads, start=1):
        decision, state = policy.decide(observation(10.0 * tick, ready=ready, ongoing_requests=load, **seen), state)
        ready = decision.desired_replicas
        targets.append(ready)
    return targets


def test_apa_follows_the_mean_per_pod() -> None:
    # 12 a pod over 4 is 3 times as many, but at most twice; then the mean of 12 and 6 is 9, twice again.
    assert walk(apa(), [24.0, 24.0], ready=2) == [4, 8]


def test_apa_forgets_slowly() -> None:
    # The window still holds 12 and 6 when the load has come to rest at the target: it overshoots.
    assert walk(apa(), [24.0, 24.0, 32.0], ready=2) == [4, 8, 15]  # mean of 12, 6, 4 is 7.33; / 4 * 8 = 14.7


def test_small_errors_are_left_alone() -> None:
    assert walk(apa(), [43.0] * 3, ready=10) == [10] * 3


def test_kpa_takes_metrics_for_totals() -> None:
    assert walk(kpa(), [24.0, 24.0], ready=4) == [6, 6]
    # The same load as a mean per pod: 6 a pod / 4 is 2 pods for 24 requests that need 6.
    per_pod = kpa(metrics=("concurrency-per-replica",))
    assert walk(per_pod, [24.0], ready=4) == [2]


def test_kpa_panics_on_a_burst() -> None:
    loads = [4.0] * 18 + [100.0]
    policy = kpa(panic_window_s=10.0)
    # Short window: the mean of 4 and 100 is 52. Long: (18 * 4 + 100) / 19 = 9.05, so 52 / 9.05 > 2: panic.
    # 52 / 4 = 13 are wanted, at most twice the one there is.
    assert walk(policy, loads, ready=1) == [1] * 18 + [2]


def test_the_smallest_recommendation_of_the_window_shrinks() -> None:
    policy = kpa(stable_window_s=1.0, panic_window_s=1.0)
    # Wanted 6, 2, 3, 3: growth at once; down to 3 (halved), then 3 equals 3.
    assert walk(policy, [24.0, 8.0, 12.0, 12.0], ready=6) == [6, 3, 3, 3]


def test_pending_replicas_use_nothing_when_growing() -> None:
    seen = observation(10.0, ready=2, starting_replicas=2, ongoing_requests=16.0)
    # 8 a pod over 4 is 8 replicas of 4; but 2 of 4 do not report: 8 * 2 / 4 / 4 is 1 per pod, 4 stay.
    decision, _ = apa().decide(seen, apa().initial_state())
    assert decision.desired_replicas == 4
    assert "pending replicas treated as missing metrics" in decision.reason


def test_no_replicas_and_a_minimum_disable_scaling() -> None:
    decision, _ = apa().decide(observation(10.0, ready=0, queued_requests=5.0), apa().initial_state())
    assert (decision.desired_replicas, decision.reason) == (0, "scaling disabled: current replicas is 0")


def test_totals_wake_a_fleet_that_may_be_empty() -> None:
    policy = kpa(min_replicas=0)
    decision, _ = policy.decide(observation(10.0, ready=0, queued_requests=50.0), policy.initial_state())
    assert decision.desired_replicas == 1


def test_the_largest_wish_counts() -> None:
    policy = apa(metrics=("running-per-replica", "kv-cache"), targets=("4", "0.5"))
    seen = observation(10.0, ready=4, ongoing_requests=24.0, accelerator_utilization=0.9)
    decision, _ = policy.decide(seen, policy.initial_state())
    assert decision.desired_replicas == 8  # 6 / 4 wants 6, 0.9 / 0.5 wants 7.2
    assert decision.reason == "kv-cache 0.9, target 0.5: apa, wants 8"


MANIFEST = """
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata: {name: llm}
spec:
  scalingStrategy: KPA
  minReplicas: 1
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  metricsSources:
  - {metricSourceType: external, targetMetric: qps, targetValue: "5"}
  schedules:
  - {name: day, startTime: "08:00", endTime: "18:00", minReplicas: 4, timezone: Europe/Berlin}
"""


def test_schedules_follow_the_traces_clock(tmp_path: Path) -> None:
    path = tmp_path / "pa.yaml"
    path.write_text(MANIFEST)
    # 05:59:50 UTC in May is 07:59:50 in Berlin: the day begins ten seconds later.
    start = datetime(2024, 5, 15, 5, 59, 50, tzinfo=UTC)
    spec = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), start=start)
    policy = build_policy("aibrix-kpa", spec, {"manifest": str(path)})
    assert isinstance(policy, AibrixKpa)
    assert policy.reads == ("arrival_rate_rps",)
    state = policy.initial_state()
    before, state = policy.decide(observation(5.0, ready=2, arrival_rate_rps=7.0), state)
    after, _ = policy.decide(observation(10.0, ready=2, arrival_rate_rps=7.0), state)
    assert (before.desired_replicas, after.desired_replicas) == (2, 4)


def test_a_manifest_belongs_to_one_strategy(tmp_path: Path) -> None:
    path = tmp_path / "pa.yaml"
    path.write_text(MANIFEST)
    with pytest.raises(ParameterError, match="must be APA; use the policy aibrix-kpa"):
        build_policy("aibrix-apa", SPEC, {"manifest": str(path)})
    path.write_text(MANIFEST.replace("Europe/Berlin", "Mars/Base"))
    with pytest.raises(ParameterError, match="unknown time zone"):
        build_policy("aibrix-kpa", SPEC, {"manifest": str(path)})


@pytest.mark.parametrize("name", ["aibrix-apa", "aibrix-kpa"])
def test_the_state_does_not_grow(name: str) -> None:
    policy = build_policy(name, SPEC)
    state = policy.initial_state()
    for tick in range(1, 400):
        _, state = policy.decide(observation(10.0 * tick, ready=3, ongoing_requests=float(tick % 9)), state)
    assert len(str(to_plain(state))) < 3000


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    for policy in (apa(min_replicas=2, max_replicas=7), kpa(min_replicas=2, max_replicas=7)):
        state = policy.initial_state()
        for seen in history:
            decision, state = policy.decide(seen, state)
            assert seen.requested_replicas == 0 or 2 <= decision.desired_replicas <= 7


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"targets": ()}, "targets must be one for each of metrics"),
        ({"targets": ("x",)}, "targets must be numbers, was 'x'"),
        ({"targets": ("0",)}, "targets must be a number > 0"),
        ({"metrics": ("gpu",)}, "metric: nobody measures 'gpu'"),
        ({"panic_window_s": 200.0}, "panic_window_s must be <= stable_window_s"),
        ({"max_scale_up_rate": 0}, "max_scale_up_rate must be a number > 0"),
    ],
)
def test_wrong_settings_are_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        kpa(**given_)
