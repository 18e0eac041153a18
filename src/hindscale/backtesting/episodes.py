"""The stretches of a run that cost most, in words: when, what went wrong, what the traffic did, what the policy said.

Money and missed requests both count. A stretch's weight is its share of all the money lost above the optimum plus
its share of all missed requests, so that an hour with a third of either is as bad as another with a third of the other.
Where fewer are missed than the SLO forgives, the share is one of those that it forgives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.backtesting.regret import RegretSeries
from hindscale.backtesting.series import Action
from hindscale.core.units import format_amount, format_duration, percent

__all__ = ["Episode", "worst_episodes"]

Floats = NDArray[np.float64]
EPISODES = 5
STRETCHES = 200  # a run is cut into about so many
LENGTHS_S = (600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0)  # of a stretch: what a clock shows
CAUSES = {
    "early": "replicas came before they were needed",
    "late": "replicas came or stayed after they were needed",
    "excess": "more replicas than needed",
    "churn": "replicas were started too often",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One stretch of a run.

    Attributes:
        from_s, to_s: When, in seconds since the run began.
        money: What was paid above the optimum.
        missed: Requests that missed the SLO.
        words: What happened.
        reason: The policy's words at its largest action, with the change; empty without any.
    """

    from_s: float
    to_s: float
    money: float
    missed: int
    words: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def worst_episodes(
    series: RegretSeries, actions: Sequence[Action], *, price_per_replica_hour: float, forgiven: float
) -> tuple[Episode, ...]:
    """The worst five stretches, the worst first; fewer where nothing more was lost.

    Args:
        forgiven: Share of the requests that the SLO lets be missed.
    """
    wanted_s = len(series.early) * series.interval_s / STRETCHES
    length_s = next((length for length in LENGTHS_S if length >= wanted_s), LENGTHS_S[-1])
    width = max(1, round(length_s / series.interval_s))
    begins = np.arange(0, len(series.early), width)
    paid = series.early + series.late + series.excess + np.maximum(series.churn, 0.0)
    missed_at_most = forgiven * float(series.arrived.sum())
    weight = _share(np.add.reduceat(paid, begins)) + _share(np.add.reduceat(series.missed, begins), missed_at_most)
    episodes = []
    for _ in range(EPISODES):
        if weight.max() <= 0.0:
            break
        first, last = _around_worst(weight)
        steps = slice(int(begins[first]), int(begins[last]) + width)
        episodes.append(_explained(series, paid, actions, steps, price_per_replica_hour))
        weight[first : last + 1] = 0.0
    return tuple(episodes)


def _share(values: Floats, at_least: float = 0.0) -> Floats:
    total = max(float(values.sum()), at_least)
    return values / total if total else np.zeros_like(values)


def _around_worst(weight: Floats) -> tuple[int, int]:
    """The worst stretch with those beside it that are at least half as bad."""
    first = last = int(weight.argmax())
    half = weight[first] / 2
    while first > 0 and weight[first - 1] >= half:
        first -= 1
    while last + 1 < len(weight) and weight[last + 1] >= half:
        last += 1
    return first, last


def _explained(
    series: RegretSeries, paid: Floats, actions: Sequence[Action], steps: slice, price_per_replica_hour: float
) -> Episode:
    from_s = steps.start * series.interval_s
    to_s = min(steps.stop, len(paid)) * series.interval_s
    missed = round(float(series.missed[steps].sum()))
    parts = [_shortage(series, steps, missed), _surplus(series, paid, steps)]
    return Episode(
        from_s=from_s,
        to_s=to_s,
        money=float(paid[steps].sum()) * series.interval_s / 3600 * price_per_replica_hour,
        missed=missed,
        words="; ".join([part for part in parts if part] + [_traffic(series, steps)]),
        reason=_largest_action([action for action in actions if from_s < action.time_s <= to_s]),
    )


def _shortage(series: RegretSeries, steps: slice, missed: int) -> str:
    if not missed:
        return ""
    share = percent(missed / float(series.missed.sum()))
    words = f"{missed:,} requests missed the SLO ({share} of all that did)"
    short = series.short[steps]
    if short.max() < 0.5:
        return words
    for_s = float((short >= 0.5).sum()) * series.interval_s
    return f"up to {format_amount(float(short.max()))} replicas too few for {format_duration(for_s)}: {words}"


def _surplus(series: RegretSeries, paid: Floats, steps: slice) -> str:
    totals = {cause: float(getattr(series, cause)[steps].sum()) for cause in CAUSES}
    worst = max(totals, key=lambda cause: totals[cause])
    if totals[worst] <= 0.0:
        return ""
    mean = float(paid[steps].mean())
    return f"{format_amount(mean)} replicas more than perfect foresight had, mostly since {CAUSES[worst]}"


def _traffic(series: RegretSeries, steps: slice) -> str:
    rates = series.arrived[steps] / series.interval_s
    before = series.arrived[max(steps.start - 1, 0)] / series.interval_s
    low, high = format_amount(float(rates.min())), format_amount(float(rates.max()))
    return f"traffic {low} to {high} a second, {format_amount(float(before))} before"


def _largest_action(actions: Sequence[Action]) -> str:
    if not actions:
        return ""
    largest = max(actions, key=lambda action: abs(action.after - action.before))
    return f"{largest.before} → {largest.after}: {largest.reason}"
