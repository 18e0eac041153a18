"""Drawing requests: single arrivals from rates, and times in service beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from _measuring import Figure, best_cpu_s
from hindscale.core.distributions import Exponential, Lognormal
from hindscale.core.service import ServiceProfile
from hindscale.simulation.workload import request_batches
from hindscale.traces.arrivals import ArrivalProcess, arrival_chunks
from hindscale.traces.types import RateTrace

__all__ = ["TITLE", "measure"]

TITLE = "Drawing requests, for each of them"
PROCESSES = {
    "arrivals, Poisson": ArrivalProcess(),
    "arrivals, gamma-modulated every second": ArrivalProcess(burstiness=0.5),
    "arrivals, Poisson, linear between windows": ArrivalProcess(interpolation="linear"),
}
SERVICES = {
    "arrivals and exponential service": ServiceProfile(service_time=Exponential(0.4)),
    "arrivals and lognormal service": ServiceProfile(service_time=Lognormal(mean_s=0.4, cv=0.5)),
}


def measure(*, quick: bool) -> Iterator[Figure]:
    hours = 2 if quick else 24
    wave = 1 + 0.6 * np.sin(2 * np.pi * np.arange(hours * 60) / 1440)
    trace = RateTrace(name="arrivals", window_s=60.0, requests=wave * 50 * 60)
    for name, process in PROCESSES.items():
        yield _figure(name, partial(_draw, trace, process), trace, quick=quick)
    for name, profile in SERVICES.items():
        yield _figure(name, partial(_draw_all, trace, profile), trace, quick=quick)


def _figure(name: str, draw: Callable[[], None], trace: RateTrace, *, quick: bool) -> Figure:
    seconds = best_cpu_s(draw, rounds=2 if quick else 7)
    return Figure(name=name, value=seconds / trace.total_requests * 1e9, unit="ns")


def _draw(trace: RateTrace, process: ArrivalProcess) -> None:
    for _ in arrival_chunks(trace, np.random.default_rng(0), process):
        pass


def _draw_all(trace: RateTrace, profile: ServiceProfile) -> None:
    for _ in request_batches(trace, profile, np.random.SeedSequence(0)):
        pass
