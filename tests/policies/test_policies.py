"""All policies under their contract, and what they share."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from hindscale.core import Observation, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.policies import POLICIES, build_policy
from hindscale.testing import PolicyContract
from networks import random_network, written
from strategies import observations

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), peak_rate_rps=100.0)
NETWORKS = tempfile.TemporaryDirectory()
NEEDS = {
    "schedule": {"entries": "08:00=10;20:00=2"},
    "dqn": {"path": written(Path(NETWORKS.name) / "network.safetensors", random_network())},
}


def every_policy() -> list[Policy[Any]]:
    return [build_policy(name, SPEC, NEEDS.get(name)) for name in POLICIES.classes]


class TestContract(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return every_policy()


class TestContractWithSeasonalForecast(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [build_policy("predictive", SPEC, {"forecaster": "seasonal-naive(season_windows=4)"})]


class TestContractWithRatioRounding(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [build_policy("utilization", SPEC, {"rounding": "ratio", "resources": "cpu;memory"})]


@pytest.mark.parametrize("name", sorted(set(POLICIES.classes) - set(NEEDS)))
def test_policies_need_no_setting_but_for_a_timetable_and_a_network(name: str) -> None:
    assert build_policy(name, SPEC) is not None


@given(seen=observations())
def test_policies_remember_nothing_but_their_state(seen: Observation) -> None:
    for policy in every_policy():
        state = policy.initial_state()
        first = policy.decide(seen, state)
        assert policy.decide(seen, state) == first
