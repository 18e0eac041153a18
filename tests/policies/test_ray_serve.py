from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.ray_serve import RayServe, RayServeState
from hindscale.testing import PolicyContract, observation
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=20)


def walk(policy: RayServe, ticks: Sequence[dict[str, Any]], state: RayServeState | None = None) -> list[int]:
    """Targets of consecutive ticks; each begins with the fleet that the one before asked for."""
    state = state or policy.initial_state()
    wanted: list[int] = []
    for tick in ticks:
        starting = max(0, wanted[-1] - tick["ready"]) if wanted else 0
        decision, state = policy.decide(observation(**tick, starting_replicas=starting), state)
        wanted.append(decision.desired_replicas)
    return wanted


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("ray-serve", SPEC),
            build_policy("ray-serve", SPEC, {"upscale_delay_s": "0", "downscale_delay_s": "0", "initial_replicas": 3}),
            build_policy("ray-serve", SPEC, {"aggregation_function": "max", "downscaling_factor": 0.5}),
        ]


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    policy = RayServe(min_replicas=2, max_replicas=7, upscale_delay_s=0, downscale_delay_s=0)
    state = policy.initial_state()
    for seen in history:
        decision, state = policy.decide(seen, state)
        assert 2 <= decision.desired_replicas <= 7


def test_defaults_written_out_are_defaults_left_out() -> None:
    left_out = build_policy("ray-serve", SPEC)
    written_out = build_policy(
        "ray-serve",
        SPEC,
        {"target_ongoing_requests": 2, "upscale_delay_s": "30s", "downscale_delay_s": "10min", "smoothing_factor": 1.0},
    )
    assert left_out == written_out


def test_growth_waits_for_its_delay() -> None:
    policy = RayServe(min_replicas=1, max_replicas=20)
    ticks = [
        {"time_s": float(second), "ready": 2, "ongoing_requests": 10.0, "queued_requests": 2.0}
        for second in range(1, 41)
    ]
    # Pass 1 at 1 s, so pass 301 is at 31 s: 12 requests / 2 per replica = 6.
    assert walk(policy, ticks) == [2] * 30 + [6] * 10


def test_numbers_are_those_of_the_last_report() -> None:
    policy = RayServe(min_replicas=1, max_replicas=20, upscale_delay_s=0.0, metrics_interval_s=10.0)
    loads = [2.0] * 5 + [20.0] * 10
    ticks = [
        {"time_s": float(second), "ready": 1, "ongoing_requests": load} for second, load in enumerate(loads, start=1)
    ]
    # Reported at 1 s: 2 requests. At 11 s: mean of 5 samples of 2 and 6 of 20 is 130 / 11 = 11.8, so 6 replicas.
    assert walk(policy, ticks) == [1] * 10 + [6] * 5


def test_a_waiting_request_wakes_the_fleet_at_once() -> None:
    policy = RayServe(min_replicas=0, max_replicas=5)
    quiet = {"ready": 0, "ongoing_requests": 0.0, "queued_requests": 0.0}
    ticks = [{"time_s": 1.0, **quiet}, {"time_s": 2.0, **quiet, "queued_requests": 7.0}]
    assert walk(policy, ticks) == [0, 1]


def test_it_begins_with_its_initial_replicas() -> None:
    policy = RayServe(min_replicas=1, max_replicas=9, initial_replicas=4)
    seen = observation(1.0, ready=1, ongoing_requests=2.0)
    assert policy.decide(seen, policy.initial_state())[0].desired_replicas == 4


def test_one_tick_a_second_decides_like_ten() -> None:
    """With the same load, ten passes in a tick and a tick a pass come to the same size at the same second."""
    coarse, fine = [RayServe(min_replicas=1, max_replicas=30, upscale_delay_s=3.0) for _ in range(2)]
    seen: dict[str, Any] = {"ready": 3, "ongoing_requests": 22.0}
    at_seconds = walk(coarse, [{"time_s": float(tick), **seen} for tick in range(1, 9)])
    at_tenths = walk(fine, [{"time_s": 1.0 + tick / 10, **seen} for tick in range(71)])
    assert at_seconds == at_tenths[::10] == [3, 3, 3, 11, 11, 11, 11, 11]


def test_reasons_name_the_delay_that_holds() -> None:
    policy = RayServe(min_replicas=1, max_replicas=20)
    decision, _ = policy.decide(observation(1.0, ready=2, ongoing_requests=12.0), policy.initial_state())
    assert decision.reason == "12 requests / target_ongoing_requests 2: upscale_delay_s since 0.1 s, keep 2"


def test_the_state_forgets_what_left_the_look_back() -> None:
    policy = RayServe(min_replicas=1, max_replicas=20)
    state = policy.initial_state()
    for second in range(1, 2000):
        _, state = policy.decide(observation(float(second), ready=2, ongoing_requests=4.0), state)
    assert len(state.samples) == 30
    assert len(str(to_plain(state))) < 2000


def test_a_manifest_gives_what_parameters_do_not(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("autoscaling_config:\n  min_replicas: 3\n  max_replicas: 9\n  upscale_delay_s: 4\n")
    policy = build_policy("ray-serve", SPEC, {"manifest": str(path), "max_replicas": "6"})
    assert isinstance(policy, RayServe)
    assert (policy.min_replicas, policy.max_replicas, policy.upscale_delay_s) == (3, 6, 4.0)


def test_bounds_come_from_the_service() -> None:
    policy = build_policy("ray-serve", SPEC)
    assert isinstance(policy, RayServe)
    assert (policy.min_replicas, policy.max_replicas) == (0, 20)
    with pytest.raises(ValueError, match="min_replicas must be <= max_replicas"):
        RayServe(min_replicas=5, max_replicas=2)
