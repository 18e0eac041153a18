"""The simulated fleet: replicas that come and go, and the metrics pipeline through which they are seen.

It is both ends of the control loop, `MetricsSource` and `Actuator`. Requests are the engine's business;
here a replica is ordered, waits for its node, starts, serves, drains and is gone, and every nanosecond of
it is paid for.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import NamedTuple

import numpy as np

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import MetricsUnavailable
from hindscale.core.service import RESOURCES, ServiceProfile
from hindscale.core.units import format_duration
from hindscale.core.values import Observation
from hindscale.simulation.contract import FAR_NS, Engine, Event, EventKind, Gone, Total, to_ns
from hindscale.simulation.workload import RequestStream

__all__ = ["Monitoring", "SimulatedFleet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """How old measurements are when a policy sees them.

    Attributes:
        scrape_interval_s: Seconds between two readings of the fleet's counters; None for one at every
            control tick.
        lag_s: Seconds from a reading until it can be queried.
        window_s: Rates and means are taken over the readings of this many seconds; None for one
            control interval.
    """

    scrape_interval_s: float | None = None
    lag_s: float = 0.0
    window_s: float | None = None

    def __post_init__(self) -> None:
        require_nonnegative(lag_s=self.lag_s)
        if self.scrape_interval_s is not None:
            require_positive(scrape_interval_s=self.scrape_interval_s)
        if self.window_s is not None:
            require_positive(window_s=self.window_s)


class _Life(IntEnum):
    PROVISIONING = 0
    STARTING = 1
    READY = 2
    DRAINING = 3
    GONE = 4


@dataclass(slots=True, eq=False)
class _Replica:
    index: int
    number: int  # in order of being asked for
    life: _Life
    starting_at: int
    ready_at: int
    lost_at: int


class _Reading(NamedTuple):
    """The fleet's counters at one scrape; all but the queue only ever grow."""

    time_ns: int
    arrived: int
    served: int
    left: int
    met: int
    busy_ns: int
    serving_ns: int
    queued: int


_NOTHING_YET = _Reading(0, 0, 0, 0, 0, 0, 0, 0)
_SCRAPED = (Total.SERVED, Total.DROPPED, Total.TIMED_OUT, Total.FAILED, Total.CUT)


