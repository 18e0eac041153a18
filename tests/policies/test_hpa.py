from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Constant, Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.service import ResourceUse
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.hpa import HorizontalPodAutoscaler, HpaState
from hindscale.sizing import capacity_rps
from hindscale.testing import PolicyContract
from strategies import histories

PROFILE = ServiceProfile(slots=4, service_time=Constant(0.5), cold_start=Constant(60.0))
SPEC = ServiceSpec(profile=PROFILE, slo=Slo(latency_s=1.0), min_replicas=1, max_replicas=100)
HEAD = (
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: {kind: Deployment, name: m}\n"
)
EXTERNAL = "  - type: External\n    external: {metric: {name: queue}, target: {type: AverageValue, averageValue: 2}}\n"
CPU = "  - type: Resource\n    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}\n"


def manifest(tmp_path: Path, body: str) -> str:
    path = tmp_path / "hpa.yaml"
    path.write_text(HEAD + body)
    return str(path)


def seen(time_s: float, ready: int, **values: Any) -> Observation:
    given: dict[str, Any] = {"arrival_rate_rps": 1.0, "cpu_utilization": 0.5} | values
    return Observation(time_s=time_s, measured_at_s=time_s, ready_replicas=ready, **given)


def walk(policy: HorizontalPodAutoscaler, *observations: Observation) -> list[tuple[int, str]]:
    state, decided = policy.initial_state(), []
    for each in observations:
        decision, state = policy.decide(each, state)
        decided.append((decision.desired_replicas, decision.reason))
    return decided


def hpa(**given: Any) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler.for_service(SPEC, **given)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            hpa(),
            hpa(metric="memory", target=60, scale_up_policies=("Pods 4/60s",), version="newest"),
            hpa(metric="concurrency", scale_down_select="Disabled"),
            hpa(metric="accelerator", scale_down_stabilization_s=600.0, version="1.28"),
        ]


def test_out_in_proportion_and_in_only_after_five_minutes() -> None:
    ticks = [seen(15.0, 10, cpu_utilization=0.95), seen(30.0, 12, cpu_utilization=0.4)]
    ticks += [seen(45.0 + 15.0 * tick, 12, cpu_utilization=0.4) for tick in range(21)]
    decided = walk(hpa(), *ticks)
    assert decided[0] == (12, "cpu 95%/80%: 12 wanted")  # 95/80 * 10 = 11.875
    # The twelve of second 15 count until second 315, that one too.
    assert decided[1] == (12, "cpu 40%/80%: 5 wanted; ScaleDownStabilized")  # 10 ready pods settled, 2 fresh
    assert [size for size, _ in decided[1:21]] == [12] * 20
    assert decided[21] == (6, "cpu 40%/80%: 6 wanted")  # second 330: 0.5 * 12


def test_without_behavior_a_sync_at_most_doubles() -> None:
    decided = walk(hpa(metric="concurrency", target=1.0), seen(15.0, 3, ongoing_requests=12.0, queued_requests=88.0))
    assert decided == [(6, "concurrency 33.33/1 per pod: 100 wanted; ScaleUpLimit: 6")]


def test_starting_pods_hold_the_next_step_up() -> None:
    # 4 pods at 100 % of a target of 50 want 8; the 4 that start count with 0: 400/8 = 50 %: enough.
    decided = walk(
        hpa(target=50), seen(15.0, 4, cpu_utilization=1.0), seen(30.0, 4, cpu_utilization=1.0, starting_replicas=4)
    )
    assert [size for size, _ in decided] == [8, 8]


def test_pods_that_have_just_become_ready_count_as_unready_for_one_window() -> None:
    ticks = [seen(15.0, 4, cpu_utilization=1.0), seen(30.0, 8, cpu_utilization=1.0), seen(45.0, 8, cpu_utilization=1.0)]
    # Second 30: 400 of 800 is 50 %, where 8 ready ones at 100 % would want 16. Second 45: they count.
    assert [size for size, _ in walk(hpa(target=50), *ticks)] == [8, 8, 16]


def test_after_a_cold_start_of_five_minutes_first_readings_count_at_once() -> None:
    ticks = [seen(15.0, 4, cpu_utilization=1.0), seen(30.0, 8, cpu_utilization=1.0)]
    assert [size for size, _ in walk(hpa(target=50, cold_start_s=300.0), *ticks)] == [8, 16]


def test_nothing_ready_nothing_known_nothing_done() -> None:
    decided = walk(hpa(), seen(15.0, 0, starting_replicas=3, cpu_utilization=0.0))
    assert decided[0][0] == 3
    assert decided[0][1].startswith("FailedGetResourceMetric: did not receive metrics for targeted pods")


