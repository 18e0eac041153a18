"""Requests, drawn from a trace and a service profile, in batches of bounded size.

The random streams for arrivals, service times and the balancer are separate children of one seed. Two
policies that are run with the same seed therefore meet the same requests at the same instants, and their
difference is the policies' alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hindscale.core.distributions import Empirical, TokenTime
from hindscale.core.service import Balancer, ServiceProfile
from hindscale.simulation.contract import Batch
from hindscale.traces.arrivals import CHUNK_REQUESTS, ArrivalProcess, arrival_chunks
from hindscale.traces.types import RateTrace, RequestTrace, Trace

__all__ = ["RequestStream", "Requests", "recorded_service_s", "request_batches", "with_measured_service"]

Floats = NDArray[np.float64]
MEASURED_QUANTILES = 1000
_NO_CHOICES = np.empty(0, np.int64)
_BALANCERS_WITH_DICE = (Balancer.RANDOM, Balancer.TWO_CHOICES)


def request_batches(
    trace: RateTrace | RequestTrace,
    profile: ServiceProfile,
    seed: np.random.SeedSequence,
    process: ArrivalProcess | None = None,
) -> Iterator[Batch]:
    """The requests of one run, in order of arrival.

    Rates become arrivals by `arrival_chunks`; recorded arrivals are replayed as they are. A recorded time
    in service is used where it is positive, otherwise one is drawn from the profile.
    """
    arrivals, services, dice = (np.random.default_rng(child) for child in seed.spawn(3))
    for arrival_s, recorded_s in _arrivals(trace, profile, arrivals, process):
        service_s = profile.service_time.sample(services, len(arrival_s))
        if recorded_s is not None:
            service_s = np.where(recorded_s > 0, recorded_s, service_s)
        choices = _NO_CHOICES
        if profile.balancer in _BALANCERS_WITH_DICE:
            choices = dice.integers(0, 1 << 62, len(arrival_s))
        # Nobody is served in no time at all: the least is one nanosecond.
        yield Batch(_to_ns(arrival_s), np.maximum(_to_ns(service_s), 1), choices)


def _arrivals(
    trace: RateTrace | RequestTrace,
    profile: ServiceProfile,
    rng: np.random.Generator,
    process: ArrivalProcess | None,
) -> Iterator[tuple[Floats, Floats | None]]:
    """Arrival times and, where the trace knows them, times in service."""
    if isinstance(trace, RateTrace):
        for chunk in arrival_chunks(trace, rng, process):
            yield chunk, None
        return
    recorded_s = recorded_service_s(trace, profile)
    for begin in range(0, len(trace.arrival_s), CHUNK_REQUESTS):
        cut = slice(begin, begin + CHUNK_REQUESTS)
        yield trace.arrival_s[cut], None if recorded_s is None else recorded_s[cut]


def recorded_service_s(trace: Trace, profile: ServiceProfile) -> Floats | None:
    """Times in service that a trace itself knows: recorded, or from its token counts; None if it does not.

    0 stands where a time was not recorded.
    """
    if not isinstance(trace, RequestTrace):
        return None
    if trace.service_s is not None:
        return trace.service_s
    if isinstance(profile.service_time, TokenTime) and trace.output_tokens is not None:
        inputs = np.zeros_like(trace.output_tokens) if trace.input_tokens is None else trace.input_tokens
        return profile.service_time.of_tokens(inputs, trace.output_tokens)
    return None


def with_measured_service(trace: Trace, profile: ServiceProfile) -> tuple[Trace, ServiceProfile]:
    """The trace with the times in service it knows, and the profile with them as a measured distribution.

    Policies and sizing then start from what the service really does. A trace that knows nothing, and its
    profile, come back as they are.
    """
    recorded_s = recorded_service_s(trace, profile)
    if not isinstance(trace, RequestTrace) or recorded_s is None or not (recorded_s > 0).any():
        return trace, profile
    known = recorded_s[recorded_s > 0]
    shares = (np.arange(MEASURED_QUANTILES) + 0.5) / MEASURED_QUANTILES
    values = np.quantile(known, shares) if len(known) > MEASURED_QUANTILES else known
    measured = Empirical(tuple(values.tolist()))
    return replace(trace, service_s=recorded_s), replace(profile, service_time=measured)


def _to_ns(seconds: Floats) -> NDArray[np.int64]:
    return np.rint(seconds * 1e9).astype(np.int64)


class Requests(Protocol):
    """What arrives at a simulated fleet."""

    def until(self, time_ns: int) -> list[Batch]:
        """The requests that arrive up to and including `time_ns` and were not handed out yet."""


class RequestStream:
    """Hands out requests up to a time, across the borders of batches."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._current = next(batches, None)
        self._position = 0

    def until(self, time_ns: int) -> list[Batch]:
        """The requests that arrive up to and including `time_ns` and were not handed out yet."""
        taken: list[Batch] = []
        while self._current is not None:
            arrivals, services, choices = self._current
            end = self._position + int(np.searchsorted(arrivals[self._position :], time_ns, "right"))
            if end > self._position:
                cut = slice(self._position, end)
                taken.append(Batch(arrivals[cut], services[cut], choices[cut]))
            if end < len(arrivals):
                self._position = end
                break
            self._current = next(self._batches, None)
            self._position = 0
        return taken
