"""The compiled environment is the readable one: the same states and rewards, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("gymnasium", reason="needs the extra `train`")
jax = pytest.importorskip("jax", reason="needs the extra `train`")

import jax.numpy as jnp

from courses import SPEC, wave
from hindscale.core import Balancer, Constant, Lognormal, ServiceProfile, ServiceSpec, Slo
from hindscale.policies._dqn_actions import LADDER
from hindscale.training import _compiled as compiled
from hindscale.training.environment import AutoscalingEnv
from hindscale.training.fluid import FluidService

SLOW = ServiceSpec(
    profile=ServiceProfile(
        slots=8,
        service_time=Lognormal(mean_s=1.5, cv=0.8),
        cold_start=Constant(100.0),
        provisioning=Constant(25.0),
        balancer=Balancer.CENTRAL_QUEUE,
        gateway_queue_limit=500,
    ),
    slo=Slo(latency_s=5.0),
    min_replicas=2,
    max_replicas=40,
)
advance, features, step = jax.jit(compiled.advance), jax.jit(compiled.features), jax.jit(compiled.step)


def compiled_twin(env: AutoscalingEnv) -> Any:
    course = env.course
    rows = compiled.in_arrays(
        [FluidService.of(course.spec)], [env._figures], [env.shield], [course], [0], env.weights.churn
    )
    return jax.tree.map(lambda column: column[0], rows)


@pytest.mark.parametrize("spec", [SPEC, SLOW], ids=["fast", "slow"])
@given(
    actions=st.lists(st.integers(0, len(LADDER) - 1), min_size=1, max_size=25),
    requests=st.lists(st.integers(0, 4000).map(float), min_size=27, max_size=27),
    replicas=st.integers(2, 30),
)
@settings(max_examples=40)
def test_both_see_and_earn_the_same(
    spec: ServiceSpec, actions: list[int], requests: list[float], replicas: int
) -> None:
    env = AutoscalingEnv(wave(), spec, episode_steps=30)
    state = env.begin(requests, replicas)
    twin, sizes = compiled_twin(env), compiled.ladder_sizes(spec.max_replicas)
    rate_rps = jnp.float32(requests[0] / 15)
    fleet = compiled.opened(twin, rate_rps, jnp.int32(0), jnp.float32(replicas), jnp.float32(env.weights.caution))
    fleet, _, _ = advance(twin, fleet, requests[0])
    for number, action in enumerate(actions, start=1):
        np.testing.assert_allclose(features(twin, fleet), state, rtol=2e-4, atol=2e-4)
        fleet, worth, missed, _ = step(twin, fleet, action, requests[number], sizes)
        state, expected, _, _, info = env.step(np.int64(action))
        assert float(compiled.requested(fleet)) == info["replicas"]
        assert float(missed) == pytest.approx(requests[number] - info["met"], abs=1e-3 * (1 + requests[number]))
        assert float(worth) == pytest.approx(expected, rel=1e-3, abs=1e-3)