def test_a_container_of_a_metric_is_the_whole_pod(tmp_path: Path) -> None:
    target = "target: {type: Utilization, averageUtilization: 50}"
    metric = f"  - type: ContainerResource\n    containerResource: {{name: cpu, container: m, {target}}}\n"
    body = f"  maxReplicas: 9\n  metrics:\n{metric}"
    decided = walk(hpa(manifest=manifest(tmp_path, body)), seen(600.0, 4, cpu_utilization=0.9))
    assert decided == [(8, "cpu 90%/50%: 8 wanted")]  # ceil(90 / 50 * 4) = 8


def test_a_lost_replica_is_replaced_whatever_the_metrics() -> None:
    assert [
        size for size, _ in walk(hpa(), seen(15.0, 5, cpu_utilization=0.8), seen(30.0, 4, cpu_utilization=0.8))
    ] == [5, 5]


def test_a_fleet_of_none_begins_with_one() -> None:
    assert walk(hpa(), seen(15.0, 0))[0][0] == 1


def test_bounds_are_corrected_at_once() -> None:
    assert walk(hpa(max_replicas=20), seen(15.0, 50)) == [(20, "50 replicas are outside of maxReplicas: 20")]
    assert walk(hpa(min_replicas=8), seen(15.0, 3)) == [(8, "3 replicas are outside of minReplicas: 8")]


def test_defaults_follow_from_the_service() -> None:
    policy = hpa()
    assert (policy.metric, policy.min_replicas, policy.max_replicas, policy.cold_start_s) == ("cpu", 1, 100, 60.0)
    assert policy.reads == ("cpu_utilization",)
    gpu = ServiceProfile(slots=4, service_time=Constant(0.5), resources={"accelerator": ResourceUse()})
    spec = ServiceSpec(profile=gpu, slo=Slo(latency_s=1.0), min_replicas=0)
    policy = HorizontalPodAutoscaler.for_service(spec)
    assert policy.metric == "concurrency"
    assert policy.target == pytest.approx(0.8 * capacity_rps(gpu, spec.slo) * 0.5, abs=1e-3)
    assert policy.min_replicas == 1  # 0 needs the gate
    assert policy.reads == ("ongoing_requests", "queued_requests")


@pytest.mark.parametrize(
    ("full", "metric"), [(0.25, "concurrency"), (0.88, "concurrency"), (0.89, "cpu"), (1.0, "cpu")]
)
def test_a_cpu_that_would_never_add_a_replica_is_no_default(full: float, metric: str) -> None:
    profile = ServiceProfile(resources={"cpu": ResourceUse(idle=0.05, full=full)})
    assert HorizontalPodAutoscaler.for_service(ServiceSpec(profile=profile, slo=Slo(latency_s=2.0))).metric == metric


def test_a_manifest_decides_and_parameters_win_over_it(tmp_path: Path) -> None:
    path = manifest(tmp_path, "  minReplicas: 2\n  maxReplicas: 30\n  metrics:\n" + CPU)
    plain, changed = hpa(manifest=path), hpa(manifest=path, target=80, max_replicas=12)
    assert walk(plain, seen(15.0, 10, cpu_utilization=1.0)) == [(20, "cpu 100%/50%: 20 wanted")]
    assert walk(changed, seen(15.0, 10, cpu_utilization=1.0))[0][0] == 12
    assert walk(plain, seen(15.0, 1))[0][0] == 2


def test_metrics_of_a_manifest_are_mapped_to_measurements(tmp_path: Path) -> None:
    path = manifest(tmp_path, "  maxReplicas: 90\n  metrics:\n" + EXTERNAL)
    with pytest.raises(ParameterError, match="metric 'queue': nobody measures it by that name; say what it is"):
        hpa(manifest=path)
    policy = hpa(manifest=path, signals=("queue=queued_requests",))
    assert walk(policy, seen(15.0, 10, queued_requests=31.0)) == [(16, "queue 3.1/2 per pod: 16 wanted")]


def test_of_several_metrics_the_largest_and_a_missing_one_blocks_the_way_down_alone(tmp_path: Path) -> None:
    path = manifest(tmp_path, "  maxReplicas: 90\n  metrics:\n" + CPU + EXTERNAL)
    policy = hpa(manifest=path, signals=("queue=queued_requests",), downscale_stabilization_s=0.0)
    assert policy.reads == ()
    both = seen(15.0, 10, cpu_utilization=0.6, queued_requests=31.0)
    assert walk(policy, both) == [(16, "queue 3.1/2 per pod: 16 wanted")]
    up, down = seen(15.0, 10, cpu_utilization=0.6), seen(15.0, 10, cpu_utilization=0.2)
    assert walk(policy, up) == [(12, "cpu 60%/50%: 12 wanted; queued_requests was not measured")]
    assert walk(policy, down) == [(10, "FailedGetExternalMetric: queued_requests was not measured")]


