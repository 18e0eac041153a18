"""A network trained by reinforcement learning, behind a shield."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from hindscale.core.checks import require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.units import format_duration
from hindscale.core.values import Decision, Observation
from hindscale.policies._dqn_actions import LADDER, Shield
from hindscale.policies._dqn_network import Network, read_network
from hindscale.policies._dqn_state import Memory, ServiceFigures, features, remembered
from hindscale.policies.target_tracking import TargetTracking

__all__ = ["Dqn"]


@dataclass(frozen=True, kw_only=True)
class Dqn:
    """Take the step that a trained network values most, within a shield.

    The network is a file from `hindscale train`. It chooses among steps of the fleet's size; the shield keeps the
    fleet at what the last minute's load needs, at least. Where a feature lies outside of what training saw, the
    network is not asked, and target tracking decides. The policy has limits of its own: no other guardrails apply.

    Attributes:
        path: File with the trained network.
        caution: Weight of a missed request against a replica's time; higher is safer and dearer. By default the
            one at which the SLO was just kept in training.
        max_utilization: The shield's floor: the smallest fleet that the last minute's requests load up to this
            share of what it can work off; in (0, 1].
        spare_replicas: Replicas on top of the floor, so that as many may be lost.
        min_replicas: Never fewer; by default the service's bound.
        max_replicas: Never more; by default the service's bound.
        target_per_replica: What target tracking holds when the network is not asked; by default as that policy's.
        service: The service's figures, by default those of the service at hand.
    """

    name: ClassVar[str] = "dqn"
    own_limits: ClassVar[bool] = True

    path: str
    caution: float | None = None
    max_utilization: float = 1.0
    spare_replicas: int = 0
    min_replicas: int = 1
    max_replicas: int = 1000
    target_per_replica: float
    service: ServiceFigures

    def __post_init__(self) -> None:
        if self.caution is not None:
            require_positive(caution=self.caution)
        if not isinstance(self.service, ServiceFigures):
            raise ParameterError(f"service must be ServiceFigures, was {self.service!r}; leave it out")
        _ = self.shield
        if self.service.interval_s != self.network.interval_s:
            raise ParameterError(
                f"{self.path}: was trained to decide every {format_duration(self.network.interval_s)}, the service"
                f" decides every {format_duration(self.service.interval_s)}; use the same interval, or train it again"
            )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if not given.get("path"):
            raise ParameterError(
                "dqn needs a trained network: dqn:path=policy.safetensors; make one with `hindscale train`"
            )
        given.setdefault("min_replicas", spec.min_replicas)
        given.setdefault("max_replicas", spec.max_replicas)
        given.setdefault("target_per_replica", TargetTracking.for_service(spec).target_per_replica)
        given.setdefault("service", ServiceFigures.of(spec))
        return cls(**given)

    @cached_property
    def network(self) -> Network:
        """The trained network."""
        return read_network(self.path)

    @cached_property
    def shield(self) -> Shield:
        """What stands between the network and the fleet."""
        return Shield(
            max_utilization=self.max_utilization,
            spare_replicas=self.spare_replicas,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
        )

    @cached_property
    def reactive(self) -> TargetTracking:
        """Who decides when the network is not asked."""
        return TargetTracking(target_per_replica=self.target_per_replica)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("arrival_rate_rps", "ongoing_requests", "queued_requests")

    def initial_state(self) -> Memory:
        return Memory()

    def decide(self, observation: Observation, state: Memory) -> tuple[Decision, Memory]:
        memory = remembered(observation, state, self.service.interval_s)
        wanted, reason = self._wish(observation, memory)
        load = memory.load(self.service)
        allowed = self.shield.allowed(wanted, load)
        if allowed != wanted:
            reason += f", {wanted} wanted; the shield allows {allowed} at a load of {load:.3g} replicas"
        return Decision(desired_replicas=allowed, reason=reason), memory

    def _wish(self, observation: Observation, memory: Memory) -> tuple[int, str]:
        """What is wanted before the shield, and why."""
        caution = self.network.caution if self.caution is None else self.caution
        values = np.array(features(observation, memory, self.service, caution), np.float32)
        unseen = self.network.unseen(values)
        if unseen:
            decision, _ = self.reactive.decide(observation, None)
            return decision.desired_replicas, f"{unseen} is outside of training, so target-tracking: {decision.reason}"
        worth = self.network.q_values(values)
        best = int(np.argmax(worth))
        size = LADDER[best].from_size(observation.requested_replicas)
        return size, f"step {LADDER[best]} is worth {worth[best]:.3g}, staying {worth[_STAY]:.3g}"


_STAY = next(number for number, step in enumerate(LADDER) if not step.count)
