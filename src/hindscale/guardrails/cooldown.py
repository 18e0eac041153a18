"""A pause after each change of size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.checks import require_nonnegative
from hindscale.core.values import Observation

__all__ = ["Cooldown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """When the fleet's size last changed, and what it was when last seen."""

    changed_at_s: float = -math.inf
    seen_at_s: float = 0.0
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """Do not grow, or not shrink, for a while after any change of the fleet's size.

    Attributes:
        up_s: No growth for this long after a change; 0 for no pause.
        down_s: No shrinking for this long after a change.
    """

    name: ClassVar[str] = "cooldown"
    order: ClassVar[int] = 40
    up_s: float = 0.0
    down_s: float = 60.0

    def __post_init__(self) -> None:
        require_nonnegative(up_s=self.up_s, down_s=self.down_s)

    def initial_state(self) -> LastChange:
        return LastChange()

    def limit(self, replicas: int, observation: Observation, state: LastChange) -> tuple[int, LastChange]:
        current = observation.requested_replicas
        # It was the last tick's decision that changed the size, so that is when it happened.
        is_changed = state.size is not None and current != state.size
        changed_at_s = state.seen_at_s if is_changed else state.changed_at_s
        since_s = observation.time_s - changed_at_s
        if (replicas > current and since_s < self.up_s) or (replicas < current and since_s < self.down_s):
            replicas = current
        return replicas, LastChange(changed_at_s=changed_at_s, seen_at_s=observation.time_s, size=current)
