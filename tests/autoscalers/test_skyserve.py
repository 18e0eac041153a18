"""SkyServe's stages against numbers worked by hand, and what holds for all numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers import skyserve
from hindscale.autoscalers.skyserve import (
    Hysteresis,
    Replica,
    ReplicaPolicy,
    read_replica_policy,
    target_replicas,
    with_hysteresis,
)
from hindscale.core import ParameterError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "skyserve.json").read_text())
POSITIONAL = {
    "target_replicas": ("requests", "policy"),
    "with_hysteresis": ("wanted", "state", "policy"),
    "final_target_replicas": ("target", "policy"),
    "decision_interval_s": ("final_target",),
    "spot_and_ondemand_replicas": ("target",),
    "instance_aware_target": ("requests",),
    "scale_down_order": ("replicas", "count"),
}


def call(function: str, **arguments: Any) -> Any:
    if "policy" in arguments:
        arguments["policy"] = ReplicaPolicy(**arguments["policy"])
    if "state" in arguments:
        arguments["state"] = Hysteresis(**arguments["state"])
    for name in ("replica_qps", "ready_qps"):
        if name in arguments:
            arguments[name] = tuple(arguments[name])
    if function == "scale_down_order":
        keys = ("replica_id", "status", "version")
        arguments["replicas"] = [Replica(**dict(zip(keys, one, strict=True))) for one in arguments["replicas"]]
    given = [arguments.pop(name) for name in POSITIONAL[function]]
    found = getattr(skyserve, function)(*given, **arguments)
    if isinstance(found, Hysteresis):
        return [found.target, found.upscale_counter, found.downscale_counter]
    return list(found) if isinstance(found, tuple) else found


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_numbers_worked_by_hand(case: dict[str, Any]) -> None:
    assert call(**case["given"]) == case["expected"], case["why"]


policies = st.builds(
    ReplicaPolicy,
    min_replicas=st.integers(0, 5),
    max_replicas=st.integers(5, 50),
    target_qps_per_replica=st.none() | st.floats(0.01, 100),
)


@given(policy=policies, a=st.integers(0, 10**6), b=st.integers(0, 10**6))
def test_more_requests_never_want_fewer(policy: ReplicaPolicy, a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert policy.min_replicas <= target_replicas(low, policy) <= target_replicas(high, policy) <= policy.upper


@given(
    policy=policies,
    wishes=st.lists(st.integers(0, 50), max_size=200),
)
def test_the_target_is_always_one_that_was_wanted(policy: ReplicaPolicy, wishes: list[int]) -> None:
    state = Hysteresis(target=3)
    for number, wanted in enumerate(wishes):
        state = with_hysteresis(wanted, state, policy)
        assert state.target in {3, *wishes[: number + 1]}
        assert state.upscale_counter == 0 or state.downscale_counter == 0


TASK = """
service:
  readiness_probe: /health
  replica_policy:
    min_replicas: 1
    max_replicas: 8
    target_qps_per_replica: 2.5
    num_overprovision: 1
    upscale_delay_seconds: 60
    downscale_delay_seconds: 240
resources:
  accelerators: A100:1
"""


def test_a_task_file() -> None:
    assert read_replica_policy(TASK) == {
        "min_replicas": 1,
        "max_replicas": 8,
        "target_qps_per_replica": 2.5,
        "num_overprovision": 1,
        "upscale_delay_s": 60.0,
        "downscale_delay_s": 240.0,
    }


def test_replicas_are_a_fleet_of_constant_size() -> None:
    assert read_replica_policy("service:\n  replicas: 3\n") == {"min_replicas": 3, "max_replicas": 3}


def test_a_bare_policy() -> None:
    assert read_replica_policy("min_replicas: 2\nmax_replicas: 2\n") == {"min_replicas": 2, "max_replicas": 2}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("min_replicas: 1", "min_replicas: -1", "service.replica_policy.min_replicas: Invalid value: -1"),
        ("min_replicas: 1", "min_replica: 1", "did you mean .min_replicas"),
        ("    min_replicas: 1\n", "", "min_replicas: Required value"),
        ("max_replicas: 8", "max_replicas: 0", "max_replicas: Invalid value: 0"),
        ("    max_replicas: 8\n", "", "max_replicas: Required value: must be set where target_qps_per_replica"),
        ("    target_qps_per_replica: 2.5\n", "", "target_qps_per_replica: Required value: max_replicas is set"),
        ("target_qps_per_replica: 2.5", "target_qps_per_replica: 0", "must be greater than 0"),
        ("target_qps_per_replica: 2.5", "target_qps_per_replica: {A100: 3}", "rates by accelerator"),
        ("num_overprovision: 1", "dynamic_ondemand_fallback: true", "spot and pool policies are not emulated"),
        ("upscale_delay_seconds: 60", "upscale_delay_seconds: 60s", 'Invalid value: "60s"'),
        ("  replica_policy:", "  replicas: 2\n  replica_policy:", "cannot be given beside replica_policy"),
    ],
)
def test_wrong_policies_are_refused_with_their_path(old: str, new: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        read_replica_policy(TASK.replace(old, new, 1))
    assert "\n" not in str(caught.value)
