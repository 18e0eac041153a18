"""The control loop: one pure step, and the one place where its outcome touches the world.

Simulating, backtesting, training, shadowing and running live are this loop with other sources, actuators
and clocks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hindscale.core.errors import MetricsUnavailable
from hindscale.core.values import Decision, Observation, Target

__all__ = [
    "Actuator",
    "Clock",
    "ControlState",
    "Guardrail",
    "MetricsSource",
    "Policy",
    "Tick",
    "control_step",
    "initial_control_state",
    "run_loop",
]

StateT = TypeVar("StateT")


class Policy(Protocol[StateT]):
    """How many replicas are wanted. A policy is its parameters; all it remembers is its state.

    `reads` names the measurements that a decision rests on. The loop does not ask a policy when one of
    them is missing, stale or not a number: the fleet is held.
    """

    @property
    def reads(self) -> Collection[str]: ...

    def initial_state(self) -> StateT: ...

    def decide(self, observation: Observation, state: StateT) -> tuple[Decision, StateT]:
        """What is wanted now, and what to remember. Pure: the same arguments give the same answer."""


class Guardrail(Protocol[StateT]):
    """A limit on what a decision may do to the fleet.

    `order` says where it stands among others: lower ones are applied first, bounds (100) last.
    """

    @property
    def name(self) -> str: ...

    @property
    def order(self) -> int: ...

    def initial_state(self) -> StateT: ...

    def limit(self, replicas: int, observation: Observation, state: StateT) -> tuple[int, StateT]:
        """The count after this limit, and what to remember. Pure."""


class MetricsSource(Protocol):
    """Where observations come from."""

    def observe(self, now_s: float) -> Observation:
        """What is known at `now_s`.

        Raises:
            MetricsUnavailable: If nothing at all is known; the fleet is then left as it is.
        """


class Actuator(Protocol):
    """Who carries a target out."""

    def scale_to(self, replicas: int) -> None: ...


class Clock(Protocol):
    """When decisions are made."""

    def ticks(self) -> Iterator[float]:
        """Decision times in seconds since the run began, each yielded when it is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """All that the loop remembers: the policy's state and one state a guardrail."""

    policy: Any
    guardrails: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One turn of the loop. Without an observation nothing was known and nothing was done."""

    time_s: float
    observation: Observation | None
    target: Target | None
    state: ControlState
    held_because: str = ""


def initial_control_state(policy: Policy[Any], guardrails: Sequence[Guardrail[Any]]) -> ControlState:
    """The state before the first tick."""
    return ControlState(
        policy=policy.initial_state(),
        guardrails=tuple(guardrail.initial_state() for guardrail in guardrails),
    )


def control_step(
    policy: Policy[Any],
    guardrails: Sequence[Guardrail[Any]],
    observation: Observation,
    state: ControlState,
    *,
    max_age_s: float = math.inf,
) -> tuple[Target, ControlState]:
    """One decision: policy, then each guardrail in order. Pure.

    A policy is only asked when every measurement that it reads is a number and not older than
    `max_age_s`. Otherwise the decision is to stay: missing data never shrinks a fleet. Guardrails see
    that decision too, since bounds hold and cooldowns run whatever is known.
    """
    unusable = observation.unusable(policy.reads, max_age_s=max_age_s)
    if unusable:
        decision, policy_state = _hold(observation, unusable), state.policy
    else:
        decision, policy_state = policy.decide(observation, state.policy)
    replicas = decision.desired_replicas
    limited_by: list[str] = []
    guardrail_states = []
    for guardrail, guardrail_state in zip(guardrails, state.guardrails, strict=True):
        limited, next_state = guardrail.limit(replicas, observation, guardrail_state)
        if limited != replicas:
            limited_by.append(guardrail.name)
        replicas = limited
        guardrail_states.append(next_state)
    target = Target(replicas=replicas, decision=decision, limited_by=tuple(limited_by), held=bool(unusable))
    return target, ControlState(policy=policy_state, guardrails=tuple(guardrail_states))


def _hold(observation: Observation, unusable: str) -> Decision:
    return Decision(desired_replicas=observation.requested_replicas, reason=f"hold: {unusable}")


def run_loop(
    policy: Policy[Any],
    guardrails: Sequence[Guardrail[Any]],
    metrics: MetricsSource,
    actuator: Actuator,
    clock: Clock,
    state: ControlState | None = None,
    *,
    max_age_s: float = math.inf,
) -> Iterator[Tick]:
    """Observe, decide, act at every tick of the clock; callers consume the ticks.

    Args:
        state: Where to go on from, such as a state saved before a restart; None begins anew.
        max_age_s: Measurements older than this are stale and hold the fleet.
    """
    current = initial_control_state(policy, guardrails) if state is None else state
    for now_s in clock.ticks():
        try:
            observation = metrics.observe(now_s)
        except MetricsUnavailable as error:
            yield Tick(time_s=now_s, observation=None, target=None, state=current, held_because=str(error))
            continue
        target, current = control_step(policy, guardrails, observation, current, max_age_s=max_age_s)
        actuator.scale_to(target.replicas)
        yield Tick(time_s=now_s, observation=observation, target=target, state=current)
