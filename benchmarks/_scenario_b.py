"""Scenario B: a pool that scales with a sine, on hindscale's engines.

At most 64 replicas (25 at the start) of four slots behind a least-outstanding balancer; 100 to 300
requests a second in a sine of 1000 seconds, exponential service of mean 0.4 s; a decision every 15 s by
target tracking, a cold start of 30 s, draining on scale-in. The requests are drawn beforehand: every
implementation gets the same arrays, and all must come to the same books.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hindscale.core.control import run_loop
from hindscale.core.distributions import Constant, Exponential
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.guardrails.bounds import Bounds
from hindscale.policies.target_tracking import TargetTracking
from hindscale.simulation.contract import Batch, Engine, EngineConfig, Total
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.run import SimulatedClock, SimulationSettings, simulate
from hindscale.simulation.workload import RequestStream
from hindscale.traces.arrivals import CHUNK_REQUESTS
from hindscale.traces.types import RequestTrace

__all__ = [
    "BOUND_S",
    "COLD_START_S",
    "INITIAL_REPLICAS",
    "INTERVAL_S",
    "MAX_REPLICAS",
    "POLICY",
    "PROFILE",
    "Books",
    "Integers",
    "Requests",
    "as_trace",
    "draw_requests",
    "require_equal",
    "run_on",
    "run_simulate",
]

Integers = NDArray[np.int64]

PERIOD_S = 1000.0
MEAN_RPS, AMPLITUDE_RPS = 200.0, 100.0
INTERVAL_S, COLD_START_S, BOUND_S = 15.0, 30.0, 2.0
INITIAL_REPLICAS, MAX_REPLICAS = 25, 64
MOST_ROWS = 720
PROFILE = ServiceProfile(slots=4, service_time=Exponential(0.4), cold_start=Constant(COLD_START_S))
POLICY = TargetTracking(target_per_replica=3.2)
_NO_CHOICES = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Arrivals and times in service in nanoseconds, shape (N,) each, in order of arrival."""

    arrivals_ns: Integers
    services_ns: Integers

    def __len__(self) -> int:
        return len(self.arrivals_ns)

    @property
    def ticks(self) -> int:
        """Control ticks until the last one has arrived."""
        return math.ceil(int(self.arrivals_ns[-1]) / (INTERVAL_S * 1e9))

    @property
    def rows(self) -> int:
        """Rows of the latency histogram, as many as a backtest keeps."""
        return min(MOST_ROWS, self.ticks)

    def first(self, count: int) -> Requests:
        return Requests(self.arrivals_ns[:count], self.services_ns[:count])

    def batches(self) -> Iterator[Batch]:
        """In pieces as long as a backtest makes them."""
        for begin in range(0, len(self), CHUNK_REQUESTS):
            cut = slice(begin, begin + CHUNK_REQUESTS)
            yield Batch(self.arrivals_ns[cut], self.services_ns[cut], _NO_CHOICES)


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """What an implementation has to agree on, to the last digit."""

    served: int
    met: int
    latency_us: int
    billed_ns: int
    met_by_tick: Integers
    histogram: Integers


@cache
def draw_requests(count: int, *, seed: int = 1) -> Requests:
    """Arrivals of a Poisson process with a sinusoidal rate, by the inverse of its cumulative rate."""
    arrivals, services = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    at = np.arange(0.0, 1.1 * count / MEAN_RPS + 2 * PERIOD_S, 0.1)
    turn = 2 * np.pi / PERIOD_S
    expected = MEAN_RPS * at + AMPLITUDE_RPS / turn * (1 - np.cos(turn * at))
    arrival_s = np.interp(np.cumsum(arrivals.standard_exponential(count)), expected, at)
    service_s = services.exponential(PROFILE.service_time.mean_s, count)
    return Requests(_to_ns(arrival_s), np.maximum(_to_ns(service_s), 1))


def _to_ns(seconds: NDArray[np.float64]) -> Integers:
    return np.rint(seconds * 1e9).astype(np.int64)


def run_on(
    make_engine: Callable[[EngineConfig], Engine],
    requests: Requests,
    *,
    profile: ServiceProfile = PROFILE,
    max_replicas: int = MAX_REPLICAS,
) -> tuple[Books, Integers]:
    """A run as `simulate` does it, on requests that are there already; the books, and all counts by `Total`."""
    config = EngineConfig.from_profile(profile, bound_s=BOUND_S, ticks=requests.ticks, rows=requests.rows)
    engine = make_engine(config)
    fleet = SimulatedFleet(
        profile,
        engine,
        RequestStream(requests.batches()),
        np.random.SeedSequence(0),
        control_interval_s=INTERVAL_S,
        initial_replicas=min(INITIAL_REPLICAS, max_replicas),
    )
    bounds = Bounds(min_replicas=1, max_replicas=max_replicas)
    for _ in run_loop(POLICY, (bounds,), fleet, fleet, SimulatedClock(INTERVAL_S, requests.ticks)):
        pass
    billed_ns = fleet.billed_ns  # what comes out after the last tick is not paid for
    fleet.finish()
    totals = engine.totals
    books = Books(
        served=int(totals[Total.SERVED]),
        met=int(totals[Total.MET]),
        latency_us=int(totals[Total.LATENCY_US]),
        billed_ns=billed_ns,
        met_by_tick=engine.met_by_tick,
        histogram=engine.histogram,
    )
    return books, totals


def as_trace(requests: Requests) -> RequestTrace:
    """The requests as a recording with times in service."""
    return RequestTrace(name="scenario-b", arrival_s=requests.arrivals_ns * 1e-9, service_s=requests.services_ns * 1e-9)


def run_simulate(trace: RequestTrace) -> Books:
    """The same run through `simulate`, which also reads the trace and keeps a tick log."""
    spec = ServiceSpec(
        profile=PROFILE, slo=Slo(latency_s=BOUND_S), control_interval_s=INTERVAL_S, max_replicas=MAX_REPLICAS
    )
    settings = SimulationSettings(initial_replicas=INITIAL_REPLICAS)
    record = simulate(trace, spec, POLICY, (Bounds(min_replicas=1, max_replicas=MAX_REPLICAS),), settings=settings)
    served = int(record.histogram.sum())
    return Books(
        served=served,
        met=int(record.ticks.met.sum()),
        latency_us=round(record.mean_latency_s * served * 1e6),
        billed_ns=int(np.rint(record.ticks.replica_s * 1e9).sum()),
        met_by_tick=record.ticks.met,
        histogram=record.histogram,
    )


def require_equal(books: dict[str, Books]) -> None:
    """All implementations came to the same books, or the benchmark compares different things.

    Raises:
        AssertionError: With the first figure that differs.
    """
    (first, expected), *others = books.items()
    for name, found in others:
        for figure in ("served", "met", "latency_us", "billed_ns"):
            one, other = getattr(expected, figure), getattr(found, figure)
            assert one == other, f"{figure}: {one} in {first}, {other} in {name}"
        for figure in ("met_by_tick", "histogram"):
            same = np.array_equal(getattr(expected, figure), getattr(found, figure))
            assert same, f"{figure} differs between {first} and {name}"
