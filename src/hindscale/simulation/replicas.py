"""The replicas that there are, by what they do now."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import IntEnum
from itertools import count

from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.simulation.contract import FAR_NS

__all__ = ["Life", "Replica", "Replicas"]


class Life(IntEnum):
    """What a replica does; it only ever goes on to a later one."""

    PROVISIONING = 0
    STARTING = 1
    READY = 2
    DRAINING = 3
    GONE = 4


@dataclass(slots=True, eq=False)
class Replica:
    """One replica.

    Attributes:
        index: Under which the engine knows it.
        number: In order of being asked for.
        life: What it does.
        start_ns: Length of its cold start.
        life_ns: From ready to lost.
        requests: What it asks of its node; nothing where that does not change.
        runs_at: When it has a node with the image, and its cold start begins.
        lost_at: When it is lost.
    """

    index: int
    number: int
    life: Life
    start_ns: int
    life_ns: int
    requests: Amounts
    runs_at: int = FAR_NS
    lost_at: int = FAR_NS


class Replicas:
    """Replicas by number and life; an index is given again when its replica has gone.

    Attributes:
        by_life: Those in each life, by number.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._free: list[int] = []
        self._indices = count()
        self._by_index: dict[int, Replica] = {}
        self.by_life: list[dict[int, Replica]] = [{} for _ in Life]

    def new(self, start_ns: int, life_ns: int, requests: Amounts = NOTHING) -> Replica:
        """One that was just asked for."""
        index = heapq.heappop(self._free) if self._free else next(self._indices)
        replica = Replica(index, next(self._numbers), Life.PROVISIONING, start_ns, life_ns, requests)
        self._by_index[index] = replica
        self.by_life[Life.PROVISIONING][replica.number] = replica
        return replica

    def move(self, replica: Replica, life: Life) -> None:
        """It goes on to another life."""
        del self.by_life[replica.life][replica.number]
        replica.life = life
        self.by_life[life][replica.number] = replica

    def end(self, replica: Replica) -> None:
        """It has gone."""
        del self.by_life[replica.life][replica.number]
        replica.life = Life.GONE
        del self._by_index[replica.index]
        heapq.heappush(self._free, replica.index)

    def at(self, index: int) -> Replica:
        """The one that the engine knows under an index."""
        return self._by_index[index]

    def oldest_first(self) -> list[Replica]:
        """All that there are, in order of being asked for."""
        return sorted(self._by_index.values(), key=lambda replica: replica.number)
