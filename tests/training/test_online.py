from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra `train`")

from courses import SPEC
from hindscale.core import control_step, initial_control_state
from hindscale.core.state import from_plain, to_plain
from hindscale.core.values import Observation
from hindscale.policies import build_policy
from hindscale.training.fleet import FluidFleet
from hindscale.training.online import STATE, OnlineDqn, OnlineState
from networks import random_network, written

ARRIVED = np.random.default_rng(0).poisson(900 + 600 * np.sin(np.arange(200) / 15)).astype(float).tolist()


@pytest.fixture
def agent(tmp_path: Path) -> OnlineDqn:
    path = written(tmp_path / "n.safetensors", random_network(hidden=16))
    policy: Any = build_policy("dqn", SPEC, {"path": path})
    return OnlineDqn(policy=policy, epsilon=0.5, batch=16, memory=64, updates_per_target=10)


def ran(agent: OnlineDqn, ticks: int) -> tuple[list[int], list[Observation], OnlineState]:
    """The agent inside the control loop, in simulation."""
    fleet, state = FluidFleet(SPEC, ARRIVED, initial_replicas=6), initial_control_state(agent, ())
    sizes, seen = [], []
    for tick in range(1, ticks + 1):
        seen.append(fleet.observe(15.0 * tick))
        target, state = control_step(agent, (), seen[-1], state)
        fleet.scale_to(target.replicas)
        sizes.append(target.replicas)
    return sizes, seen, state.policy


def test_it_learns_from_what_it_sees(agent: OnlineDqn) -> None:
    _, _, state = ran(agent, 60)
    assert state.stored == 59
    assert any((now != then).any() for now, then in zip(state.weights, agent.initial_state().weights, strict=True))
    rows = state.transitions[:59]
    assert np.isfinite(rows).all()
    assert (rows[1:, :STATE] == rows[:-1, STATE : 2 * STATE]).all()  # where one step led, the next began
    assert len(set(rows[:, -2])) > 3
    assert (rows[:, -1] != 0).all()


def test_it_never_explores_below_the_floor(agent: OnlineDqn) -> None:
    sizes, seen, _ = ran(agent, 150)
    assert all(SPEC.min_replicas <= size <= SPEC.max_replicas for size in sizes)
    # The last minute's mean, by its own recursion.
    minute = seen[0].arrival_rate_rps
    for size, each in zip(sizes, seen, strict=True):
        minute += (1 - np.exp(-15 / 60)) * (each.arrival_rate_rps - minute)
        assert size >= min(minute / 10.0, SPEC.max_replicas) - 1e-6


def test_its_state_survives_a_restart(agent: OnlineDqn) -> None:
    straight, seen, _ = ran(agent, 60)
    _, _, state = ran(agent, 40)
    resumed = from_plain(json.loads(json.dumps(to_plain(state), allow_nan=False)))
    after = []
    for each in seen[40:]:
        decision, resumed = agent.decide(each, resumed)
        after.append(decision.desired_replicas)
    assert after == straight[40:]


def test_deciding_changes_no_state_but_its_own(agent: OnlineDqn) -> None:
    _, seen, state = ran(agent, 40)
    before = json.dumps(to_plain(state))
    first, _ = agent.decide(seen[-1], state)
    second, _ = agent.decide(seen[-1], state)
    assert first == second
    assert json.dumps(to_plain(state)) == before


def test_in_shadow_it_learns_from_the_steps_of_others(agent: OnlineDqn) -> None:
    """Others hold the fleet at 12: whatever the agent wished for, what it stores is staying."""
    fleet, state = FluidFleet(SPEC, ARRIVED, initial_replicas=12), agent.initial_state()
    for tick in range(1, 31):
        _, state = agent.decide(fleet.observe(15.0 * tick), state)
        fleet.scale_to(12)
    assert set(state.transitions[:29, -2]) == {3.0}
