from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hindscale.core import Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.errors import ParameterError
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.knative import Knative
from hindscale.testing import FakeFleet, PolicyContract, observation

SPEC = ServiceSpec(profile=ServiceProfile(slots=10), slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=50)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("knative", SPEC),
            build_policy("knative", SPEC, {"metric": "rps", "target": "20", "window_s": "6s"}),
            build_policy("knative", SPEC, {"metric_aggregation_algorithm": "weighted-exponential", "min_scale": "2"}),
        ]


def run(policy: Knative, loads: Sequence[float], replicas: int = 1, start_s: float = 0.0) -> list[int]:
    """Sizes after each tick of 2 s, on a fleet that does at once what it is told."""

    def load(now_s: float, ready: int) -> dict[str, Any]:
        return {"ongoing_requests": loads[round((now_s - start_s) / 2.0) - 1]}

    fleet, state = FakeFleet(load, replicas=replicas), policy.initial_state()
    for tick in range(1, len(loads) + 1):
        decision, state = policy.decide(fleet.observe(start_s + 2.0 * tick), state)
        fleet.scale_to(decision.desired_replicas)
    return fleet.history


def test_the_default_target_is_seventy_percent_of_the_slots() -> None:
    policy = Knative.for_service(SPEC)
    assert policy.container_concurrency == 10
    # 20 requests / 7 per pod, up.
    assert run(policy, [20.0]) == [3]


def test_the_reason_names_the_mode_and_the_numbers() -> None:
    policy = Knative.for_service(SPEC)
    decision, _ = policy.decide(observation(2.0, 4, ongoing_requests=28.0), policy.initial_state())
    assert decision.reason == "panic mode: 28 / 7 per pod, 4 at most so far: 4 wanted"
    decision, _ = policy.decide(observation(2.0, 1, ongoing_requests=7.0), policy.initial_state())
    assert decision.reason == "stable mode: 7 / 7 per pod: 1 wanted"


def test_waiting_requests_are_part_of_the_concurrency() -> None:
    policy = Knative.for_service(SPEC)
    decision, _ = policy.decide(observation(2.0, 1, ongoing_requests=5.0, queued_requests=15.0), policy.initial_state())
    assert decision.desired_replicas == 3


def test_idle_pods_go_after_the_stable_window_and_the_grace_period() -> None:
    policy = Knative.for_service(SPEC)
    sizes = run(policy, [7.0] + [0.0] * 100)
    first_zero = 2 * (sizes.index(0) + 1)
    # Recorded load ends at 2 s; the average is 0 from 62 s on. Active since 2 s, so inactive at once at 62 s;
    # proxied from the same pass on (1 · 10 - 211 < 0: since 2 s), so the grace period is over in the next one.
    assert first_zero == 64


def test_with_no_burst_capacity_the_grace_period_is_waited_for() -> None:
    policy = Knative.for_service(SPEC, target_burst_capacity=0.0)
    sizes = run(policy, [7.0] + [0.0] * 100)
    assert 2 * (sizes.index(0) + 1) == 62 + 30


def test_from_zero_a_burst_is_not_diluted_by_the_idle_time_before() -> None:
    policy = Knative.for_service(SPEC)
    sizes = run(policy, [0.0] * 100 + [70.0], replicas=0)
    assert sizes[:100] == [0] * 100
    assert sizes[100] == 10  # 70 / 7, as the average is over the data so far


def test_bounds_come_from_the_comparison_unless_given() -> None:
    assert max(run(Knative.for_service(SPEC), [7000.0] * 3)) == 50
    assert max(run(Knative.for_service(SPEC, max_scale=20), [7000.0] * 3)) == 20
    assert min(run(Knative.for_service(SPEC, min_scale=3), [0.0] * 100)) == 3


def test_the_state_does_not_grow() -> None:
    policy = Knative.for_service(SPEC, scale_down_delay_s=60.0)
    state, sizes = policy.initial_state(), []
    for tick in range(1, 400):
        _, state = policy.decide(observation(2.0 * tick, 3, ongoing_requests=float(tick % 37)), state)
        sizes.append(len(repr(to_plain(state))))
    assert max(sizes) < 1.5 * sizes[100]


def test_rps_reads_the_arrival_rate() -> None:
    policy = Knative.for_service(SPEC, metric="rps", target=10.0, target_utilization_percentage=100.0)
    assert tuple(policy.reads) == ("arrival_rate_rps",)
    decision, _ = policy.decide(observation(2.0, 1, arrival_rate_rps=35.0), policy.initial_state())
    assert decision.desired_replicas == 4


MANIFEST = """
apiVersion: serving.knative.dev/v1
kind: Service
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/target: "4"
        autoscaling.knative.dev/max-scale: "9"
    spec:
      containers: [{image: x}]
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
data:
  container-concurrency-target-percentage: "50"
  container-concurrency-target-default: "30"
  stable-window: 90s
"""


def test_a_manifest_sets_the_fields_and_parameters_win(tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    path.write_text(MANIFEST)
    policy = Knative.for_service(SPEC, manifest=str(path))
    # The manifest limits no concurrency, so neither does the policy, whatever the slots.
    assert (policy.target, policy.max_scale, policy.min_scale, policy.container_concurrency) == (4.0, 9, 0, 0)
    assert Knative.for_service(SPEC, manifest=str(path), max_scale=3).max_scale == 3


def test_a_config_map_sets_what_the_manifest_leaves_open(tmp_path: Path) -> None:
    service, config = tmp_path / "service.yaml", tmp_path / "config.yaml"
    service.write_text(MANIFEST.replace('autoscaling.knative.dev/target: "4"', 'autoscaling.knative.dev/window: "70s"'))
    config.write_text(CONFIG)
    policy = Knative.for_service(SPEC, manifest=str(service), config_map=str(config))
    assert (policy.window_s, policy.target, policy.target_utilization_percentage) == (70.0, 30.0, 50.0)
    assert run(policy, [30.0]) == [2]  # 30 / (30 * 0.5)


def test_a_config_maps_percentage_is_passed_on_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    data = 'data: {container-concurrency-target-percentage: "57"}'
    config.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-autoscaler}}\n{data}\n")
    policy = Knative.for_service(SPEC, config_map=str(config))
    assert policy.target_utilization_percentage == 57.0  # by way of the fraction 0.57 it were 56.99999999999999


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window_s": "5s"}, 'autoscaling.knative.dev/window: Invalid value: "5s": must be in [6s; 1h]'),
        ({"metric": "cpu"}, 'autoscaling.knative.dev/metric: Unsupported value: "cpu"'),
        ({"max_scale_up_rate": "1"}, 'max-scale-up-rate: Invalid value: "1.0": must be greater than 1.0'),
        ({"target_utilization_percentage": "0.7"}, "must be in [1; 100]"),
        ({"min_scale": "5", "max_scale": "3"}, "max-scale=3 is less than min-scale=5"),
    ],
)
def test_parameters_are_checked_like_the_annotations(given: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        build_policy("knative", SPEC, given)
    assert message in str(raised.value)
