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
    assert found.arrived.tolist() == [2, 2, 2, 2, 3, 4, 4, 4, 4, 5]  # by 3 s, 6 s, ...
    assert found.due.tolist() == [1, 2, 2, 2, 2, 3, 4, 4, 4, 4]  # what came before 1 s, 4 s, ...
    assert found.must_start.tolist() == [2, 2, 2, 2, 2, 4, 4, 4, 4, 4]  # a second of the two is for the service
    problem = fluid_problem(found, spec, ready_at_start=1)
    assert (problem.arrived.tolist(), problem.due.tolist()) == ([3, 5], [2, 4])  # by the end of each step
    assert (found.count, found.mean_service_s, found.share_in_time) == (5, 1.0, 1.0)


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


def test_slow_requests_make_an_slo_infeasible(rising: RateTrace) -> None:
    plan = Backtest(traces=(rising,), policies=policy_entries(("optimum",)), service=SERVICE, slo=Slo(latency_s=2.0))
    trace, spec = plan.prepared["rising"]
    slow = replace(Requests.of(plan, trace, spec, 0), share_in_time=0.97)
    with pytest.raises(ParameterError, match=r"no fleet can keep p99 < 2s: without any wait 97\.00% of the requests"):
        fluid_problem(slow, spec, ready_at_start=1)


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
