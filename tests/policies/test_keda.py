from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hindscale.core import Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.errors import ParameterError
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.keda import Keda
from hindscale.testing import FakeFleet, PolicyContract, observation

SPEC = ServiceSpec(profile=ServiceProfile(slots=10), slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=50)
MANIFEST = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
spec:
  scaleTargetRef: {name: llama}
  maxReplicaCount: 20
  FIELDS: true
  triggers:
    - type: prometheus
      name: queue
      metadata: {serverAddress: "http://p", query: waiting, threshold: "5"}
    - type: TYPE
      METRIC
      metadata: {scalerAddress: "s:1", value: "50"}
"""


def manifest(tmp_path: Path, fields: str = "", second: str = "external", metric: str = "") -> str:
    text = MANIFEST.replace("  FIELDS: true\n", f"  {fields}\n" if fields else "")
    path = tmp_path / "scaled.yaml"
    path.write_text(text.replace("TYPE", second).replace("METRIC", metric or "metricType: AverageValue"))
    return str(path)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("keda", SPEC),
            build_policy("keda", SPEC, {"metric": "queued_requests", "target": "5", "metric_type": "Value"}),
            build_policy(
                "keda", SPEC, {"min_replica_count": "3", "idle_replica_count": "0", "polling_interval_s": "5s"}
            ),
        ]


def run(policy: Keda, load: Callable[[float], dict[str, float]], ticks: int, replicas: int = 1) -> list[int]:
    """Sizes after each tick, on a fleet that does at once what it is told."""
    fleet, state = FakeFleet(lambda now_s, _: load(now_s), replicas=replicas), policy.initial_state()
    for tick in range(1, ticks + 1):
        decision, state = policy.decide(fleet.observe(policy.interval_s * tick), state)
        fleet.scale_to(decision.desired_replicas)
    return fleet.history


def requests(count: float) -> dict[str, float]:
    return {"ongoing_requests": count}


def test_from_zero_the_operator_starts_one_and_the_hpa_goes_on() -> None:
    policy = Keda.for_service(SPEC, target=5.0)
    # Poll at 15 s: 1. Syncs: 12 wanted, at most max(2 * 1, 4) = 4, then 8, then 12.
    assert run(policy, lambda _: requests(60.0), 4, replicas=0) == [1, 4, 8, 12]


def test_an_idle_workload_falls_from_any_number_once_the_cooldown_is_over() -> None:
    policy = Keda.for_service(SPEC, target=5.0, cooldown_period_s=60.0)
    sizes = run(policy, lambda now_s: requests(60.0 if now_s <= 45 else 0.0), 12, replicas=12)
    # Last active at the poll of 45 s; polls at 75 s (30 s), 105 s (60 s, not over), 135 s: from 12 to 0.
    assert sizes[6:9] == [12, 12, 0]


def test_the_hpa_decides_between_one_and_the_maximum() -> None:
    policy = Keda.for_service(SPEC, target=5.0, min_replica_count=2, max_replica_count=9)
    assert run(policy, lambda _: requests(1000.0), 4, replicas=2)[-1] == 9
    # Down only after five minutes of stabilization, and never below the minimum.
    sizes = run(policy, lambda now_s: requests(40.0 if now_s <= 30 else 0.0), 40, replicas=8)
    assert sizes[20] == 8
    assert sizes[-1] == 2


def test_the_interval_meets_polls_and_syncs() -> None:
    assert [Keda.for_service(SPEC, polling_interval_s=at).interval_s for at in (30.0, 10.0, 60.0, 7.0, 2.5)] == [
        15.0, 5.0, 15.0, 1.0, 1.0,
    ]  # fmt: skip
    policy = Keda.for_service(SPEC, target=5.0, polling_interval_s=10.0)
    state, reasons = policy.initial_state(), []
    for tick in range(1, 7):
        decision, state = policy.decide(observation(5.0 * tick, 2, ongoing_requests=10.0), state)
        reasons.append(decision.reason)
    # Syncs at 5 and 20 s, polls at 5, 15 and 25 s.
    assert reasons == [
        "hpa: s0-prometheus wants 2; operator: active",
        "between polls and syncs",
        "operator: active",
        "hpa: s0-prometheus wants 2",
        "operator: active",
        "between polls and syncs",
    ]


def test_the_activation_value_keeps_a_workload_at_zero() -> None:
    policy = Keda.for_service(SPEC, target=5.0, activation=20.0)
    assert run(policy, lambda _: requests(20.0), 5, replicas=0) == [0] * 5
    assert run(policy, lambda _: requests(20.5), 1, replicas=0) == [1]


def test_a_manifest_needs_to_know_what_its_triggers_measure(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    with pytest.raises(ParameterError, match="targets=s1=10"):
        Keda.for_service(SPEC, manifest=path)
    with pytest.raises(ParameterError, match="signals=queue=queued_requests"):
        Keda.for_service(SPEC, manifest=path, targets=("s1=10",))
    signals = ("queue=queued_requests", "s1=arrival_rate_rps")
    policy = Keda.for_service(SPEC, manifest=path, targets=("s1=10",), signals=signals)
    decision, _ = policy.decide(
        observation(15.0, 2, queued_requests=20.0, arrival_rate_rps=35.0), policy.initial_state()
    )
    # 20 / 5 and 35 / 10, up, are 4 each.
    assert decision.desired_replicas == 4


def test_a_fallback_holds_when_a_measurement_is_missing(tmp_path: Path) -> None:
    path = manifest(tmp_path, "fallback: {failureThreshold: 3, replicas: 6}", "memory", "metricType: Utilization")
    policy = Keda.for_service(SPEC, manifest=path, signals=("queue=queued_requests",), max_replica_count=8)
    assert policy.reads == ()
    fleet_size, state, sizes = 2, policy.initial_state(), []
    for tick in range(1, 6):
        seen = observation(
            15.0 * tick,
            fleet_size,
            queued_requests=math.nan,
            memory_utilization=0.5,
            missing=frozenset({"queued_requests"}),
        )
        decision, state = policy.decide(seen, state)
        fleet_size = decision.desired_replicas
        sizes.append(fleet_size)
    # Asked by the sync and the poll of 15 s, the sync of 30 s (3 failures), the sync of 45 s: the 4th. Then
    # 5 * 6 = 30 is served, 6 replicas are wanted, at most max(2 * 2, 4) at first.
    assert sizes == [2, 2, 4, 6, 6]


def test_cpu_alone_never_reaches_zero(tmp_path: Path) -> None:
    text = MANIFEST.replace("  FIELDS: true\n", "").replace("TYPE", "cpu").replace("METRIC", "metricType: Utilization")
    before, _, after = text.partition("    - type: prometheus")
    path = tmp_path / "cpu.yaml"
    path.write_text(before + after[after.index("    - type: cpu") :])
    policy = Keda.for_service(SPEC, manifest=str(path))
    assert run(policy, lambda _: {"cpu_utilization": 0.0}, 60, replicas=3)[-1] == 1
    decision, _ = policy.decide(observation(15.0, 4, cpu_utilization=0.8), policy.initial_state())
    assert decision.desired_replicas == 7  # ceil(80 / 50 * 4)


def test_a_container_of_a_cpu_trigger_is_the_whole_pod(tmp_path: Path) -> None:
    path = tmp_path / "cpu.yaml"
    path.write_text(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n"
        "spec:\n  scaleTargetRef: {name: llama}\n  minReplicaCount: 1\n"
        "  triggers:\n  - {type: cpu, metricType: Utilization, metadata: {value: '50', containerName: server}}\n"
    )
    policy = Keda.for_service(SPEC, manifest=str(path))
    decision, _ = policy.decide(observation(15.0, 4, cpu_utilization=0.8), policy.initial_state())
    assert decision.desired_replicas == 7  # ceil(80 / 50 * 4)


def test_a_lost_replica_is_replaced_whatever_the_metrics() -> None:
    policy = Keda.for_service(SPEC, target=5.0)
    decision, state = policy.decide(observation(15.0, 4, **requests(20.0)), policy.initial_state())
    assert decision.desired_replicas == 4
    # One of the four is gone; the scale's spec still says 4: 16 / (5 * 4) = 0.8, ceil(16 / 5) = 4. Three alone would
    # be within the tolerance, 16 / (5 * 3) = 1.07.
    decision, _ = policy.decide(observation(30.0, 3, **requests(16.0)), state)
    assert decision.desired_replicas == 4


def test_parameters_win_over_the_manifest(tmp_path: Path) -> None:
    given = {
        "manifest": manifest(tmp_path),
        "targets": ("s1=10", "queue=1"),
        "signals": ("queue=concurrency", "s1=concurrency"),
    }
    policy = Keda.for_service(
        SPEC,
        **given,
        max_replica_count=3,
        polling_interval_s=60.0,
    )
    assert max(run(policy, lambda _: requests(1000.0), 4)) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_replica_count": "9", "max_replica_count": "3"}, "minReplicaCount=9 must be less than or equal to"),
        ({"idle_replica_count": "2"}, "idleReplicaCount=2 must be less than minReplicaCount=0"),
        ({"metric": "queue_depth"}, "signals=queue_depth=queued_requests"),
        ({"metric_type": "Average"}, "did you mean 'AverageValue'?"),
        ({"target": "0"}, "target must be a number > 0"),
        ({"polling_interval_s": "0"}, "polling_interval_s must be a number > 0"),
        ({"targets": "queue=5"}, "targets must be written TRIGGER=NUMBER"),
        ({"signals": "x=queued_requests"}, "there is no trigger 'x'"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        build_policy("keda", SPEC, given)
    assert message in str(raised.value)


def test_the_state_does_not_grow() -> None:
    policy = Keda.for_service(SPEC, target=5.0)
    state, sizes = policy.initial_state(), []
    for tick in range(1, 300):
        _, state = policy.decide(observation(15.0 * tick, 3, ongoing_requests=float(tick % 37)), state)
        sizes.append(len(repr(to_plain(state))))
    assert max(sizes) < 1.5 * sizes[100]
