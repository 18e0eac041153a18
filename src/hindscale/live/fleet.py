"""A fleet that can be scaled: what the controller needs to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Fleet", "ReplicaCounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCounts:
    """Replicas by state; what is gone is not counted.

    Attributes:
        ready: Able to serve now.
        starting: Already paid for, still in cold start.
        provisioning: Asked for, not begun yet.
        draining: Finishing what they have, taking nothing new.
    """

    ready: int
    starting: int
    provisioning: int = 0
    draining: int = 0


class Fleet(Protocol):
    """An actuator that also tells how far it has come."""

    def scale_to(self, replicas: int) -> None:
        """Ask for a size; returns at once, the fleet follows."""

    def counts(self) -> ReplicaCounts:
        """Replicas by state, now."""

    def replica_seconds(self) -> float:
        """Replica time paid for since the fleet began, from `starting` to gone."""

    def cold_starts_s(self) -> Sequence[float]:
        """Cold starts measured so far, newest last."""

    def waiting_requests(self) -> int:
        """Requests that wait because no replica is ready."""

    def close(self) -> None:
        """End every replica, and return when none is left."""
