"""One action at a time: wait for what was ordered before ordering more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.values import Observation

__all__ = ["OneAtATime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAtATime:
    """Leave the fleet alone while replicas wait for nodes or start.

    The safest answer to the overshoot of policies that see only ready replicas, and the slowest one: in a
    rise that goes on for longer than a cold start, each step waits for the one before.

    Attributes:
        up: Whether growth waits.
        down: Whether shrinking waits.
    """

    name: ClassVar[str] = "one-at-a-time"
    order: ClassVar[int] = 50
    up: bool = True
    down: bool = True

    def initial_state(self) -> None:
        return None

    def limit(self, replicas: int, observation: Observation, state: None) -> tuple[int, None]:
        current = observation.requested_replicas
        is_waiting = observation.starting_replicas + observation.provisioning_replicas > 0
        if is_waiting and ((replicas > current and self.up) or (replicas < current and self.down)):
            return current, None
        return replicas, None
