from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import to_plain
from hindscale.policies import build_policy
from hindscale.policies.skyserve import SkyServe
from hindscale.sizing import capacity_rps
from hindscale.testing import PolicyContract, observation
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=20)


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [
            build_policy("skyserve", SPEC),
            build_policy("skyserve", SPEC, {"upscale_delay_s": "0", "downscale_delay_s": "20", "num_overprovision": 1}),
        ]


def sky(**given: Any) -> SkyServe:
    return SkyServe(**{"min_replicas": 1, "max_replicas": 20, "target_qps_per_replica": 2.0, **given})


def walk(policy: SkyServe, rates: Sequence[float], *, every_s: float = 20.0) -> list[int]:
    """Targets at ticks of a rate each."""
    state, targets = policy.initial_state(), []
    for tick, rate_rps in enumerate(rates, start=1):
        decision, state = policy.decide(observation(every_s * tick, arrival_rate_rps=rate_rps), state)
        targets.append(decision.desired_replicas)
    return targets


def test_fifteen_decisions_must_agree() -> None:
    # 10 a second is 5 replicas once a minute of it is known; any growth counts from the first decision on.
    assert walk(sky(interval_s=20.0), [10.0] * 16) == [1] * 14 + [5, 5]


def test_the_window_is_a_minute() -> None:
    policy = sky(upscale_delay_s=0.0, interval_s=20.0)
    # After 20 s 200 requests in 60 s are 3.33 a second, so 2; then 4; then 5.
    assert walk(policy, [10.0] * 3) == [2, 4, 5]


def test_a_tick_longer_than_the_window_counts_its_part_only() -> None:
    policy = sky(upscale_delay_s=0.0, interval_s=120.0)
    assert walk(policy, [10.0], every_s=120.0) == [5]  # 1200 requests, half of them in the last minute


def test_one_quiet_sample_resets_the_counter() -> None:
    policy = sky(upscale_delay_s=60.0)
    rates = [0.0] * 3 + [10.0, 10.0, 0.0, 0.0, 0.0, 0.0, 10.0]
    # Wanted: 1 1 1 2 4 4 2 1 1 2; the third in a row above 1 moves the target to 4, shrinking waits 1200 s.
    assert walk(policy, rates) == [1, 1, 1, 1, 1, 4, 4, 4, 4, 4]


def test_decisions_come_every_five_seconds_at_zero() -> None:
    policy = sky(min_replicas=0)
    targets = walk(policy, [0.0, 0.0, 1.0], every_s=5.0)
    assert targets == [0, 0, 1]


def test_between_decisions_the_target_holds() -> None:
    policy = sky(upscale_delay_s=0.0)
    # Decisions at 5, 25, 45 s.
    assert walk(policy, [10.0] * 10, every_s=5.0) == [1] * 4 + [3] * 4 + [4] * 2


def test_spares_come_on_top() -> None:
    assert walk(sky(num_overprovision=2), [0.0]) == [3]


@given(history=histories())
def test_targets_stay_in_bounds(history: list[Observation]) -> None:
    policy = sky(min_replicas=2, max_replicas=7, upscale_delay_s=0.0, downscale_delay_s=0.0)
    state = policy.initial_state()
    for seen in history:
        decision, state = policy.decide(seen, state)
        assert 2 <= decision.desired_replicas <= 7


def test_the_state_does_not_grow() -> None:
    policy, state = sky(), sky().initial_state()
    for tick in range(1, 1000):
        _, state = policy.decide(observation(5.0 * tick, arrival_rate_rps=3.0), state)
    assert len(state.arrivals) <= 13
    assert len(str(to_plain(state))) < 1500


def test_defaults_follow_from_the_service(tmp_path: Path) -> None:
    policy = SkyServe.for_service(SPEC)
    assert (policy.min_replicas, policy.max_replicas) == (0, 20)
    assert policy.target_qps_per_replica == pytest.approx(0.8 * capacity_rps(SPEC.profile, SPEC.slo), abs=1e-5)
    path = tmp_path / "task.yaml"
    path.write_text("service:\n  replica_policy:\n    min_replicas: 2\n")
    assert SkyServe.for_service(SPEC, manifest=str(path)).max_replicas == 2  # as in SkyServe, a constant size
    assert SkyServe.for_service(SPEC, manifest=str(path), max_replicas=5).max_replicas == 5


def test_reasons_name_the_counter() -> None:
    decision, _ = sky().decide(observation(20.0, arrival_rate_rps=90.0), sky().initial_state())
    assert decision.reason == "7.5 qps / 2: wants 4, upscale counter 1/15"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"target_qps_per_replica": 0}, "target_qps_per_replica must be a number > 0"),
        ({"min_replicas": 5, "max_replicas": 2}, "min_replicas must be <= max_replicas"),
        ({"num_overprovision": -1}, "num_overprovision must be a whole number >= 0"),
        ({"upscale_delay_s": -1}, "upscale_delay"),
    ],
)
def test_wrong_settings_are_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        sky(**given_)
