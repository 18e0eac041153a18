"""How fast a fleet may grow and shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.checks import require_count, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.rounding import ceil, floor
from hindscale.core.values import Observation

__all__ = ["RateLimit"]

Change = tuple[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentChanges:
    """Sizes of the fleet's recent changes, and what it was when last seen."""

    seen_at_s: float = 0.0
    size: int | None = None
    changes: tuple[Change, ...] = ()  # (time, replicas added or, if negative, removed), oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Grow and shrink by no more than so many replicas, or such a share, in any period.

    In each direction the larger of the two allowances holds. They count from the size the fleet had when
    the period began, as far as this log knows: start = current - added + removed within the period.

        up:   max(start + up_replicas,   ⌈start * (1 + up_fraction)⌉)
        down: min(start - down_replicas, ⌊start * (1 - down_fraction)⌋)

    Changes are read off the fleet's size from tick to tick, so that what others do to it counts as well.
    Source: Kubernetes HPA, behavior.policies with selectPolicy Max.

    Attributes:
        up_replicas: Replicas that may be added in a period; >= 0.
        up_fraction: Share of the fleet that may be added in a period; >= 0.
        up_period_s: Length of the period for growth; > 0.
        down_replicas: Replicas that may be removed in a period; >= 0.
        down_fraction: Share of the fleet that may be removed in a period, in [0, 1].
        down_period_s: Length of the period for shrinking; > 0.
    """

    name: ClassVar[str] = "rate-limit"
    order: ClassVar[int] = 30
    up_replicas: int = 4
    up_fraction: float = 1.0
    up_period_s: float = 15.0
    down_replicas: int = 0
    down_fraction: float = 1.0
    down_period_s: float = 15.0

    def __post_init__(self) -> None:
        require_count(up_replicas=self.up_replicas, down_replicas=self.down_replicas)
        require_nonnegative(up_fraction=self.up_fraction, down_fraction=self.down_fraction)
        require_positive(up_period_s=self.up_period_s, down_period_s=self.down_period_s)
        if self.down_fraction > 1:
            hint = f"; did you mean {self.down_fraction / 100:g}?" if self.down_fraction <= 100 else ""
            raise ParameterError(f"down_fraction must be in [0, 1], was {self.down_fraction!r}{hint}")

    def initial_state(self) -> RecentChanges:
        return RecentChanges()

    def limit(self, replicas: int, observation: Observation, state: RecentChanges) -> tuple[int, RecentChanges]:
        state = self._updated(observation, state)
        current = observation.requested_replicas
        if replicas > current:
            start = current - _total_since(state.changes, observation.time_s - self.up_period_s)
            allowed = max(start + self.up_replicas, ceil(start * (1 + self.up_fraction)))
            return max(min(replicas, allowed), current), state
        if replicas < current:
            start = current - _total_since(state.changes, observation.time_s - self.down_period_s)
            allowed = min(start - self.down_replicas, floor(start * (1 - self.down_fraction)))
            return min(max(replicas, allowed), current), state
        return replicas, state

    def _updated(self, observation: Observation, state: RecentChanges) -> RecentChanges:
        """The log with what has happened since the last tick, and without what no longer matters."""
        size, changes = observation.requested_replicas, state.changes
        if state.size is not None and size != state.size:
            # It was the last tick's decision that changed the size, so that is when it happened.
            changes = (*changes, (state.seen_at_s, size - state.size))
        oldest = observation.time_s - max(self.up_period_s, self.down_period_s)
        changes = tuple(change for change in changes if change[0] > oldest)
        return RecentChanges(seen_at_s=observation.time_s, size=size, changes=changes)


def _total_since(changes: tuple[Change, ...], after_s: float) -> int:
    return sum(size for time_s, size in changes if time_s > after_s)