class SimulatedFleet:
    """Replicas of one service in simulated time.

    Attributes:
        billed_ns: Replica time paid for so far, from `starting` to gone, summed over replicas.
        serving_ns: Replica time that was ready or draining.
        started: Replicas asked for so far, replacements of lost ones included.
        lost: Replicas lost so far.
    """

    def __init__(
        self,
        profile: ServiceProfile,
        engine: Engine,
        stream: RequestStream,
        seed: np.random.SeedSequence,
        *,
        control_interval_s: float,
        monitoring: Monitoring | None = None,
        initial_replicas: int = 1,
    ) -> None:
        self.profile = profile
        self.engine = engine
        self.monitoring = monitoring or Monitoring()
        self.billed_ns = 0
        self.serving_ns = 0
        self.started = 0
        self.lost = 0
        self._stream = stream
        self._starts, self._losses = (np.random.default_rng(child) for child in seed.spawn(2))
        self._window_ns = to_ns(self.monitoring.window_s or control_interval_s)
        self._lag_ns = to_ns(self.monitoring.lag_s)
        self._readings = deque([_NOTHING_YET])
        self._now = 0
        self._tick = -1
        self._numbers = count()
        self._free: list[int] = []
        self._indices = count()
        self._by_index: dict[int, _Replica] = {}
        self._by_life: list[dict[int, _Replica]] = [{} for _ in _Life]  # by life, then number
        self._changes: list[tuple[int, int, int, _Replica]] = []  # heap of (time, kind, number, replica)
        self._to_replace = 0
        self._order(initial_replicas, ready_now=True)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def requested(self) -> int:
        """The size the fleet was last asked for."""
        lives = self._by_life
        return len(lives[_Life.READY]) + len(lives[_Life.STARTING]) + len(lives[_Life.PROVISIONING])

    @property
    def ready(self) -> int:
        return len(self._by_life[_Life.READY])

    @property
    def starting(self) -> int:
        return len(self._by_life[_Life.STARTING])

    @property
    def provisioning(self) -> int:
        return len(self._by_life[_Life.PROVISIONING])

    @property
    def draining(self) -> int:
        return len(self._by_life[_Life.DRAINING])

    def observe(self, now_s: float) -> Observation:
        """Let time pass until `now_s`, one control tick after the last call, and say what is then known.

        Raises:
            MetricsUnavailable: If no reading of the counters has come through yet.
        """
        self._tick += 1
        now = to_ns(now_s)
        for scrape in self._scrapes(now):
            self._advance(scrape)
            self._readings.append(self._read())
        if self._now < now:
            self._advance(now)
        self._order(self._to_replace)
        self._to_replace = 0
        return self._observation(now_s, now)

    def finish(self) -> None:
        """No more arrivals and no more decisions: let everything that is still in the system come out."""
        self._advance(FAR_NS)

    def _scrapes(self, until: int) -> Iterable[int]:
        if self.monitoring.scrape_interval_s is None:
            return (until,)
        step = to_ns(self.monitoring.scrape_interval_s)
        return range(self._now // step * step + step, until + 1, step)

    def _read(self) -> _Reading:
        totals = self.engine.totals.tolist()
        return _Reading(
            self._now,
            totals[Total.ARRIVED],
            totals[Total.SERVED],
            sum(totals[total] for total in _SCRAPED),
            totals[Total.MET],
            totals[Total.BUSY_NS],
            self.serving_ns,
            totals[Total.QUEUED],
        )

    def _observation(self, now_s: float, now: int) -> Observation:
        last = self._last_visible(now)
        first = self._window_start(last)
        seconds = (last.time_ns - first.time_ns) / 1e9
        busy = (last.busy_ns - first.busy_ns) / 1e9
        left = last.left - first.left
        utilization = self._utilization(busy, (last.serving_ns - first.serving_ns) / 1e9)
        return Observation(
            time_s=now_s,
            ready_replicas=self.ready,
            starting_replicas=self.starting,
            provisioning_replicas=self.provisioning,
            draining_replicas=self.draining,
            measured_at_s=last.time_ns / 1e9,
            arrival_rate_rps=(last.arrived - first.arrived) / seconds,
            completion_rate_rps=(last.served - first.served) / seconds,
            ongoing_requests=busy / seconds,
            queued_requests=float(last.queued),
            slo_attainment=(last.met - first.met) / left if left else math.nan,
            **utilization,
            missing=_missing(tuple(utilization)),
        )

    def _last_visible(self, now: int) -> _Reading:
        for reading in reversed(self._readings):
            if reading.time_ns and reading.time_ns + self._lag_ns <= now:
                return reading
        raise MetricsUnavailable(
            f"no measurement has come through yet: readings are visible after {format_duration(self._lag_ns / 1e9)}"
        )

    def _window_start(self, last: _Reading) -> _Reading:
        """The newest reading that is at least a window older; readings before it are never needed again."""
        readings = self._readings
        while len(readings) > 1 and readings[1].time_ns <= last.time_ns - self._window_ns:
            readings.popleft()
        return readings[0]

    def _utilization(self, busy_s: float, serving_s: float) -> dict[str, float]:
        if serving_s <= 0:
            if self.requested:
                return {}  # replicas exist, but none has served yet: there is nothing to measure
            return dict.fromkeys((f"{resource}_utilization" for resource in self.profile.resources), 0.0)
        busy_share = busy_s / (serving_s * self.profile.slots)
        return {
            f"{resource}_utilization": use.utilization(busy_share) for resource, use in self.profile.resources.items()
        }

    # -- what is asked ----------------------------------------------------------------------------

    def scale_to(self, replicas: int) -> None:
        """Ask for a fleet of this size: order what is missing, or give up what is too much."""
        change = replicas - self.requested
        if change > 0:
            self._order(change)
        elif change < 0:
            self._give_up(-change)

    def _order(self, replicas: int, *, ready_now: bool = False) -> None:
        if not replicas:
            return
        waits = [0.0] * replicas if ready_now else self.profile.provisioning.sample(self._starts, replicas).tolist()
        starts = [0.0] * replicas if ready_now else self.profile.cold_start.sample(self._starts, replicas).tolist()
        lives = [math.inf] * replicas
        if self.profile.mean_time_to_failure_s is not None:
            lives = self._losses.exponential(self.profile.mean_time_to_failure_s, replicas).tolist()
        for wait_s, start_s, life_s in zip(waits, starts, lives, strict=True):
            starting_at = self._now + to_ns(wait_s)
            ready_at = starting_at + to_ns(start_s)
            # At least one nanosecond of life: readiness comes before loss.
            lost_at = FAR_NS if math.isinf(life_s) else ready_at + max(to_ns(life_s), 1)
            self._add(starting_at, ready_at, min(lost_at, FAR_NS))
        self.started += replicas

    def _add(self, starting_at: int, ready_at: int, lost_at: int) -> None:
        index = heapq.heappop(self._free) if self._free else next(self._indices)
        life = _Life.STARTING if starting_at == self._now else _Life.PROVISIONING
        replica = _Replica(index, next(self._numbers), life, starting_at, ready_at, lost_at)
        self._by_index[index] = replica
        self._by_life[life][replica.number] = replica
        self.engine.add(index, lost_at)
        if life is _Life.PROVISIONING:
            heapq.heappush(self._changes, (starting_at, -1, replica.number, replica))
        heapq.heappush(self._changes, (ready_at, EventKind.READY, replica.number, replica))
        if lost_at < FAR_NS:
            heapq.heappush(self._changes, (lost_at, EventKind.LOST, replica.number, replica))

    def _give_up(self, replicas: int) -> None:
        """Those that serve nobody first: newest of the provisioning, then of the starting ones.

        Then ready ones, those with the fewest requests first, the newest among equals.
        """
        for life in (_Life.PROVISIONING, _Life.STARTING):
            for number in sorted(self._by_life[life], reverse=True)[:replicas]:
                self._end(self._by_life[life][number])
                replicas -= 1
        if replicas:
            ready = self._by_life[_Life.READY].values()
            outstanding = {replica: self.engine.outstanding(replica.index) for replica in ready}
            victims = heapq.nsmallest(replicas, ready, key=lambda replica: (outstanding[replica], -replica.number))
            limit_s = self.profile.drain_timeout_s
            deadline = FAR_NS if limit_s is None else self._now + to_ns(limit_s)
            for replica in victims:
                self._move(replica, _Life.DRAINING)
                self.engine.drain(replica.index, self._now, deadline)

    # -- what happens -----------------------------------------------------------------------------

    def _advance(self, until: int) -> None:
        """Everything up to `until`: changes that were known beforehand, requests, drained replicas."""
        passed = until - self._now
        self.billed_ns += passed * (self.starting + self.ready + self.draining)
        self.serving_ns += passed * (self.ready + self.draining)
        events: list[Event] = []
        lost_draining: list[_Replica] = []
        while self._changes and self._changes[0][0] <= until:
            time, kind, _, replica = heapq.heappop(self._changes)
            if replica.life is _Life.GONE:
                continue
            if kind == EventKind.LOST and replica.life is _Life.DRAINING:
                lost_draining.append(replica)
            else:
                self._change(replica, kind, until - time)
            if kind >= 0:
                events.append(Event(time, EventKind(kind), replica.index))
        for gone in self.engine.advance(until, self._stream.until(until), events, max(self._tick, 0)):
            self._leave_drained(gone, until)
        for replica in lost_draining:
            if replica.life is _Life.DRAINING:
                self._leave_drained(Gone(replica.lost_at, replica.index), until)
        self._now = until

    def _change(self, replica: _Replica, kind: int, remaining: int) -> None:
        """`remaining` is the time from the change to the end of the interval that is being accounted for."""
        if kind == EventKind.READY:
            self._move(replica, _Life.READY)
            self.serving_ns += remaining
        elif kind == EventKind.LOST:
            self._end(replica)
            self.lost += 1
            self._to_replace += 1
            self.billed_ns -= remaining
            self.serving_ns -= remaining
        else:
            self._move(replica, _Life.STARTING)
            self.billed_ns += remaining

    def _leave_drained(self, gone: Gone, until: int) -> None:
        self._end(self._by_index[gone.replica])
        self.billed_ns -= until - gone.time_ns
        self.serving_ns -= until - gone.time_ns

    def _move(self, replica: _Replica, life: _Life) -> None:
        del self._by_life[replica.life][replica.number]
        replica.life = life
        self._by_life[life][replica.number] = replica

    def _end(self, replica: _Replica) -> None:
        del self._by_life[replica.life][replica.number]
        replica.life = _Life.GONE
        del self._by_index[replica.index]
        heapq.heappush(self._free, replica.index)


_ALL_UTILIZATION = frozenset(f"{resource}_utilization" for resource in RESOURCES)
_missing_by_measured: dict[tuple[str, ...], frozenset[str]] = {}


def _missing(measured: tuple[str, ...]) -> frozenset[str]:
    """The utilizations that nobody measures; one set for each combination, not one a tick."""
    if measured not in _missing_by_measured:
        _missing_by_measured[measured] = _ALL_UTILIZATION.difference(measured)
    return _missing_by_measured[measured]
