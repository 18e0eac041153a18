"""Fleets that exist on paper only: what each rule would have cost and missed, had it been followed.

Every rule gets a fleet of its own in a fluid model: replicas are ordered, start, serve a backlog and are given up as
the rule wishes, under the traffic that really came. So the price of too few and of too many over a lead time is not
assumed but counted, backlogs and cold starts included, for all rules at once and on the same traffic. All fleets are
rows of the same arrays: a tick costs a few dozen array operations, however many rules there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hindscale.forecasting.arrays import FrozenArray
from hindscale.sizing.fluid import backlog_after, share_late

__all__ = ["FluidService", "Rehearsal"]

Floats = NDArray[np.float64]
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidService:
    """What a replica is to the fluid model.

    Attributes:
        served_per_s: mu, requests per second that one replica works off.
        patience_s: How long a request may wait within the SLO.
        gives_up_s: After how long a wait requests leave; infinity for never.
    """

    served_per_s: float
    patience_s: float
    gives_up_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """One fleet a rule, and what each has come to.

    Attributes:
        ready: Replicas that serve, shape (R,).
        starting: Replicas that will be ready after 1, 2, ... D further ticks, shape (D, R).
        backlog: Requests that wait, shape (R,).
        paid_s: Replica seconds paid for, recent ones weighing most, shape (R,).
        missed: Requests that missed the SLO, weighted likewise, shape (R,).
        arrived: Requests that came, weighted likewise.
    """

    ready: FrozenArray
    starting: FrozenArray
    backlog: FrozenArray
    paid_s: FrozenArray
    missed: FrozenArray
    arrived: float = 0.0

    @classmethod
    def begin(cls, rules: int, replicas: int, *, most_ticks: int) -> Self:
        """All fleets as large as the real one.

        Args:
            rules: R.
            replicas: Ready in each.
            most_ticks: D, ticks that a start may take.
        """
        nothing = FrozenArray(np.zeros(rules))
        return cls(
            ready=FrozenArray(np.full(rules, float(replicas))),
            starting=FrozenArray(np.zeros((most_ticks, rules))),
            backlog=nothing,
            paid_s=nothing,
            missed=nothing,
        )

    def advanced(self, arrived: float, interval_s: float, service: FluidService, *, kept: float) -> Self:
        """One interval of real traffic for every fleet.

        Args:
            arrived: Requests that came in it.
            interval_s: Its length.
            service: What a replica is.
            kept: Weight of what was, in (0, 1]: the memory.
        """
        starting = np.zeros_like(self.starting.values)
        starting[:-1] = self.starting.values[1:]
        ready = self.ready.values + self.starting.values[0]
        rate = np.maximum(ready * service.served_per_s, _TINY)
        backlog = self.backlog.values
        after = backlog_after(backlog, arrived, rate * interval_s, at_most=rate * service.gives_up_s)
        late = share_late(backlog / rate, after / rate, service.patience_s)
        paid_s = (ready + starting.sum(axis=0)) * interval_s
        return replace(
            self,
            ready=FrozenArray(ready),
            starting=FrozenArray(starting),
            backlog=FrozenArray(after),
            paid_s=FrozenArray(self.paid_s.values * kept + paid_s),
            missed=FrozenArray(self.missed.values * kept + late * arrived),
            arrived=self.arrived * kept + arrived,
        )

    def ordered(self, wanted: Floats, *, start_ticks: int) -> Self:
        """Each fleet told its rule's wish, shape (R,): what is missing starts, the newest go first.

        Args:
            wanted: Replicas.
            start_ticks: Ticks until a replica that is ordered now is ready; between 1 and D.
        """
        ready, starting = self.ready.values.copy(), self.starting.values.copy()
        change = wanted - ready - starting.sum(axis=0)
        starting[start_ticks - 1] += np.maximum(change, 0.0)
        shrinking = np.flatnonzero(change < 0)
        if len(shrinking):
            there, surplus = starting[::-1, shrinking], -change[shrinking]
            newer = np.cumsum(there, axis=0) - there
            given_up = np.clip(surplus - newer, 0.0, there)
            starting[:, shrinking] -= given_up[::-1]
            ready[shrinking] -= surplus - given_up.sum(axis=0)
        return replace(self, ready=FrozenArray(ready), starting=FrozenArray(starting))

    @property
    def missed_share(self) -> Floats:
        """Share of the recent requests that each rule would have missed, shape (R,)."""
        return self.missed.values / max(self.arrived, _TINY)
