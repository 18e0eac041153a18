"""What a policy learns of its service: how fast it serves, how long it takes to start, and what became of its SLO."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.core.values import Observation

__all__ = ["ErrorBudget", "Starts", "TimeInService"]

MOST_STARTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInService:
    """The mean time in service, by Little's law: busy slot seconds over answered requests.

    Attributes:
        busy_s: Slot seconds, recent ones weighing most; what is assumed at first counts as `requests` seen.
        requests: Requests answered in them.
        assumed_s: What the service was said to take.
    """

    busy_s: float
    requests: float
    assumed_s: float

    @classmethod
    def assumed(cls, mean_s: float, *, weight: float = 500.0) -> TimeInService:
        """What is believed before anything is measured, as if it had been seen of so many requests."""
        return cls(busy_s=mean_s * weight, requests=weight, assumed_s=mean_s)

    @property
    def mean_s(self) -> float:
        return self.busy_s / self.requests

    @property
    def error(self) -> float:
        """How far off the assumption was: measured over assumed, minus 1.

        >>> TimeInService(busy_s=55.0, requests=100.0, assumed_s=0.5).error
        0.10000000000000009
        """
        return self.mean_s / self.assumed_s - 1

    def seen(self, observation: Observation, interval_s: float, *, memory_s: float = 6 * 3600.0) -> TimeInService:
        """With one more interval; nothing is learned where nothing was measured, or nobody was answered."""
        answered = observation.completion_rate_rps * interval_s
        busy_s = observation.ongoing_requests * interval_s
        if not (answered > 0 and busy_s > 0):
            return self
        kept = math.exp(-interval_s / memory_s)
        return replace(self, busy_s=self.busy_s * kept + busy_s, requests=self.requests * kept + answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """How long replicas took from the order until they were ready.

    Replicas are anonymous in an observation, so the one that was ordered first is taken for the one that is ready
    first: the mean is right, the spread a little too small.

    Attributes:
        waiting: (time of the order, replicas) of those that are not ready yet, oldest first.
        took_s: The last durations, oldest first.
        requested: The size that the fleet was asked for at the last tick; -1 before the first.
        time_s: The last tick.
    """

    waiting: tuple[tuple[float, int], ...] = ()
    took_s: tuple[float, ...] = ()
    requested: int = -1
    time_s: float = 0.0

    def seen(self, observation: Observation) -> Starts:
        """With one more tick."""
        pending = observation.starting_replicas + observation.provisioning_replicas
        now_s, requested = observation.time_s, observation.requested_replicas
        if self.requested < 0:
            return Starts(waiting=((now_s, pending),) if pending else (), requested=requested, time_s=now_s)
        change = requested - self.requested
        more: tuple[tuple[float, int], ...] = ((self.time_s, change),) if change > 0 else ()
        waiting = _without_newest((*self.waiting, *more), -change)
        waiting, ready = _oldest(waiting, sum(count for _, count in waiting) - pending)
        # Ready at some time since the last tick: half an interval ago, on average.
        moment_s = (now_s + self.time_s) / 2
        took_s = (*self.took_s, *(max(moment_s - since_s, 0.0) for since_s in ready))
        return Starts(waiting=waiting, took_s=took_s[-MOST_STARTS:], requested=requested, time_s=now_s)

    def quantile_s(self, level: float, *, assumed_s: float) -> float:
        """A quantile of the durations; what is assumed, until there are enough of them.

        >>> Starts(took_s=(30.0,) * 9 + (90.0,)).quantile_s(0.9, assumed_s=60.0)
        30.0
        """
        if len(self.took_s) * (1 - level) < 1 - 1e-9:
            return assumed_s
        return sorted(self.took_s)[math.ceil(level * len(self.took_s) - 1e-9) - 1]


def _without_newest(waiting: tuple[tuple[float, int], ...], count: int) -> tuple[tuple[float, int], ...]:
    """Orders that were taken back: the newest first, as far as there are any."""
    kept = list(waiting)
    while kept and count > 0:
        since_s, there = kept.pop()
        if there > count:
            kept.append((since_s, there - count))
        count -= there
    return tuple(kept)


def _oldest(waiting: tuple[tuple[float, int], ...], count: int) -> tuple[tuple[tuple[float, int], ...], list[float]]:
    """Those still waiting, and since when each of the `count` oldest had waited."""
    left, gone = [], list[float]()
    for since_s, there in waiting:
        taken = min(max(count - len(gone), 0), there)
        gone += [since_s] * taken
        if there > taken:
            left.append((since_s, there - taken))
    return tuple(left), gone


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """How much of what the SLO forgives is left: requests that may still be missed, minus those missed too many.

    Attributes:
        balance: Requests; old ones are forgotten slowly.
        arrived: Requests of about the last half day.
        in_system: Requests in service and queued at the last tick.
    """

    balance: float = 0.0
    arrived: float = 0.0
    in_system: float = 0.0

    def seen(
        self, observation: Observation, interval_s: float, *, forgiven: float, memory_s: float, recent_s: float
    ) -> ErrorBudget:
        """With one more interval.

        Those that left are those that came less what the system holds more than before; the share of them that met
        the SLO was measured.

        Args:
            observation: What was seen.
            interval_s: Seconds since the last tick.
            forgiven: Share of the requests that the SLO forgives.
            memory_s: How long an old miss counts.
            recent_s: What `arrived` is a sum over.
        """
        came = observation.arrival_rate_rps * interval_s
        holds = observation.ongoing_requests + observation.queued_requests
        left, met = max(came - (holds - self.in_system), 0.0), observation.slo_attainment
        # Where nobody measured what became of them, they neither fill the budget nor empty it.
        change = 0.0 if math.isnan(met) else (forgiven - (1 - met)) * left
        return ErrorBudget(
            balance=self.balance * math.exp(-interval_s / memory_s) + change,
            arrived=self.arrived * math.exp(-interval_s / recent_s) + came,
            in_system=holds,
        )

    def share(self, forgiven: float) -> float:
        """Share of the coming requests that may be missed: what is forgiven, and the balance over those of late.

        Between a tenth of what is forgiven and three times as much.

        >>> ErrorBudget(balance=-500.0, arrived=100_000.0).share(0.01)
        0.005
        """
        share = forgiven + self.balance / max(self.arrived, 1.0)
        return min(max(share, forgiven / 10), 3 * forgiven)
