from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hasty import Hasty, Many
from hindscale.backtesting import Backtest, PolicyEntry, backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.core import Balancer, ParameterError, ServiceProfile, Slo
from hindscale.guardrails.cooldown import Cooldown
from hindscale.policies.fixed import Fixed
from hindscale.policies.target_tracking import TargetTracking
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, application

SLO = Slo(latency_s=2.0)


def plan(trace: Any, *policies: Any, **given: Any) -> Backtest:
    return Backtest(traces=(trace,), policies=policy_entries(policies or ("predictive",)), slo=SLO, **given)


def test_names_repeated_are_told_apart_by_their_parameters() -> None:
    entries = policy_entries(
        ("predictive", "utilization:upper=0.7", "utilization", TargetTracking(target_per_replica=2))
    )
    assert [entry.label for entry in entries] == [
        "predictive",
        "utilization:upper=0.7",
        "utilization",
        "target-tracking",
    ]


def test_every_cell_is_run_first_seeds_first(rising: RateTrace) -> None:
    runs = plan(rising, "fixed", "predictive", seeds=2, first_seed=7).runs
    assert [(run.entry, run.seed) for run in runs] == [(0, 7), (1, 7), (0, 8), (1, 8)]


def test_bounds_follow_from_the_peak_unless_they_are_given(rising: RateTrace) -> None:
    # The peak is 5 a second; a replica of the general service sustains 8.29: one replica, so the least of 10.
    spec = plan(rising).prepared["rising"][1]
    assert (spec.peak_rate_rps, spec.max_replicas) == (5.0, 10)
    assert plan(rising, max_replicas=3).prepared["rising"][1].max_replicas == 3
    busy = RateTrace(name="busy", window_s=60.0, requests=np.full(5, 60_000.0))
    # 1000 a second: 121 replicas, times two.
    assert plan(busy).prepared["busy"][1].max_replicas == 242


def test_a_fleet_stays_within_its_bounds(rising: RateTrace) -> None:
    one = plan(rising, "target-tracking", min_replicas=2, max_replicas=3, service=ServiceProfile(slots=1))
    ticks = one.perform(one.runs[0], with_ticks=True).ticks
    assert ticks is not None
    assert set(ticks.target.tolist()) == {2, 3}
    assert "bounds" in ",".join(ticks.limited_by)


def test_policies_know_the_service_times_that_the_trace_knows() -> None:
    trace = RequestTrace(name="r", arrival_s=np.arange(100.0), service_s=np.full(100, 0.1))
    spec = plan(trace).prepared["r"][1]
    assert spec.profile.service_time.mean_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"traces": ()}, "at least one trace"),
        ({"policies": ()}, "at least one policy"),
        ({"seeds": 0}, "seeds must be a whole number >= 1"),
        ({"policies": policy_entries(("fixed", "fixed"))}, "'fixed' appears twice"),
        ({"policies": policy_entries(("utilization:upper=0.2",))}, "lower must be <= upper"),
        ({"slo": Slo(latency_s=0.01)}, "cannot be met by any fleet"),
        ({"min_replicas": 9, "max_replicas": 3}, "min_replicas must be <= max_replicas"),
    ],
)
def test_mistakes_show_before_the_first_run(rising: RateTrace, given: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {"traces": (rising,), "policies": policy_entries(("predictive",)), "slo": SLO, **given}
    with pytest.raises(ParameterError, match=message):
        Backtest(**values)


def test_utilization_is_refused_with_the_way_out() -> None:
    with pytest.raises(ParameterError, match="convert it with `hindscale traces convert --full-load-rps"):
        plan(UtilizationTrace(name="cpu", window_s=60.0, utilization=np.array([0.5])))


def test_an_application_brings_its_service_and_slo() -> None:
    trace = application("driving").generate(days=0.02)
    result = backtest(trace, ["fixed"], seeds=1)
    assert result.backtest.service.balancer is Balancer.CENTRAL_QUEUE
    assert str(result.backtest.slo) == "p99.9 < 150ms"


def test_tokens_call_for_a_language_model() -> None:
    rng = np.random.default_rng(0)
    trace = RequestTrace(
        name="llm",
        arrival_s=np.sort(rng.uniform(0, 300, 200)),
        input_tokens=rng.integers(1, 2000, 200).astype(float),
        output_tokens=rng.integers(1, 300, 200).astype(float),
    )
    result = backtest(trace, ["fixed"], seeds=1)
    assert result.backtest.service.name == "language-model"


def test_different_assumptions_cannot_be_mixed(rising: RateTrace) -> None:
    with pytest.raises(ParameterError, match=r"the traces call for different services \(driving, model-server\)"):
        backtest([application("driving").generate(days=0.02), rising], ["fixed"])


def test_finished_policies_and_guardrails_are_taken_as_they_are(rising: RateTrace) -> None:
    result = backtest(rising, [Fixed(replicas=2)], guardrails=(Cooldown(),), seeds=1, slo="p99 < 2s")
    row = result.traces[0].rows[0]
    assert (row.policy, row.hindsight, row.mean("mean_replicas")) == ("fixed", False, pytest.approx(2.0, rel=0.2))


def test_a_policy_may_bring_its_own_pace_and_limits(rising: RateTrace) -> None:
    both = plan(rising, Fixed(replicas=2), Hasty(), guardrails=(Cooldown(up_s=3600, down_s=3600),), seeds=1)
    fixed, hasty = (both.perform(run, with_ticks=True).ticks for run in both.runs)
    assert fixed is not None
    assert hasty is not None
    assert (fixed.time_s[:2].tolist(), hasty.time_s[:2].tolist()) == ([15, 30], [5, 10])
    assert (len(fixed), len(hasty)) == (40, 120)
    assert hasty.target[:4].tolist() == [1, 2, 1, 2]
    assert set(hasty.limited_by) == {""}
    assert both.policies[1].interval_s(both.prepared["rising"][1]) == 5.0


def test_a_policy_with_limits_of_its_own_is_not_cut_by_bounds_that_nobody_asked_for(rising: RateTrace) -> None:
    many = Many()
    free = plan(rising, many, seeds=1)
    assert free.prepared["rising"][1].max_replicas == 10
    ticks = free.perform(free.runs[0], with_ticks=True).ticks
    assert ticks is not None
    assert set(ticks.target.tolist()) == {0, 30}
    bound = plan(rising, many, seeds=1, max_replicas=4)
    ticks = bound.perform(bound.runs[0], with_ticks=True).ticks
    assert ticks is not None
    assert set(ticks.target.tolist()) == {0, 4}


def test_a_trace_without_requests_is_refused() -> None:
    with pytest.raises(ParameterError, match="silent: holds no requests"):
        plan(RateTrace(name="silent", window_s=60.0, requests=np.zeros(5)))


def test_outcomes_are_reported_as_they_come(rising: RateTrace) -> None:
    seen = []
    backtest(rising, ["fixed", "predictive"], seeds=2, jobs=1, slo="p99 < 2s", on_outcome=seen.append)
    assert len(seen) == 4


def test_entries_build_policies_for_the_service_at_hand(rising: RateTrace) -> None:
    spec = plan(rising).prepared["rising"][1]
    assert PolicyEntry(label="x", text="fixed:replicas=4").build(spec) == Fixed(replicas=4)
    assert PolicyEntry(label="x", text="fixed").knows_the_future(spec)
    assert not PolicyEntry(label="x", text="predictive").knows_the_future(spec)
