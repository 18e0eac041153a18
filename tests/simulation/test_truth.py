"""The simulator against queueing theory: waiting times within the confidence interval of the exact ones.

Each simulation has a fixed seed and many independent runs; the theoretical mean must lie within the 99.9 %
confidence interval of the simulated one, so that a correct simulator fails one check in a thousand, and a
fixed seed never again.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hindscale.core import Constant, Distribution, Exponential, Lognormal, ServiceProfile, ServiceSpec, Slo
from hindscale.core.service import Balancer
from hindscale.guardrails.bounds import Bounds
from hindscale.policies.fixed import Fixed
from hindscale.scoring.record import RunRecord
from hindscale.simulation import SimulationSettings, simulate
from hindscale.sizing import erlang_c
from hindscale.traces import RateTrace

RUNS = 20
REQUESTS = 40_000


def run(
    rate_rps: float,
    service_time: Distribution,
    *,
    servers: int = 1,
    slots: int = 1,
    balancer: Balancer = Balancer.CENTRAL_QUEUE,
    seed: int = 0,
    interval_s: float = 60.0,
    requests: int = REQUESTS,
) -> RunRecord:
    """Poisson arrivals at a fixed fleet, all of it warm."""
    window_s = max(interval_s, requests / rate_rps / 100)
    trace = RateTrace(name="poisson", window_s=window_s, requests=np.full(100, rate_rps * window_s))
    profile = ServiceProfile(slots=slots, service_time=service_time, cold_start=Constant(0.0), balancer=balancer)
    spec = ServiceSpec(
        profile=profile,
        slo=Slo(latency_s=1e4),
        control_interval_s=interval_s,
        min_replicas=servers,
        max_replicas=servers,
    )
    settings = SimulationSettings(initial_replicas=servers)
    bounds = (Bounds(min_replicas=servers, max_replicas=servers),)
    return simulate(trace, spec, Fixed(replicas=servers), bounds, seed=seed, settings=settings)


def assert_mean_is(samples: list[float], expected: float) -> None:
    mean, spread = np.mean(samples), np.std(samples, ddof=1) / math.sqrt(len(samples))
    half_width = stats.t.ppf(0.9995, len(samples) - 1) * spread
    assert abs(mean - expected) <= half_width, f"{mean:.5f} ± {half_width:.5f}, theory says {expected:.5f}"
    assert half_width < 0.1 * expected, "the interval is too wide to mean anything"


@pytest.mark.parametrize(("servers", "slots", "rho"), [(1, 1, 0.5), (1, 1, 0.8), (4, 1, 0.8), (1, 4, 0.8), (5, 5, 0.9)])
def test_waiting_in_mmc_agrees_with_erlang_c(servers: int, slots: int, rho: float) -> None:
    mean_s, total = 0.1, servers * slots
    rate_rps = rho * total / mean_s
    # W_q = C(c, a) / (c mu - lambda)
    expected = erlang_c(total, rho * total) / (total / mean_s - rate_rps)
    waits = [
        run(rate_rps, Exponential(mean_s), servers=servers, slots=slots, seed=seed).mean_latency_s - mean_s
        for seed in range(RUNS)
    ]
    assert_mean_is(waits, expected)


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_waiting_in_md1_agrees_with_pollaczek_and_khinchine(rho: float) -> None:
    service_s = 0.1
    # W_q = rho s / (2 (1 - rho)) for constant service
    expected = rho * service_s / (2 * (1 - rho))
    waits = [run(rho / service_s, Constant(service_s), seed=seed).mean_latency_s - service_s for seed in range(RUNS)]
    assert_mean_is(waits, expected)


def test_waiting_in_mg1_agrees_with_pollaczek_and_khinchine() -> None:
    service, rho = Lognormal(mean_s=0.1, cv=1.2), 0.6
    # W_q = rho s (1 + cv^2) / (2 (1 - rho)); the drawn service time varies too, so compare whole latencies.
    expected = rho * 0.1 * (1 + 1.2**2) / (2 * (1 - rho)) + 0.1
    assert_mean_is([run(rho / 0.1, service, seed=seed).mean_latency_s for seed in range(RUNS)], expected)


def test_random_balancing_makes_independent_queues() -> None:
    # Poisson arrivals split at random are Poisson again: each of 8 replicas is an M/M/1 at rho = 0.7.
    mean_s, rho = 0.1, 0.7
    expected = mean_s / (1 - rho)
    latencies = [
        run(8 * rho / mean_s, Exponential(mean_s), servers=8, balancer=Balancer.RANDOM, seed=seed).mean_latency_s
        for seed in range(RUNS)
    ]
    assert_mean_is(latencies, expected)


def test_latency_distribution_of_mm1_is_exponential() -> None:
    # T ~ Exp(mu - lambda): its quantiles are -ln(1 - q) / (mu - lambda).
    from hindscale.scoring import quantile_s

    record = run(5.0, Exponential(0.1), requests=400_000)
    for share in (0.5, 0.9, 0.99):
        assert quantile_s(record.histogram.sum(axis=0), share) == pytest.approx(-math.log(1 - share) / 5.0, rel=0.03)


@pytest.mark.parametrize("balancer", list(Balancer))
def test_littles_law_holds(balancer: Balancer) -> None:
    """L = lambda W: the mean number in the system, sampled at ticks, against the mean latency."""
    samples = []
    for seed in range(RUNS):
        record = run(30.0, Exponential(0.1), servers=4, balancer=balancer, seed=seed, interval_s=0.5, requests=15_000)
        ticks = record.ticks
        in_service = ticks.busy_slot_s / record.interval_s
        number = float(np.mean(in_service) + np.mean(ticks.queued))
        arrived = ticks.arrived.sum() / (len(ticks) * record.interval_s)
        samples.append(number / (arrived * record.mean_latency_s))
    assert_mean_is(samples, 1.0)


@pytest.mark.parametrize("rho", [0.3, 0.75])
def test_busy_time_is_offered_load(rho: float) -> None:
    samples = []
    for seed in range(RUNS):
        ticks = run(rho * 4 / 0.1, Exponential(0.1), servers=4, seed=seed).ticks
        samples.append(float(ticks.busy_slot_s.sum() / ticks.serving_slot_s.sum()))
    assert_mean_is(samples, rho)
