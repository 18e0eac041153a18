"""Perfect foresight: no policy gets below its bound, and what it achieves keeps the SLO."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.backtesting import Backtest, backtest, policy_entries
from hindscale.backtesting.assumptions import assumed_service
from hindscale.backtesting.optimum import Foresight, Requests, fluid_problem
from hindscale.core import Constant, Observation, ParameterError, ResourceRequest, ServiceProfile, Slo
from hindscale.simulation import Cluster, NodePool, SimulationSettings, VerticalAutoscaler
from hindscale.traces import RateTrace, RequestTrace, read_trace

SERVICE = ServiceProfile(slots=2, service_time=Constant(1.0), cold_start=Constant(30.0), price_per_replica_hour=3.6)


NEEDS_A_GPU = replace(SERVICE, resource_request=ResourceRequest(accelerators=1))
CLUSTER = Cluster(pools=(NodePool(name="gpu", cpu_cores=8, memory_gib=64, accelerators=1),))
SAYS_WHAT_IT_USES = replace(SERVICE, resource_request=ResourceRequest(cpu_cores=1))
VERTICAL = VerticalAutoscaler(controlled_resources=("cpu",))


def seen(time_s: float) -> Observation:
    return Observation(time_s=time_s, ready_replicas=1, measured_at_s=time_s, arrival_rate_rps=0.0)


def test_replicas_are_ordered_a_start_ahead() -> None:
    schedule = Foresight(ready=(1, 1, 1, 4, 2, 2), lead_steps=2)
    state, orders = schedule.initial_state(), []
    for tick in range(1, 7):
        decision, state = schedule.decide(seen(15.0 * tick), state)
        orders.append(decision.desired_replicas)
    # At the first tick the second step begins; the four are wanted two steps later.
    assert orders == [4, 4, 4, 2, 2, 2]


def test_the_fluid_sees_the_very_requests_of_the_seed() -> None:
    trace = RequestTrace(name="r", arrival_s=np.array([0.0, 1.0, 14.0, 16.0, 29.5]))
    plan = Backtest(traces=(trace,), policies=policy_entries(("optimum",)), service=SERVICE, slo=Slo(latency_s=2.0))
    trace, spec = plan.prepared["r"]
    found = Requests.of(plan, trace, spec, 0)
    assert found.in_time.arrived.tolist() == [2, 2, 2, 2, 3, 4, 4, 4, 4, 5]  # by 3 s, 6 s, ...
    assert found.in_time.due.tolist() == [1, 2, 2, 2, 2, 3, 4, 4, 4, 4]  # what came before 1 s, 4 s, ...
    assert found.everything.due.tolist() == [2, 2, 2, 2, 2, 4, 4, 4, 4, 4]  # a second of the two is for the service
    assert found.in_time.gone.tolist() == [0] * 10
    problem = fluid_problem(found, spec, ready_at_start=1)
    assert (problem.arrived.tolist(), problem.due.tolist()) == ([3, 5], [2, 4])  # by the end of each step
    assert (found.count, found.mean_service_s, found.share_in_time) == (5, 1.0, 1.0)


def test_a_slow_request_counts_as_several_and_one_that_cannot_be_in_time_not_at_all() -> None:
    trace = RequestTrace(name="r", arrival_s=np.array([0.0, 4.0, 7.0, 10.0]), service_s=np.array([0.5, 1.5, 9.0, 1.0]))
    plan = Backtest(
        traces=(trace,), policies=policy_entries(("optimum",)), service=SERVICE, slo=Slo(latency_s=2.0, percentile=0.5)
    )
    trace, spec = plan.prepared["r"]
    found = Requests.of(plan, trace, spec, 0)
    assert (found.count, found.mean_service_s, found.share_in_time) == (4, 1.0, 0.75)
    assert found.in_time.arrived.tolist() == pytest.approx([0.5, 2, 2, 3, 3])
    assert found.everything.arrived.tolist() == pytest.approx([0.5, 2, 11, 12, 12])
    # Two of four may be missed, and the third is in any case; the longest of the others takes 1.5 s.
    assert found.missed_at_most == pytest.approx(1.5, rel=0.011)


def recorded(name: str, rng: np.random.Generator) -> RequestTrace:
    """Requests for which a mean of all of them says little."""
    if name == "short ones, then long ones":  # never more than 2.8 of 4 slots are busy
        rates, times_s = [28.0, 2.8] * 6, [0.1, 1.0] * 6
        arrival_s = [600.0 * i + np.sort(rng.uniform(0, 600, int(600 * rate))) for i, rate in enumerate(rates)]
        service_s = np.concatenate([np.full(len(a), t) for a, t in zip(arrival_s, times_s, strict=True)])
        return RequestTrace(name="r", arrival_s=np.concatenate(arrival_s), service_s=service_s)
    arrivals = np.sort(rng.uniform(0, 3600, 7200))
    return RequestTrace(name="r", arrival_s=arrivals, service_s=np.where(rng.random(7200) < 0.02, 60.0, 0.5))


@pytest.mark.parametrize("name", ["short ones, then long ones", "a few that nobody can serve in time"])
def test_the_bound_holds_where_the_mean_time_in_service_says_little(name: str) -> None:
    trace = recorded(name, np.random.default_rng(1))
    service = replace(SERVICE, slots=4, cold_start=Constant(30.0))
    policies = ["optimum", *(f"fixed:replicas={n}" for n in (1, 2, 3))]
    rows = backtest(trace, policies, service=service, slo="p95 < 2s", seeds=1, jobs=1, max_replicas=4).traces[0].rows
    best = next(row for row in rows if row.policy == "optimum")
    assert best.meets_slo
    assert best.least_cost is not None
    for row in rows:
        assert not row.meets_slo or row.mean("cost") >= best.least_cost * (1 - 1e-9)


def test_the_bound_knows_that_some_give_up() -> None:
    trace = RequestTrace(name="even", arrival_s=np.arange(0, 3600, 1 / 10.25))
    service = replace(SERVICE, slots=4, service_time=Constant(0.4), cold_start=Constant(60.0), queue_timeout_s=1.0)
    rows = (
        backtest(
            trace, ["optimum", "fixed:replicas=1"], service=service, slo="p95 < 2s", seeds=1, jobs=1, max_replicas=4
        )
        .traces[0]
        .rows
    )
    best, one = (next(row for row in rows if row.name == name) for name in ("optimum", "fixed"))
    assert one.meets_slo
    assert best.least_cost is not None
    assert best.least_cost <= one.mean("cost")


def test_foresight_finds_a_fleet_where_there_is_one() -> None:
    trace = RequestTrace(name="rare", arrival_s=np.arange(0.0, 7200, 120), service_s=np.full(60, 38.0))
    service = replace(SERVICE, slots=1, cold_start=Constant(1.0))
    rows = (
        backtest(trace, ["optimum"], service=service, slo="p90 < 60s", seeds=1, jobs=1, min_replicas=0, max_replicas=3)
        .traces[0]
        .rows
    )
    assert rows[0].meets_slo
    assert rows[0].mean("cost") < 2 * 3.6  # less than a replica all the time


@settings(max_examples=8)
@given(requests=st.lists(st.integers(0, 240), min_size=5, max_size=12), seed=st.integers(0, 3))
def test_no_policy_that_keeps_the_slo_pays_less_than_the_bound(requests: list[int], seed: int) -> None:
    trace = RateTrace(name="t", window_s=60.0, requests=np.array(requests, float) + 1)
    policies = ["optimum", "fixed", "predictive", "target-tracking", "utilization", "knative", "hpa"]
    result = backtest(
        trace, policies, service=SERVICE, slo="p90 < 4s", seeds=1, first_seed=seed, jobs=1, max_replicas=20
    )
    rows = {row.policy: row for row in result.traces[0].rows}
    least = rows["optimum"].least_cost
    assert least is not None
    for row in rows.values():
        assert row.least_cost is None or row.policy == "optimum"
        if row.meets_slo:
            assert row.mean("cost") >= least * (1 - 1e-9), row.policy


def test_what_it_achieves_is_a_yardstick_in_the_table_and_the_verdict(rising: RateTrace) -> None:
    result = backtest(rising, ["optimum", "target-tracking"], service=SERVICE, slo="p90 < 4s", seeds=2, jobs=1)
    rows = {row.policy: row for row in result.traces[0].rows}
    best, other = rows["optimum"], rows["target-tracking"]
    assert best.hindsight
    assert best.meets_slo
    assert best.least_cost is not None
    assert best.least_cost <= best.mean("cost") <= other.mean("cost")
    share = other.mean("cost") / best.mean("cost")
    assert f"that is {share:.2f} times what perfect foresight paid" in result.traces[0].verdict()
    assert result.to_dict()["traces"][0]["policies"][0]["least_cost"] == best.least_cost
    assert "optimum (hindsight)" in result.table()


def test_the_optimum_runs_first_since_it_takes_longest_and_may_say_no(rising: RateTrace) -> None:
    plan = Backtest(traces=(rising,), policies=policy_entries(("fixed", "predictive", "optimum")), seeds=2)
    assert [(run.seed, run.entry) for run in plan.runs] == [(0, 2), (0, 0), (0, 1), (1, 2), (1, 0), (1, 1)]


def test_foresight_may_go_to_zero_where_the_fleet_may() -> None:
    requests = np.zeros(30)
    requests[20] = 60
    trace = RateTrace(name="rare", window_s=60.0, requests=requests)
    settings = SimulationSettings(initial_replicas=0)
    least = {}
    for low in (0, 1):
        result = backtest(
            trace, ["optimum"], service=SERVICE, slo="p90 < 4s", seeds=1, jobs=1, min_replicas=low, settings=settings
        )
        least[low] = result.traces[0].rows[0].mean("cost")
    assert least[0] < least[1] / 3


def test_slow_requests_make_an_slo_infeasible() -> None:
    service_s = np.where(np.arange(1000) % 100 < 3, 5.0, 0.5)
    trace = RequestTrace(name="slow", arrival_s=np.arange(1000.0), service_s=service_s)
    plan = Backtest(
        traces=(trace,), policies=policy_entries(("optimum",)), service=SERVICE, slo=Slo(latency_s=2.0), max_replicas=9
    )
    with pytest.raises(ParameterError, match=r"no fleet can keep p99 < 2s: without any wait 97\.00% of the requests"):
        plan.perform(plan.runs[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"policies": ["optimum:alpha=1"]}, "optimum has no parameters, was given alpha"),
        ({"settings": SimulationSettings(warm_up_s=60.0)}, "warm_up_s must be 0, was 60"),
        ({"service": ServiceProfile(mean_time_to_failure_s=3600.0)}, "optimum knows no failures"),
        ({"settings": SimulationSettings(cluster=CLUSTER), "service": NEEDS_A_GPU}, "optimum knows no nodes"),
        (
            {"settings": SimulationSettings(vertical=VERTICAL), "service": SAYS_WHAT_IT_USES},
            "optimum knows no evictions: leave out the vertical autoscaler",
        ),
        ({"max_replicas": 1}, "even all 1 replicas all the time miss"),
    ],
)
def test_what_the_bound_does_not_hold_for_is_refused(rising: RateTrace, given: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        backtest(
            rising, **{"policies": ["optimum"], "service": SERVICE, "slo": "p90 < 4s", "seeds": 1, "jobs": 1, **given}
        )


@pytest.mark.parametrize(
    ("name", "begin", "end"),  # hours
    [
        ("azure_llm_2023_conv", 0, 1),
        ("servegen_m_small", 0, 0.5),
        ("alibaba_genai_sd_nov", 276, 288),
        ("nasa_http_jul95", 0, 12),
        ("twitter_2021_d01_11", 0, 3),
        ("worldcup98_may01_jun14", 0, 6),
        ("azure_functions_2019_bd33ce4b", 0, 6),
        ("azure_functions_2019_e369a477", 0, 12),
    ],
)
def test_on_recorded_traffic_nobody_does_better(real_traces: Path, name: str, begin: float, end: float) -> None:
    trace = read_trace(real_traces / f"{name}.parquet").between(begin * 3600, end * 3600)
    service, slo = assumed_service([trace])
    if name == "alibaba_genai_sd_nov":
        slo = Slo(latency_s=120.0, percentile=0.95)  # pictures take 7 to 72 s
    policies = ["optimum", "hpa:target=90", "knative", "target-tracking", "predictive", "utilization", "fixed"]
    rows = backtest(trace, policies, service=service, slo=slo, seeds=1, jobs=1).traces[0].rows
    best = next(row for row in rows if row.policy == "optimum")
    assert best.meets_slo
    assert best.least_cost is not None
    assert best.least_cost <= best.mean("cost")
    for row in rows:
        if row.meets_slo:
            assert row.mean("cost") >= best.mean("cost") * 0.999, (
                row.policy
            )  # the run of one that decides every 2 s ends sooner
