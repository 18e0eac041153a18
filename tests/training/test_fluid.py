"""The fluid model: nothing is lost in it, more is more, and it agrees with the request-level engine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting.backtest import Backtest, policy_entries
from hindscale.core import Constant, Exponential, ServiceProfile, ServiceSpec, Slo
from hindscale.guardrails.stabilization import Stabilization
from hindscale.simulation.run import initial_replicas
from hindscale.sizing import share_within
from hindscale.traces import RateTrace, RequestTrace, application, read_trace
from hindscale.training.fleet import FluidFleet
from hindscale.training.fluid import FluidService, FluidState, advance, share_met
from strategies import profiles

SPEC = ServiceSpec(profile=ServiceProfile(cold_start=Constant(30.0)), slo=Slo(latency_s=2.0), max_replicas=50)


@given(profile=profiles, requests=st.lists(st.floats(0, 2000), min_size=1, max_size=12), targets=st.randoms())
def test_requests_are_served_dropped_or_waiting(profile: ServiceProfile, requests: list[float], targets) -> None:
    spec = ServiceSpec(profile=profile, slo=Slo(latency_s=2.0), max_replicas=30)
    service = FluidService.of(spec)
    state = FluidState(ready=2, starting=(0,) * service.start_steps)
    arrived = served = dropped = 0.0
    for count in requests:
        state, flow = advance(service, state, count)
        arrived, served, dropped = arrived + count, served + flow.served, dropped + flow.dropped
        assert 0 <= flow.met <= count + 1e-9
        assert flow.paid_replica_s >= 0
        size = targets.randrange(30)
        state = state.scaled_to(size)
        assert state.requested == size
    assert arrived == pytest.approx(served + dropped + state.queue, abs=1e-6 * (1 + arrived))


@given(rate=st.floats(0.1, 400), serving=st.integers(1, 40), wait=st.floats(0, 3))
def test_more_replicas_and_shorter_waits_never_miss_more(rate: float, serving: int, wait: float) -> None:
    service = FluidService.of(SPEC)
    share = share_met(service, serving, rate, wait, wait)
    assert 0 <= share <= 1
    assert share_met(service, serving + 1, rate, wait, wait) >= share - 1e-9
    assert share_met(service, serving, rate, wait / 2, wait / 2) >= share - 1e-9


@pytest.mark.parametrize(("slots", "rate_rps"), [(4, 6.0), (16, 34.0), (64, 150.0), (64, 155.0)])
def test_without_a_backlog_it_is_the_queueing_formula(slots: int, rate_rps: float) -> None:
    profile = ServiceProfile(slots=slots, service_time=Exponential(0.4))
    service = FluidService.of(ServiceSpec(profile=profile, slo=Slo(latency_s=1.0), control_interval_s=3600.0))
    exact = share_within(1.0, rate_rps, slots, profile.service_time)
    assert share_met(service, 1, rate_rps, 0.0, 0.0) == pytest.approx(exact, abs=0.01)


def test_a_start_takes_its_time_and_is_paid_for() -> None:
    service = FluidService.of(SPEC)  # 30 s are two intervals
    state = FluidState(ready=1, starting=(0, 0)).scaled_to(3)
    paid = []
    for _ in range(3):
        state, flow = advance(service, state, 0.0)
        paid.append(flow.paid_replica_s)
    assert paid == [45.0, 45.0, 45.0]
    assert (state.ready, state.starting) == (3, (0, 0))
    assert advance(service, FluidState(ready=1, starting=(0, 0)).scaled_to(3), 0.0)[0].ready == 1


def test_the_newest_starting_replicas_are_given_up_first() -> None:
    state = FluidState(ready=4, starting=(2, 3)).scaled_to(6)
    assert (state.ready, state.starting, state.draining) == (4, (0, 2), 0.0)
    state = FluidState(ready=4, starting=(2, 3)).scaled_to(1)
    assert (state.ready, state.starting, state.draining) == (1, (0, 0), 3)


def replayed(plan: Backtest) -> list[tuple[str, float, float, float, float]]:
    """Each policy's decisions in the engine, carried out once more in the fluid: costs and attainments of both."""
    found = []
    (trace, spec) = next(iter(plan.prepared.values()))
    assert isinstance(trace, (RateTrace, RequestTrace))
    for run in plan.runs:
        outcome = plan.perform(run, with_ticks=True)
        assert outcome.ticks is not None
        arrived = outcome.ticks.arrived.astype(float).tolist()
        fleet = FluidFleet(spec, arrived, initial_replicas=initial_replicas(trace, spec, plan.settings))
        for tick, target in enumerate(outcome.ticks.target):
            fleet.observe(15.0 * (tick + 1))
            fleet.scale_to(int(target))
        cost = math.fsum(flow.paid_replica_s for flow in fleet.flows) / 3600 * spec.profile.price_per_replica_hour
        attained = math.fsum(flow.met for flow in fleet.flows) / outcome.scores.requests
        label = plan.policies[run.entry].label
        found.append((label, outcome.scores.cost, cost, outcome.scores.slo_attainment, attained))
    return found


POLICIES = ("target-tracking", "utilization", "predictive", "predictive:alpha=0.6")


def test_it_agrees_with_the_engine_on_a_synthetic_day() -> None:
    chatbot = application("chatbot")
    plan = Backtest(
        traces=(chatbot.generate(),),
        policies=policy_entries(POLICIES),
        service=chatbot.service,
        slo=chatbot.slo,
        guardrails=(Stabilization(),),
        seeds=1,
    )
    for label, cost, fluid_cost, attained, fluid_attained in replayed(plan):
        assert fluid_cost == pytest.approx(cost, rel=0.02), label
        assert fluid_attained == pytest.approx(attained, abs=0.01), label


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("twitter_2021_d01_11", 0),
        ("azure_functions_2019_bd33ce4b", 2),
        ("azure_functions_2019_e369a477", 2),
        ("nasa_http_jul95", 3),
        ("worldcup98_may01_jun14", 20),
    ],
)
def test_it_agrees_with_the_engine_on_recorded_days(real_traces: Path, name: str, day: int) -> None:
    trace = read_trace(real_traces / f"{name}.parquet")
    assert isinstance(trace, (RateTrace, RequestTrace))
    plan = Backtest(
        traces=(trace.between(day * 86_400.0, (day + 1) * 86_400.0),),
        policies=policy_entries(POLICIES),
        service=ServiceProfile(queue_timeout_s=60.0),
        guardrails=(Stabilization(),),
        seeds=1,
    )
    for label, cost, fluid_cost, attained, fluid_attained in replayed(plan):
        assert fluid_cost == pytest.approx(cost, rel=0.02), label
        assert fluid_attained == pytest.approx(attained, abs=0.01), label