def test_zero_with_the_gate_and_an_external_metric(tmp_path: Path) -> None:
    path = manifest(tmp_path, "  minReplicas: 0\n  maxReplicas: 90\n  metrics:\n" + EXTERNAL)
    policy = hpa(manifest=path, signals=("queue=queued_requests",), scale_to_zero=True, downscale_stabilization_s=0.0)
    ticks = [seen(15.0, 2, queued_requests=0.0), seen(31.0, 2, queued_requests=0.0), seen(46.0, 0, queued_requests=5.0)]
    assert [size for size, _ in walk(policy, *ticks)] == [2, 0, 3]  # the seed of the first pass holds it at 2


def test_behavior_can_be_given_in_parameters() -> None:
    policy = build_policy("hpa", SPEC, {"scale_up_policies": "Pods 2/60s;Percent 10/60s", "scale_up_select": "Min"})
    assert isinstance(policy, HorizontalPodAutoscaler)
    assert walk(policy, seen(15.0, 10, cpu_utilization=1.0)) == [(11, "cpu 100%/80%: 13 wanted; ScaleUpLimit: 11")]


def test_targets_in_cores_need_the_request(tmp_path: Path) -> None:
    cores = "  - type: Resource\n    resource: {name: cpu, target: {type: AverageValue, averageValue: 500m}}\n"
    path = manifest(tmp_path, "  maxReplicas: 90\n  metrics:\n" + cores)
    with pytest.raises(ParameterError, match="cpu_request must be given"):
        hpa(manifest=path)
    policy = hpa(manifest=path, cpu_request="2")
    assert walk(policy, seen(15.0, 10, cpu_utilization=0.4)) == [(16, "cpu 0.8/0.5 per pod: 16 wanted")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metric": "gpu"}, "metric must be one of cpu, memory, accelerator, concurrency, was 'gpu'"),
        ({"target": 0.7}, "target must be a whole percentage of the request, was 0.7; did you mean 70?"),
        ({"target": -5}, "target must be a number > 0"),
        ({"min_replicas": 0}, "min_replicas must be >= 1 without the gate HPAScaleToZero"),
        ({"min_replicas": 0, "scale_to_zero": True}, "min_replicas may be 0 only with an Object or External metric"),
        ({"min_replicas": 9, "max_replicas": 3}, "min_replicas must be <= max_replicas"),
        ({"version": "1.27"}, "version must be 'newest' or 1.28 or later"),
        ({"signals": ("queue",)}, "signals must be written METRIC=SIGNAL"),
        ({"signals": ("queue=queue_requests",)}, "signals: nobody measures 'queue_requests'; did you mean 'queued_"),
        ({"scale_up_policies": ("4 Pods",)}, "scale_up_policies must be written TYPE VALUE/PERIOD"),
        ({"scale_up_policies": ("Pod 4/15s",)}, 'behavior.scaleUp.policies[0].type: Unsupported value: "Pod"'),
        ({"scale_up_policies": ("Percent 10%/15s",)}, 'behavior.scaleUp.policies[0].value: Invalid value: "10%"'),
        ({"scale_down_policies": ("Pods 1/1801s",)}, "behavior.scaleDown.policies[0].periodSeconds: Invalid value"),
        ({"scale_down_select": "min"}, 'behavior.scaleDown.selectPolicy: Unsupported value: "min"'),
        ({"scale_up_stabilization_s": 3601.0}, "behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601"),
        ({"cpu_request": "0"}, "cpu_request must be positive"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        hpa(**given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_target_for_several_metrics_is_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, "  maxReplicas: 90\n  metrics:\n" + CPU + EXTERNAL)
    with pytest.raises(ParameterError, match="target belongs to one metric, but the manifest has 2"):
        hpa(manifest=path, signals=("queue=queued_requests",), target=5)


@given(history=histories(), low=st.integers(1, 10), extra=st.integers(0, 30))
def test_bounds_hold_wherever_metrics_are_known(history: list[Observation], low: int, extra: int) -> None:
    policy = hpa(metric="concurrency", target=2.0, min_replicas=low, max_replicas=low + extra)
    for size, reason in walk(policy, *history):
        assert low <= size <= low + extra or reason.startswith("FailedGet")


def test_state_of_a_long_run_stays_small() -> None:
    policy, state = hpa(scale_down_policies=("Percent 10/60s",)), HpaState()
    for tick in range(5000):
        load = 0.7 + 0.4 * math.sin(tick / 7)
        _, state = policy.decide(seen(15.0 * tick, 10 + tick % 5, cpu_utilization=load), state)
    assert len(str(to_plain(state))) < 10_000
