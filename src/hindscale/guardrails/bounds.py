"""The fleet's smallest and largest size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.checks import require_at_least, require_count, require_ordered
from hindscale.core.values import Observation

__all__ = ["Bounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Keep the fleet between a smallest and a largest size. Always the last guardrail.

    Attributes:
        min_replicas: Never fewer; >= 0.
        max_replicas: Never more; >= 1.
    """

    name: ClassVar[str] = "bounds"
    order: ClassVar[int] = 100
    min_replicas: int = 1
    max_replicas: int = 1000

    def __post_init__(self) -> None:
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)

    def initial_state(self) -> None:
        return None

    def limit(self, replicas: int, observation: Observation, state: None) -> tuple[int, None]:
        return min(max(replicas, self.min_replicas), self.max_replicas), None
