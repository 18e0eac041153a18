"""Regret: where the money went that perfect foresight did not pay.

A run and the optimum's schedule for the same requests are laid one over the other, replica by replica: layer k is
the k-th replica of both fleets. Where the run has it and the optimum has not, money is lost, and by when it was lost
it has a name:

    early     within ten minutes before the optimum has it, and kept until then
    late      within ten minutes after the optimum had it: it came, or stayed, after it was needed
    excess    at any other time, or through a gap between two needs: more than needed
    short     the other way round, the optimum has it and the run has not: saved, at the users' expense
    churn     replica time in cold starts, above the optimum's

    cost - least cost = early + late + excess - short + churn + unavoidable

Unavoidable is what perfect foresight, too, paid above the bound that nobody can go below. The parts add up to the
regret to the last digit, since layers add up to fleets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.scoring import RunRecord

__all__ = ["NEAR_S", "PARTS", "FleetUse", "Regret", "RegretSeries", "regret"]

Floats = NDArray[np.float64]
NEAR_S = 600.0
"""A replica that stood idle for longer before or after it was needed was not early or late, but not needed."""
NEVER = -(2**40)  # steps
PARTS = ("early", "late", "excess", "short", "churn", "unavoidable")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetUse:
    """What a run had and what it came to, one entry a control interval, shape (T,).

    Attributes:
        interval_s: Length of an interval.
        serving_s: Replica seconds of ready and draining replicas.
        starting_s: Replica seconds paid for in cold starts.
        arrived: Requests that arrived.
        missed: Of those, how many missed the SLO.
    """

    interval_s: float
    serving_s: Floats
    starting_s: Floats
    arrived: Floats
    missed: Floats

    @classmethod
    def of(cls, record: RunRecord, slots: int) -> FleetUse:
        """The use of a run whose replicas have so many slots."""
        ticks = record.ticks
        serving_s = ticks.serving_slot_s / slots
        return cls(
            interval_s=record.interval_s,
            serving_s=serving_s,
            starting_s=np.maximum(ticks.replica_s - serving_s, 0.0),
            arrived=ticks.arrived.astype(np.float64),
            missed=(ticks.arrived - ticks.met).astype(np.float64),
        )

    @property
    def duration_s(self) -> float:
        return self.interval_s * len(self.serving_s)

    def every(self, interval_s: float, steps: int) -> FleetUse:
        """The same over so many intervals of another length; what is cut by a boundary is split evenly."""
        own = self.interval_s * np.arange(len(self.serving_s) + 1)
        wanted = interval_s * np.arange(steps + 1)

        def resampled(values: Floats) -> Floats:
            return np.diff(np.interp(wanted, own, np.r_[0.0, np.cumsum(values)]))

        return FleetUse(
            interval_s=interval_s,
            serving_s=resampled(self.serving_s),
            starting_s=resampled(self.starting_s),
            arrived=resampled(self.arrived),
            missed=resampled(self.missed),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegretSeries:
    """The parts over time: replicas, mean of each interval, shape (T,) each; all >= 0 but churn.

    Attributes:
        interval_s: Length of an interval.
        early, late, excess, short: Replicas above and, for the last, below the optimum's.
        churn: Starting replicas above the optimum's.
        arrived, missed: Requests of the run.
    """

    interval_s: float
    early: Floats
    late: Floats
    excess: Floats
    short: Floats
    churn: Floats
    arrived: Floats
    missed: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regret:
    """What a run paid above the least that anybody could, by cause; in money.

    Attributes:
        least_cost: What nobody can go below.
        optimum_cost: What perfect foresight paid.
        cost: What the run paid.
        early, late, excess, short, churn: See this module; short is <= 0, churn may be.
        series: The same over time.
    """

    least_cost: float
    optimum_cost: float
    cost: float
    early: float
    late: float
    excess: float
    short: float
    churn: float
    series: RegretSeries

    @property
    def unavoidable(self) -> float:
        """What perfect foresight paid above the bound."""
        return self.optimum_cost - self.least_cost

    @property
    def total(self) -> float:
        """Cost above the bound: the sum of the parts."""
        return self.cost - self.least_cost

    def to_dict(self) -> dict[str, float]:
        """The parts and their sum, in money."""
        return {"total": self.total, **{part: getattr(self, part) for part in PARTS}}

    def shares(self) -> dict[str, float]:
        """The same in shares of what perfect foresight paid; NaN where that was nothing."""
        whole = self.optimum_cost or float("nan")
        return {name: amount / whole for name, amount in self.to_dict().items()}


def regret(run: FleetUse, optimum: FleetUse, *, price_per_replica_hour: float, least_cost: float) -> Regret:
    """Split what a run paid above the least that anybody could."""
    interval_s = optimum.interval_s
    steps = int(np.ceil(max(run.duration_s, optimum.duration_s) / interval_s - 1e-9))
    mine, best = run.every(interval_s, steps), optimum.every(interval_s, steps)
    early, late, excess, short = _by_layers(
        mine.serving_s / interval_s, best.serving_s / interval_s, max(1, round(NEAR_S / interval_s))
    )
    series = RegretSeries(
        interval_s=interval_s,
        early=early,
        late=late,
        excess=excess,
        short=short,
        churn=(mine.starting_s - best.starting_s) / interval_s,
        arrived=mine.arrived,
        missed=mine.missed,
    )
    money = interval_s / 3600 * price_per_replica_hour
    return Regret(
        least_cost=least_cost,
        optimum_cost=_cost(best, price_per_replica_hour),
        cost=_cost(mine, price_per_replica_hour),
        early=money * float(early.sum()),
        late=money * float(late.sum()),
        excess=money * float(excess.sum()),
        short=-money * float(short.sum()),
        churn=money * float(series.churn.sum()),
        series=series,
    )


def _cost(use: FleetUse, price_per_replica_hour: float) -> float:
    return float(use.serving_s.sum() + use.starting_s.sum()) / 3600 * price_per_replica_hour


def _by_layers(run: Floats, optimum: Floats, near: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Early, late, excess and short replicas of each step, shape (T,) each.

    >>> one, none, both = np.array([0., 1, 1, 1, 0]), np.zeros(5), np.array([0., 0, 1, 0, 0])
    >>> [part.tolist() for part in _by_layers(one, both, near=1)][:2]
    [[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]]
    >>> [part.sum() for part in _by_layers(one, none, near=1)]
    [np.float64(0.0), np.float64(0.0), np.float64(3.0), np.float64(0.0)]
    """
    early, late, excess = np.zeros_like(run), np.zeros_like(run), np.zeros_like(run)
    for layer in range(int(np.ceil(run.max(initial=0.0)))):
        has, needs = np.clip(run - layer, 0.0, 1.0), np.clip(optimum - layer, 0.0, 1.0)
        surplus = np.maximum(has - needs, 0.0)
        is_after = _steps_since(needs > 0) <= near
        is_before = _is_kept_until_needed(has > 0, needs > 0, near)
        is_early, is_late = is_before & ~is_after, is_after & ~is_before & (needs == 0)
        early += surplus * is_early
        late += surplus * is_late
        excess += surplus * ~(is_early | is_late)
    return early, late, excess, np.maximum(optimum - run, 0.0)


def _is_kept_until_needed(has: NDArray[np.bool_], needs: NDArray[np.bool_], near: int) -> NDArray[np.bool_]:
    """Whether it is needed at most `near` steps later, and there until then."""
    to_need, to_gap = _steps_since(needs[::-1])[::-1], _steps_since(~has[::-1])[::-1]
    kept: NDArray[np.bool_] = (to_need <= near) & (to_need < to_gap) & ~needs
    return kept


def _steps_since(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Steps since a flag was last set, 0 where it is; more than any where it never was.

    >>> _steps_since(np.array([False, True, False, False]))[1:].tolist()
    [0, 1, 2]
    """
    steps = np.arange(len(flags))
    last = np.maximum.accumulate(np.where(flags, steps, NEVER))
    since: NDArray[np.int64] = steps - last
    return since
