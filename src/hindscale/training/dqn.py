"""Deep Q-learning, top to bottom: replay memory, epsilon-greedy, target network, Huber loss; compiled as one loop.

    loss = Huber(Q(s, a) - (r + gamma · Q'(s', argmax Q(s', ·))))

Q' is the target network, a copy that is renewed now and then; the next step is chosen by Q and judged by Q' (double
DQN, van Hasselt, Guez and Silver 2016); Q is a value of the state and an advantage of each step (dueling networks, Wang
et al. 2016). An iteration is one step of every environment, then one update for each `steps_per_update` of them. A
round is as many iterations as fit between two looks at the validation episodes: one call of a compiled function.
Episodes are cut, not ended: what comes after a cut counts as it does anywhere.

One network learns every price of a miss: caution is one of its features, drawn anew for each episode. What is asked
of a service is an SLO, and which price keeps it is found afterwards, without training again.

Source: Mnih et al., "Human-level control through deep reinforcement learning", Nature 518 (2015).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hindscale.core.checks import (
    require_at_least,
    require_fraction,
    require_nonnegative,
    require_ordered,
    require_positive,
    require_share,
)
from hindscale.core.errors import ParameterError
from hindscale.policies._dqn_actions import LADDER
from hindscale.policies._dqn_network import Network
from hindscale.policies._dqn_state import FEATURES
from hindscale.training._field import OPENING_DRAWS, Field
from hindscale.training.episodes import Course

__all__ = [
    "DqnSettings",
    "Learner",
    "Trainer",
    "Weights",
    "loss_of",
    "network_of",
    "plain_layers",
    "q_values",
    "reward_unit",
    "weights_of",
]

Weights = list[tuple[Any, Any]]
STATE, STEPS = len(FEATURES), len(LADDER)
HUBER_DELTA = 10.0
"""From this error on the loss is a line. Misses are rare and dear: with 1, the usual choice, the network learns their
median rather than their mean, and takes the risk (measured: see docs/training.md)."""
LEAST_DEVIATION = 1e-2
"""Features that hardly vary in training are not blown up when they do later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DqnSettings:
    """How training is done.

    Attributes:
        steps: Environment steps in all; rounded up to whole rounds.
        environments: Environments side by side.
        batch: Transitions in an update.
        steps_per_update: Environment steps for each update; `environments` is a multiple of it.
        memory: Transitions that are remembered; a multiple of `environments`.
        hidden: Widths of the network's hidden layers.
        learning_rate: Of Adam at the beginning; it falls in a line to `last_learning_rate`.
        last_learning_rate: Of Adam at the end.
        gamma: What a reward is worth an interval later, in (0, 1); with 0.95 most of what counts is within 5 minutes
            of 15 s intervals, some cold starts.
        updates_per_target: Updates between two copies to the target network.
        last_epsilon: Share of random steps, once exploration has fallen to it from 1.
        exploring_share: Share of the training in which it falls.
        episode_steps: Control intervals in an episode.
        round_steps: Environment steps between two looks at the validation episodes.
        patience: Rounds without a better validation return before training stops; counted once exploration has fallen.
        least_caution: The smallest weight of a missed request that is learned.
        most_caution: The largest.
        churn: Weight of a change of the fleet's size.
    """

    steps: int = 256_000
    environments: int = 64
    batch: int = 64
    steps_per_update: int = 4
    memory: int = 102_400
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    last_learning_rate: float = 5e-5
    gamma: float = 0.95
    updates_per_target: int = 250
    last_epsilon: float = 0.05
    exploring_share: float = 0.3
    episode_steps: int = 240
    round_steps: int = 25_600
    patience: int = 10
    least_caution: float = 2.0
    most_caution: float = 1000.0
    churn: float = 0.05

    def __post_init__(self) -> None:
        names = "steps environments batch steps_per_update memory episode_steps round_steps patience updates_per_target"
        require_at_least(1, **{name: getattr(self, name) for name in names.split()})
        require_at_least(1, **{f"hidden layer {number + 1}": width for number, width in enumerate(self.hidden)})
        require_positive(learning_rate=self.learning_rate, last_learning_rate=self.last_learning_rate)
        require_positive(least_caution=self.least_caution, most_caution=self.most_caution)
        require_ordered(least_caution=self.least_caution, most_caution=self.most_caution)
        require_nonnegative(churn=self.churn)
        require_share(gamma=self.gamma, last_epsilon=self.last_epsilon)
        require_fraction(exploring_share=self.exploring_share)
        for name, of in (
            ("environments", "steps_per_update"),
            ("memory", "environments"),
            ("round_steps", "environments"),
        ):
            if getattr(self, name) % getattr(self, of):
                raise ParameterError(
                    f"{name} must be a multiple of {of} ({getattr(self, of)}), was {getattr(self, name)}"
                )

    @property
    def rounds(self) -> int:
        """Rounds in all."""
        return math.ceil(self.steps / self.round_steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


# -- the network ----------------------------------------------------------------------------------


def initial_weights(key: Any, hidden: Sequence[int]) -> Weights:
    """Matrices and biases of each layer; the last gives an advantage of each step and the state's value."""
    sizes = [STATE, *hidden, STEPS + 1]
    keys = jax.random.split(key, len(sizes) - 1)
    # He's scale; the last layer small, so that nothing is preferred before something is learned.
    scales = [math.sqrt(2 / size) for size in sizes[:-2]] + [0.1 / math.sqrt(sizes[-2])]
    return [
        (scale * jax.random.normal(key, (width, next_width)), jnp.zeros(next_width))
        for key, scale, width, next_width in zip(keys, scales, sizes[:-1], sizes[1:], strict=True)
    ]


def q_values(weights: Weights, states: Any) -> Any:
    """Q of each step, for scaled features of shape (..., features)."""
    for matrix, bias in weights[:-1]:
        states = jax.nn.relu(states @ matrix + bias)
    matrix, bias = weights[-1]
    outputs = states @ matrix + bias
    advantages, value = outputs[..., :-1], outputs[..., -1:]
    return value + advantages - advantages.mean(-1, keepdims=True)


def loss_of(weights: Weights, target: Weights, batch: Any, gamma: float) -> Any:
    """The mean loss of a batch of transitions: rows of state, next state, step, reward."""
    states, after = batch[:, :STATE], batch[:, STATE : 2 * STATE]
    steps, rewards = batch[:, -2].astype(jnp.int32), batch[:, -1]
    # One pass through the network for both: half the calls, and this is where the time goes.
    now, then = jnp.split(q_values(weights, jnp.concatenate([states, after])), 2)
    chosen = then.argmax(1)
    judged = jnp.take_along_axis(q_values(target, after), chosen[:, None], 1)[:, 0]
    taken = (now * jax.nn.one_hot(steps, STEPS)).sum(1)
    return optax.huber_loss(taken, jax.lax.stop_gradient(rewards + gamma * judged), delta=HUBER_DELTA).mean()


def reward_unit(caution: Any) -> Any:
    """What rewards are divided by, so that those of a high price of misses are not all that a network hears of."""
    return 1 + caution / 10


# -- what is learned ------------------------------------------------------------------------------


class Learner(NamedTuple):
    """All that changes in training: saved and loaded, it goes on as if it had never stopped.

    `memory` holds transitions as rows, `written` how many there have ever been; `left` the steps to the end of each
    environment's episode; `mean` and `deviation` scale the features; `low` and `high` are the range that was seen.
    """

    weights: Weights
    target: Weights
    moments: Any
    updates: Any
    memory: Any
    written: Any
    fleets: Any
    left: Any
    mean: Any
    deviation: Any
    low: Any
    high: Any


class Draws(NamedTuple):
    """The chance of one iteration; leading axis the iterations, before they are unrolled."""

    epsilon: Any
    explores: Any
    steps: Any
    noise: Any
    openings: Any
    picks: Any


class Trainer:
    """Trains networks on courses; one compiled round serves all seeds."""

    def __init__(self, courses: Sequence[Course], settings: DqnSettings) -> None:
        self.settings = settings
        self.courses = tuple(courses)
        numbers = [number % len(courses) for number in range(settings.environments)]
        spans = [course.learning_starts(settings.episode_steps) for course in courses]
        cautions = (settings.least_caution, settings.most_caution)
        self._field = Field.of(courses, numbers, spans, cautions=cautions, churn=settings.churn)
        spans = [course.checking_starts(settings.episode_steps) for course in courses]
        self._checks = Field.of(courses, numbers, spans, cautions=cautions, churn=settings.churn)
        updates = settings.rounds * settings.round_steps // settings.steps_per_update
        schedule = optax.linear_schedule(settings.learning_rate, settings.last_learning_rate, updates)
        # flatten: one long vector of weights instead of many small ones, which is what Adam likes.
        self._optimiser = optax.flatten(optax.chain(optax.clip_by_global_norm(10.0), optax.adam(schedule)))
        self.round = jax.jit(self._round)
        self.checked = jax.jit(self._checked)

    def initial(self, seed: int, start: Network | None = None) -> Learner:
        """A learner that has seen some random steps, for the scale of the features, and learned nothing.

        Args:
            seed: What all its chance follows from.
            start: A network to go on from instead, with the scale and the range of its own training.
        """
        settings = self.settings
        for_weights, for_fleets, for_left, for_scale = jax.random.split(jax.random.PRNGKey(seed), 4)
        weights = initial_weights(for_weights, settings.hidden)
        count = settings.environments
        fleets = self._field.opened(jax.random.uniform(for_fleets, (count, OPENING_DRAWS)))
        states = self._random_states(fleets, for_scale)
        mean, deviation = states.mean(0), jnp.maximum(states.std(0), LEAST_DEVIATION)
        low, high = states.min(0), states.max(0)
        if start is not None:
            weights = weights_of(start)
            mean, deviation, low, high = map(jnp.asarray, (start.mean, start.deviation, start.low, start.high))
        return Learner(
            weights=weights,
            target=weights,
            moments=self._optimiser.init(weights),
            updates=jnp.zeros((), jnp.int32),
            memory=jnp.zeros((settings.memory, 2 * STATE + 2)),
            written=jnp.zeros((), jnp.int32),
            fleets=fleets,
            # Episodes end at different times, or every memory would hold the same hours of the day.
            left=jax.random.randint(for_left, (count,), 1, settings.episode_steps + 1),
            mean=mean,
            deviation=deviation,
            low=low,
            high=high,
        )

    def _random_states(self, fleets: Any, key: Any) -> Any:
        shape = (100, self.settings.environments)
        for_steps, for_noise = jax.random.split(key)

        def move(fleets: Any, drawn: Any) -> Any:
            after, _ = self._field.step(fleets, *drawn)
            return after, self._field.states(after)

        draws = (jax.random.randint(for_steps, shape, 0, STEPS), jax.random.normal(for_noise, shape))
        return jax.lax.scan(move, fleets, draws)[1].reshape(-1, STATE)

    # -- one round --------------------------------------------------------------------------------

    def _round(self, learner: Learner, seed: Any, number: Any) -> tuple[Learner, Any]:
        """The learner after round `number`, and its mean reward; both follow from seed and number alone."""
        draws = self._draws(jax.random.fold_in(jax.random.PRNGKey(seed), number + 1), number)
        learner, rewards = jax.lax.scan(self._iteration, learner, draws)
        return learner, rewards.mean()

    def _draws(self, key: Any, number: Any) -> Draws:
        settings = self.settings
        count, updates = settings.environments, settings.environments // settings.steps_per_update
        iterations = settings.round_steps // count
        keys = jax.random.split(key, 5)
        done = (number * settings.round_steps + jnp.arange(iterations) * count) / (
            settings.rounds * settings.round_steps
        )
        return Draws(
            epsilon=jnp.maximum(
                1 - (1 - settings.last_epsilon) * done / settings.exploring_share, settings.last_epsilon
            ),
            explores=jax.random.uniform(keys[0], (iterations, count)),
            steps=jax.random.randint(keys[1], (iterations, count), 0, STEPS),
            noise=jax.random.normal(keys[2], (iterations, count)),
            openings=jax.random.uniform(keys[3], (iterations, count, OPENING_DRAWS)),
            picks=jax.random.uniform(keys[4], (iterations, updates, settings.batch)),
        )

    def _iteration(self, learner: Learner, draws: Draws) -> tuple[Learner, Any]:
        """Every environment takes a step and remembers it; then the network learns from memories."""
        before = self._field.states(learner.fleets)
        states = (before - learner.mean) / learner.deviation
        greedy = q_values(learner.weights, states).argmax(1)
        steps = jnp.where(draws.explores < draws.epsilon, draws.steps, greedy)
        after, rewards = self._field.step(learner.fleets, steps, draws.noise)
        rewards = rewards / reward_unit(learner.fleets.caution)
        then = (self._field.states(after) - learner.mean) / learner.deviation
        rows = jnp.concatenate([states, then, steps[:, None].astype(jnp.float32), rewards[:, None]], 1)
        place = learner.written % self.settings.memory
        learner = learner._replace(
            memory=jax.lax.dynamic_update_slice(learner.memory, rows, (place, 0)),
            written=learner.written + self.settings.environments,
            low=jnp.minimum(learner.low, before.min(0)),
            high=jnp.maximum(learner.high, before.max(0)),
        )
        learner = self._next_episodes(learner, after, draws.openings)
        return self._learned(learner, draws.picks), rewards.mean()

    def _next_episodes(self, learner: Learner, after: Any, openings: Any) -> Learner:
        is_over = learner.left <= 1
        opened = self._field.opened(openings)

        def chosen(old: Any, new: Any) -> Any:
            return jnp.where(is_over.reshape(-1, *([1] * (old.ndim - 1))), new, old)

        left = jnp.where(is_over, self.settings.episode_steps, learner.left - 1)
        return learner._replace(fleets=jax.tree.map(chosen, after, opened), left=left)

    def _learned(self, learner: Learner, picks: Any) -> Learner:
        settings = self.settings
        filled = jnp.minimum(learner.written, settings.memory)

        def update(carried: Any, pick: Any) -> Any:
            weights, target, moments, updates = carried
            batch = learner.memory[(pick * filled).astype(jnp.int32)]
            slopes = jax.grad(loss_of)(weights, target, batch, settings.gamma)
            change, moments = self._optimiser.update(slopes, moments, weights)
            weights, updates = optax.apply_updates(weights, change), updates + 1
            is_due = updates % settings.updates_per_target == 0
            target = jax.tree.map(lambda new, old: jnp.where(is_due, new, old), weights, target)
            return (weights, target, moments, updates), None

        carried = (learner.weights, learner.target, learner.moments, learner.updates)
        (weights, target, moments, updates), _ = jax.lax.scan(update, carried, picks)
        return learner._replace(weights=weights, target=target, moments=moments, updates=updates)

    # -- validation -------------------------------------------------------------------------------

    def _checked(self, learner: Learner) -> Any:
        """Mean reward of the greedy policy over the validation episodes: the same ones each time."""
        settings = self.settings
        count = settings.environments
        for_openings, for_noise = jax.random.split(jax.random.PRNGKey(0))
        openings = jax.random.uniform(for_openings, (count, OPENING_DRAWS))
        fleets = self._checks.opened(openings)
        unit = reward_unit(fleets.caution)

        def move(fleets: Any, noise: Any) -> Any:
            states = (self._checks.states(fleets) - learner.mean) / learner.deviation
            after, rewards = self._checks.step(fleets, q_values(learner.weights, states).argmax(1), noise)
            return after, (rewards / unit).mean()

        noise = jax.random.normal(for_noise, (settings.episode_steps, count))
        return jax.lax.scan(move, fleets, noise)[1].mean()


def plain_layers(weights: Weights) -> tuple[tuple[Any, Any], ...]:
    """The layers as NumPy arrays, the value folded into the advantages: a plain network of the same Q."""
    layers = [(np.asarray(matrix), np.asarray(bias)) for matrix, bias in weights]

    def folded(outputs: Any) -> Any:
        advantages, value = outputs[..., :-1], outputs[..., -1:]
        return value + advantages - advantages.mean(-1, keepdims=True)

    matrix, bias = layers[-1]
    return (*layers[:-1], (folded(matrix), folded(bias)))


def weights_of(network: Network) -> Weights:
    """The weights of a network: its Q as the advantages, their mean as the value."""
    layers = [(jnp.asarray(matrix), jnp.asarray(bias)) for matrix, bias in network.layers]
    matrix, bias = layers[-1]

    def unfolded(outputs: Any) -> Any:
        return jnp.concatenate([outputs, outputs.mean(-1, keepdims=True)], -1)

    return [*layers[:-1], (unfolded(matrix), unfolded(bias))]


def network_of(learner: Learner, *, interval_s: float, caution: float, training: Mapping[str, Any]) -> Network:
    """What a learner has learned, for the policy."""
    return Network(
        layers=plain_layers(learner.weights),
        mean=np.asarray(learner.mean),
        deviation=np.asarray(learner.deviation),
        low=np.asarray(learner.low),
        high=np.asarray(learner.high),
        interval_s=interval_s,
        caution=caution,
        training=training,
    )
