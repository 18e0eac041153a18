"""What the learned policy can do, and what it never does: a ladder of steps, and the shield in front of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.core.checks import require_at_least, require_count, require_fraction, require_ordered
from hindscale.core.rounding import ceil

__all__ = ["LADDER", "Shield", "Step", "nearest_action"]


@dataclass(frozen=True, slots=True)
class Step:
    """Replicas to add or, if negative, to remove: a count, or a share of the fleet, whichever is more.

    >>> Step(count=1, share=0.1).from_size(40), Step(count=-1, share=-0.25).from_size(3)
    (44, 2)
    """

    count: int
    share: float = 0.0

    def from_size(self, replicas: int) -> int:
        """The fleet's size after the step, at least 0; a share is rounded to the nearest count, halves up."""
        by_share = math.floor(self.share * replicas + 0.5)
        return max(replicas + (max if self.count > 0 else min)(self.count, by_share), 0)

    def __str__(self) -> str:
        return f"{self.share:+.0%}" if self.share else f"{self.count:+d}"


LADDER = (
    Step(-1, -0.25),
    Step(-1, -0.1),
    Step(-1),
    Step(0),
    Step(1),
    Step(1, 0.1),
    Step(1, 0.25),
    Step(1, 0.5),
)


def nearest_action(before: int, after: int) -> int:
    """The number of the ladder's step that is nearest to what was really done, the smallest one among equals.

    >>> str(LADDER[nearest_action(40, 44)]), str(LADDER[nearest_action(3, 3)])
    ('+10%', '+0')
    """
    order = sorted(range(len(LADDER)), key=lambda action: (abs(LADDER[action].count), abs(LADDER[action].share)))
    return min(order, key=lambda action: abs(LADDER[action].from_size(before) - after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shield:
    """What stands between the network and the fleet.

    The floor is the smallest fleet that carries the last minute's load: before the fleet shrinks by a replica, the
    others must be able to do without it (the N-1 check), and a fleet below the floor is brought up to it at once.

    Attributes:
        max_utilization: Share of what replicas can work off that the floor may be loaded to; in (0, 1].
        spare_replicas: So many replicas on top of the floor may be lost, and the rest still carries the load.
        min_replicas: Never fewer.
        max_replicas: Never more, whatever the floor says.
    """

    max_utilization: float = 1.0
    spare_replicas: int = 0
    min_replicas: int = 1
    max_replicas: int = 1000

    def __post_init__(self) -> None:
        require_fraction(max_utilization=self.max_utilization)
        require_count(spare_replicas=self.spare_replicas, min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)

    def floor(self, load: float) -> int:
        """The smallest fleet for a load in replicas.

        >>> Shield(max_utilization=0.8, max_replicas=10).floor(3.3), Shield(max_replicas=10).floor(30.0)
        (5, 10)
        """
        needed = ceil(load / self.max_utilization) + self.spare_replicas
        return min(max(needed, self.min_replicas), self.max_replicas)

    def allowed(self, wanted: int, load: float) -> int:
        """The nearest size to the wanted one that the shield lets through.

        >>> Shield(max_replicas=10).allowed(2, load=3.3), Shield(max_replicas=10).allowed(12, load=3.3)
        (4, 10)
        """
        return min(max(wanted, self.floor(load)), self.max_replicas)
