"""Learning on while the loop runs: in simulation, or beside a live fleet in shadow.

In each control period the agent observes, acts epsilon-greedily within the shield, stores what the last step led to,
and learns from a batch of such memories. It is a policy like any other: everything it knows, the network included, is
its state, so it can be saved at any tick and goes on after a restart as if nothing had been. What it stores is the step
that the fleet really took, whoever decided it; that is what makes learning from a shadow sound, where others act.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least, require_count, require_positive, require_share
from hindscale.core.state import from_plain, to_plain
from hindscale.core.values import Decision, Observation
from hindscale.policies._dqn_actions import LADDER, nearest_action
from hindscale.policies._dqn_state import FEATURES, Memory, features, remembered
from hindscale.policies.dqn import Dqn
from hindscale.scoring.reward import reward
from hindscale.training.dqn import Weights, loss_of, plain_layers, reward_unit, weights_of

__all__ = ["OnlineDqn", "OnlineState"]

STATE = len(FEATURES)
LEAST_RATE_RPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnlineState:
    """All that the agent knows.

    Attributes:
        memory: What the features remember.
        weights: The network as it is now, and each array that belongs to learning: leaves, in order.
        target: The target network's.
        moments: Adam's.
        transitions: What was stored, shape (memory, 2 * features + 2), the oldest overwritten first.
        stored: How many there have ever been.
        ticks: Control periods so far; all chance follows from it.
        last: The scaled features at the last tick; empty before the first.
        size: The fleet's size at the last tick.
    """

    memory: Memory
    weights: tuple[Any, ...]
    target: tuple[Any, ...]
    moments: tuple[Any, ...]
    transitions: NDArray[np.float32]
    stored: int = 0
    ticks: int = 0
    last: NDArray[np.float32]
    size: int = 0

    def to_plain(self) -> dict[str, Any]:
        """The state as something JSON can hold."""
        return {
            "memory": to_plain(self.memory),
            "stored": self.stored,
            "ticks": self.ticks,
            "size": self.size,
            "last": _as_text(self.last),
            "transitions": _as_text(self.transitions),
            **{name: [_as_text(leaf) for leaf in getattr(self, name)] for name in _TREES},
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> OnlineState:
        """The state that `to_plain` wrote down."""
        arrays = {name: tuple(_as_array(text) for text in plain[name]) for name in _TREES}
        return cls(
            memory=from_plain(plain["memory"]),
            stored=plain["stored"],
            ticks=plain["ticks"],
            size=plain["size"],
            last=_as_array(plain["last"]),
            transitions=_as_array(plain["transitions"]),
            **arrays,
        )


_TREES = ("weights", "target", "moments")


def _as_text(array: Any) -> list[Any]:
    array = np.asarray(array)
    return [str(array.dtype), list(array.shape), base64.b64encode(array.tobytes()).decode()]


def _as_array(text: list[Any]) -> Any:
    dtype, shape, content = text
    return np.frombuffer(base64.b64decode(content), dtype).reshape(shape)


@dataclass(frozen=True, kw_only=True)
class OnlineDqn:
    """A trained policy that goes on learning from what it sees.

    Attributes:
        policy: The trained policy to begin with; its shield stays, its caution is what is learned for.
        epsilon: Share of random steps, in [0, 1); 0 for a shadow that must not explore.
        batch: Memories in an update; learning begins when there are as many.
        memory: Transitions that are kept.
        learning_rate: Of Adam; lower than in training, since memories are few.
        gamma: What a reward is worth an interval later.
        updates_per_target: Updates between two copies to the target network.
        churn: Weight of a change of the fleet's size.
        seed: What all chance follows from.
    """

    name: ClassVar[str] = "dqn-online"
    own_limits: ClassVar[bool] = True

    policy: Dqn
    epsilon: float = 0.02
    batch: int = 64
    memory: int = 5760
    learning_rate: float = 1e-4
    gamma: float = 0.95
    updates_per_target: int = 250
    churn: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        require_share(epsilon=self.epsilon, gamma=self.gamma)
        require_at_least(1, batch=self.batch, memory=self.memory, updates_per_target=self.updates_per_target)
        require_positive(learning_rate=self.learning_rate)
        require_count(seed=self.seed)

    @property
    def reads(self) -> tuple[str, ...]:
        return self.policy.reads

    @cached_property
    def caution(self) -> float:
        """Weight of a missed request."""
        given = self.policy.caution
        return self.policy.network.caution if given is None else given

    def initial_state(self) -> OnlineState:
        weights = weights_of(self.policy.network)
        return OnlineState(
            memory=Memory(),
            weights=_leaves(weights),
            target=_leaves(weights),
            moments=_leaves(_optimiser(self.learning_rate).init(weights)),
            transitions=np.zeros((self.memory, 2 * STATE + 2), np.float32),
            last=np.zeros(0, np.float32),
        )

    def decide(self, observation: Observation, state: OnlineState) -> tuple[Decision, OnlineState]:
        service, network = self.policy.service, self.policy.network
        memory = remembered(observation, state.memory, service.interval_s)
        seen = np.array(features(observation, memory, service, self.caution), np.float32)
        scaled = ((seen - network.mean) / network.deviation).astype(np.float32)
        if len(state.last):
            state = self._learned(self._stored(observation, memory, scaled, state))
        rng = np.random.default_rng((self.seed, state.ticks))
        wanted, reason = self._wish(observation, seen, state, rng)
        load = memory.load(service)
        allowed = self.policy.shield.allowed(wanted, load)
        if allowed != wanted:
            reason += f", {wanted} wanted; the shield allows {allowed} at a load of {load:.3g} replicas"
        after = replace(state, memory=memory, last=scaled, size=observation.requested_replicas, ticks=state.ticks + 1)
        return Decision(desired_replicas=allowed, reason=reason), after

    def _wish(
        self, observation: Observation, seen: NDArray[np.float32], state: OnlineState, rng: np.random.Generator
    ) -> tuple[int, str]:
        """What is wanted before the shield: at random now and then, else what is worth most by now."""
        size = observation.requested_replicas
        unseen = self.policy.network.unseen(seen)
        if unseen:
            decision, _ = self.policy.reactive.decide(observation, None)
            return decision.desired_replicas, f"{unseen} is outside of training, so target-tracking: {decision.reason}"
        if rng.random() < self.epsilon:
            step = LADDER[int(rng.integers(len(LADDER)))]
            return step.from_size(size), f"exploring: step {step}"
        network = replace(self.policy.network, layers=plain_layers(self._weights(state.weights)))
        worth = network.q_values(seen)
        best = int(np.argmax(worth))
        return LADDER[best].from_size(size), f"step {LADDER[best]} is worth {worth[best]:.3g} by now"

    def _stored(
        self, observation: Observation, memory: Memory, scaled: NDArray[np.float32], state: OnlineState
    ) -> OnlineState:
        """With what the last step led to, and what it was worth."""
        size = observation.requested_replicas
        row = np.concatenate(
            [state.last, scaled, [nearest_action(state.size, size), self._worth(observation, memory, state)]]
        )
        transitions = state.transitions.copy()
        transitions[state.stored % self.memory] = row
        return replace(state, transitions=transitions, stored=state.stored + 1)

    def _worth(self, observation: Observation, memory: Memory, state: OnlineState) -> float:
        """The reward of the interval that has just ended, measured by the mean load of late."""
        service = self.policy.service
        assert memory.traffic is not None
        usual_rps = max(memory.traffic.long_rps, LEAST_RATE_RPS)
        rate_rps, usual = observation.arrival_rate_rps, usual_rps / service.service_rate_rps
        missed = 0.0 if np.isnan(observation.slo_attainment) else 1.0 - observation.slo_attainment
        paid = observation.ready_replicas + observation.starting_replicas + observation.draining_replicas
        worth = reward(
            missed * rate_rps / usual_rps,
            (paid - rate_rps / service.service_rate_rps) / usual,
            abs(observation.requested_replicas - state.size) / usual,
            caution=self.caution,
            churn=self.churn,
        )
        return float(worth / reward_unit(self.caution))

    def _learned(self, state: OnlineState) -> OnlineState:
        """After one update, once there is a batch to learn from."""
        if state.stored < self.batch:
            return state
        rng = np.random.default_rng((self.seed, state.ticks, 1))
        picks = rng.integers(0, min(state.stored, self.memory), self.batch)
        weights, moments = _update(self.learning_rate, self.gamma)(
            self._weights(state.weights),
            self._weights(state.target),
            self._moments(state.moments),
            jnp.asarray(state.transitions[picks]),
        )
        is_due = (state.stored - self.batch) % self.updates_per_target == 0
        leaves = _leaves(weights)
        return replace(state, weights=leaves, moments=_leaves(moments), target=leaves if is_due else state.target)

    def _weights(self, leaves: tuple[Any, ...]) -> Weights:
        structure = jax.tree.structure(weights_of(self.policy.network))
        weights: Weights = jax.tree.unflatten(structure, leaves)
        return weights

    def _moments(self, leaves: tuple[Any, ...]) -> Any:
        initial = _optimiser(self.learning_rate).init(weights_of(self.policy.network))
        return jax.tree.unflatten(jax.tree.structure(initial), leaves)


def _leaves(tree: Any) -> tuple[Any, ...]:
    return tuple(np.asarray(leaf) for leaf in jax.tree.leaves(tree))


@lru_cache(maxsize=8)
def _optimiser(learning_rate: float) -> Any:
    return optax.chain(optax.clip_by_global_norm(10.0), optax.adam(learning_rate))


@lru_cache(maxsize=8)
def _update(learning_rate: float, gamma: float) -> Any:
    optimiser = _optimiser(learning_rate)

    @jax.jit
    def update(weights: Weights, target: Weights, moments: Any, batch: Any) -> tuple[Weights, Any]:
        slopes = jax.grad(loss_of)(weights, target, batch, gamma)
        change, moments = optimiser.update(slopes, moments, weights)
        updated: Weights = optax.apply_updates(weights, change)
        return updated, moments

    return update
