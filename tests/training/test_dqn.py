from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra `train`")

import jax.numpy as jnp

from courses import SPEC, wave, wave_course
from hindscale.core import Constant, ParameterError, ServiceProfile
from hindscale.policies._dqn_actions import LADDER
from hindscale.policies._dqn_state import FEATURES
from hindscale.training import dqn
from hindscale.training.dqn import DqnSettings, Trainer, network_of
from hindscale.training.episodes import Course

SMALL = DqnSettings(
    steps=9_600, environments=16, round_steps=1_600, memory=8_000, hidden=(16,), episode_steps=60, updates_per_target=50
)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer([wave_course()], SMALL)


def trained(trainer: Trainer, seed: int) -> tuple[Any, list[float]]:
    learner = trainer.initial(seed)
    curve = [float(trainer.checked(learner))]
    for number in range(trainer.settings.rounds):
        learner, _ = trainer.round(learner, seed, number)
        curve.append(float(trainer.checked(learner)))
    return learner, curve


def test_it_gets_better_than_it_was(trainer: Trainer) -> None:
    _, curve = trained(trainer, 0)
    assert max(curve[-2:]) > curve[0]
    # Half the way from its start to nothing at all, which is better than any policy can do.
    assert max(curve[-2:]) > 0.5 * curve[0]


def test_the_same_seed_gives_the_same_weights(trainer: Trainer) -> None:
    one, other, another = (jax.tree.leaves(trained(trainer, seed)[0].weights) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    assert any((a != b).any() for a, b in zip(one, another, strict=True))


def test_the_loss_is_that_of_double_q_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: a network that is its last layer's bias, so that Q is the same everywhere."""
    state, steps = len(FEATURES), len(LADDER)

    def constant(values: list[float]) -> Any:
        # Advantages less their mean, plus the value: with the mean as the value Q is what is given.
        return [(jnp.zeros((state, steps + 1)), jnp.array([*values, np.mean(values)]))]

    ours, target = constant([0, 1, 2, 3, 0, 0, 0, 0.0]), constant([9, 9, 9, 0.5, 9, 9, 9, 9.0])
    row = np.zeros(2 * state + 2, np.float32)
    row[-2:] = 1, -0.25  # step 1, worth 1; ours takes step 3 next, which the target judges at 0.5
    loss = dqn.loss_of(ours, target, jnp.asarray([row]), 0.8)
    assert float(loss) == pytest.approx(0.5 * (1 - (-0.25 + 0.8 * 0.5)) ** 2)


def test_the_policys_network_has_the_same_values(trainer: Trainer) -> None:
    learner, _ = trainer.round(trainer.initial(0), 0, 0)
    network = network_of(learner, interval_s=15.0, caution=20.0, training={})
    states = np.random.default_rng(0).normal(size=(20, len(FEATURES))).astype(np.float32)
    scaled = (states - np.asarray(learner.mean)) / np.asarray(learner.deviation)
    wanted = np.asarray(dqn.q_values(learner.weights, jnp.asarray(scaled)))
    np.testing.assert_allclose(network.q_values(states), wanted, rtol=1e-3, atol=1e-3)
    again = dqn.q_values(dqn.weights_of(network), jnp.asarray(scaled))
    np.testing.assert_allclose(np.asarray(again), wanted, rtol=1e-3, atol=1e-3)


def test_training_goes_on_from_a_network(trainer: Trainer) -> None:
    learner, _ = trainer.round(trainer.initial(0), 0, 0)
    network = network_of(learner, interval_s=15.0, caution=20.0, training={})
    start = trainer.initial(5, network)
    assert float(trainer.checked(start)) == pytest.approx(float(trainer.checked(learner)), rel=1e-3)


def test_what_training_has_seen_is_known(trainer: Trainer) -> None:
    learner, _ = trainer.round(trainer.initial(0), 0, 0)
    low, high = np.asarray(learner.low), np.asarray(learner.high)
    assert (low <= high).all()
    caution = FEATURES.index("caution")
    assert low[caution] >= np.log(SMALL.least_caution) - 1e-5
    assert high[caution] <= np.log(SMALL.most_caution) + 1e-5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"churn": -1.0}, "churn must be a number >= 0, was -1.0"),
        ({"most_caution": float("nan")}, "most_caution must be a number > 0, was nan"),
        ({"least_caution": 10.0, "most_caution": 5.0}, "least_caution must be <= most_caution"),
        ({"gamma": 1.0}, r"gamma must be in \[0, 1\), was 1.0"),
        ({"environments": 10}, "environments must be a multiple of steps_per_update"),
        ({"steps": 0}, "steps must be a whole number >= 1, was 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        DqnSettings(**given)


def test_one_network_learns_a_family_of_services() -> None:
    slow = replace(SPEC, profile=ServiceProfile(name="slow", slots=8, cold_start=Constant(100.0)), max_replicas=12)
    courses = [wave_course(), Course.of(wave(8.0), slow, episode_steps=60)]
    trainer = Trainer(courses, replace(SMALL, steps=1_600))
    learner, _ = trainer.round(trainer.initial(0), 0, 0)
    assert np.isfinite(float(trainer.checked(learner)))
    lead = FEATURES.index("lead")
    assert float(learner.low[lead]) == pytest.approx(np.log1p(2.0))
    assert float(learner.high[lead]) == pytest.approx(np.log1p(100 / 15))
