"""A policy with a pace and limits of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core import Decision, Observation


@dataclass(frozen=True, kw_only=True)
class Hasty:
    """Two replicas and one in turns, every five seconds."""

    name: ClassVar[str] = "hasty"
    own_limits: ClassVar[bool] = True
    interval_s: float = 5.0

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    def initial_state(self) -> int:
        return 0

    def decide(self, observation: Observation, state: int) -> tuple[Decision, int]:
        return Decision(desired_replicas=1 + state % 2, reason=f"turn {state}"), state + 1


@dataclass(frozen=True, kw_only=True)
class Many:
    """Thirty replicas and none in turns, with limits of its own."""

    name: ClassVar[str] = "many"
    own_limits: ClassVar[bool] = True

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    def initial_state(self) -> int:
        return 0

    def decide(self, observation: Observation, state: int) -> tuple[Decision, int]:
        return Decision(desired_replicas=30 * (state % 2), reason=f"turn {state}"), state + 1
