"""The values that the reconciler works on: a revision's settings, its status, and what a pass wants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Condition", "ReconcilerSpec", "ReconcilerState", "Scaling"]


class Condition(StrEnum):
    """The revision's Active condition."""

    ACTIVATING = "Activating"  # Unknown: pods are on their way
    ACTIVE = "Active"  # True
    INACTIVE = "Inactive"  # False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerSpec:
    """What the reconciler is told of its revision.

    Attributes:
        min_scale: The least pods of a reachable revision.
        max_scale: The most pods; 0 for no limit.
        initial_scale: Pods until so many were ready once.
        reachable: Whether a route leads to the revision.
        enable_scale_to_zero: Whether the cluster allows 0 at all.
        stable_window_s: A revision stays active at least this long, in seconds.
        scale_to_zero_grace_period_s: Pods stay this long after the activator is in the path, in seconds.
        scale_to_zero_pod_retention_period_s: Pods stay at least this long after the last request, in seconds.
        progress_deadline_s: Pods must have come up by then, in seconds.
        target_burst_capacity: With -1 the activator is always in the path.
    """

    min_scale: int = 0
    max_scale: int = 0
    initial_scale: int = 1
    reachable: bool = True
    enable_scale_to_zero: bool = True
    stable_window_s: float = 60.0
    scale_to_zero_grace_period_s: float = 30.0
    scale_to_zero_pod_retention_period_s: float = 0.0
    progress_deadline_s: float = 600.0
    target_burst_capacity: float = 211.0

    @property
    def effective_min_scale(self) -> int:
        """The lower bound: none for a revision that nobody can reach."""
        return self.min_scale if self.reachable else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerState:
    """What the status of a revision says.

    Attributes:
        condition: Its Active condition.
        since_s: When the condition last changed, in seconds.
        initialized: Whether as many pods as it needs have been ready once.
        proxy_since_s: Since when requests go through activators, in seconds; None while they do not.
    """

    condition: Condition = Condition.ACTIVATING
    since_s: float = 0.0
    initialized: bool = False
    proxy_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What a pass wants.

    Attributes:
        want: Pods, or -1 for unknown.
        apply: Whether the deployment is set to it; otherwise it stays as it is.
        reason: The rule that decided.
        again_in_s: When to look again, in seconds; None to wait for the next decision.
    """

    want: int
    apply: bool
    reason: str
    again_in_s: float | None = None
