"""Leave small differences alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.checks import require_share
from hindscale.core.values import Observation

__all__ = ["Tolerance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Change nothing while the wanted size is within a share of the current one.

    Attributes:
        up: Relative growth that is left alone, in [0, 1).
        down: Relative shrinking that is left alone, in [0, 1).
    """

    name: ClassVar[str] = "tolerance"
    order: ClassVar[int] = 10
    up: float = 0.1
    down: float = 0.1

    def __post_init__(self) -> None:
        require_share(up=self.up, down=self.down)

    def initial_state(self) -> None:
        return None

    def limit(self, replicas: int, observation: Observation, state: None) -> tuple[int, None]:
        current = observation.requested_replicas
        # From zero every change is infinitely large, and a fleet of none must be able to wake up.
        within = -self.down * current <= replicas - current <= self.up * current
        return (current if within else replicas), None
