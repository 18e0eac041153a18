from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra `train`")

from gymnasium.utils.env_checker import check_env

from courses import SPEC, wave
from hindscale.core import ParameterError, TraceError
from hindscale.scoring.reward import RewardWeights
from hindscale.traces import RateTrace
from hindscale.training.environment import ENVIRONMENT_ID, AutoscalingEnv, register


def test_gymnasium_makes_and_accepts_it() -> None:
    register()
    env = gymnasium.make(ENVIRONMENT_ID)
    check_env(env.unwrapped)
    assert isinstance(env.unwrapped, AutoscalingEnv)
    assert env.spec is not None
    assert env.spec.id == "hindscale/Autoscaling-v0"


def test_one_seed_one_episode() -> None:
    env = AutoscalingEnv(wave(), SPEC, episode_steps=20)
    rewards = []
    for _ in range(2):
        env.reset(seed=3)
        rewards.append([env.step(np.int64(action))[1] for action in (3, 4, 7, 0, 2)])
    assert rewards[0] == rewards[1]


def test_an_episode_is_cut_after_its_steps_and_never_ends_before() -> None:
    env = AutoscalingEnv(wave(), SPEC, episode_steps=5)
    env.reset(seed=0)
    ends = [env.step(np.int64(3))[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


@given(actions=st.lists(st.integers(0, 7), min_size=1, max_size=30), seed=st.integers(0, 100))
def test_no_agent_gets_below_the_floor(actions: list[int], seed: int) -> None:
    env = AutoscalingEnv(wave(), SPEC, episode_steps=30)
    env.reset(seed=seed)
    for action in actions:
        load = env._memory.load(env._figures)
        *_, info = env.step(np.int64(action))
        assert info["replicas"] >= min(load, SPEC.max_replicas) - 1e-6


def test_misses_cost_what_they_are_said_to() -> None:
    """With all requests lost to a backlog, each one of them is paid for."""
    env = AutoscalingEnv(wave(), SPEC, weights=RewardWeights(caution=10.0, churn=0.0), episode_steps=20)
    env.begin([10_000.0] * 5, 1)
    _, worth, _, _, info = env.step(np.int64(3))
    assert info["met"] == 0.0
    scale = env.course.scale
    paid = info["paid_replica_s"] / 15.0
    assert worth == pytest.approx(-10.0 * 10_000 / scale.requests - (paid - 10_000 / 150) / scale.replicas)


def test_what_cannot_be_run_is_said() -> None:
    with pytest.raises(ParameterError, match="spec must say what the service is"):
        AutoscalingEnv(wave())
    with pytest.raises(TraceError, match="shorter than an episode of 240 intervals"):
        AutoscalingEnv(RateTrace(name="r", window_s=60.0, requests=np.ones(3)), SPEC)
