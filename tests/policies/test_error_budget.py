from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hindscale.backtesting.backtest import Backtest, Run, policy_entries
from hindscale.core import Constant, Lognormal, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.core.state import from_plain, to_plain
from hindscale.policies import build_policy
from hindscale.policies._rules import FIRST_RULE, RULES, describe, is_forecast, rates_to_serve
from hindscale.policies.error_budget import ErrorBudgetPolicy, ErrorBudgetState
from hindscale.testing import PolicyContract, observation
from hindscale.traces import RateTrace, read_trace

# Eight requests a second and replica: two slots, a quarter of a second each.
SPEC = ServiceSpec(
    profile=ServiceProfile(slots=2, service_time=Constant(0.25), cold_start=Constant(60.0)),
    slo=Slo(latency_s=2.0),
    max_replicas=100,
    peak_rate_rps=80.0,
)


def built(spec: ServiceSpec = SPEC, **given: Any) -> ErrorBudgetPolicy:
    policy = build_policy("error-budget", spec, given)
    assert isinstance(policy, ErrorBudgetPolicy)
    return policy


def walked(
    policy: ErrorBudgetPolicy,
    rates: Sequence[float],
    *,
    attainment: float = 1.0,
    state: ErrorBudgetState | None = None,
    start_ticks: int = 0,
) -> tuple[list[int], list[str], ErrorBudgetState]:
    """Decisions under these rates, by a fleet that serves everything and whose replicas take so many ticks to start."""
    state, ready, wanted, reasons = state or policy.initial_state(), 5, list[int](), list[str]()
    due: list[int] = []
    begin = len(state.rates)
    for tick, rate_rps in enumerate(rates, start=begin + 1):
        ready += sum(each <= tick for each in due)
        due = [each for each in due if each > tick]
        seen = observation(
            15.0 * tick,
            ready,
            starting_replicas=len(due),
            arrival_rate_rps=rate_rps,
            completion_rate_rps=rate_rps,
            ongoing_requests=rate_rps * 0.25,
            slo_attainment=attainment,
        )
        decision, state = policy.decide(seen, state)
        wanted.append(decision.desired_replicas)
        reasons.append(decision.reason)
        change = wanted[-1] - ready - len(due)
        if change > 0 and start_ticks:
            due += [tick + start_ticks] * change
        else:
            due = due[: len(due) + change] if -change < len(due) else []
            ready = wanted[-1] - len(due)
    return wanted, reasons, state


class TestContractWithAForecast(PolicyContract):
    def policies(self) -> Sequence[Policy[Any]]:
        return [built(forecaster="trend", window_s=15.0)]


def test_the_peak_of_the_recording_is_not_known_to_it() -> None:
    assert built().spec.peak_rate_rps is None


def test_at_first_it_follows_one_cautious_rule() -> None:
    # 1.3 * 40/s / 8/s, and for chance ln(100) * 0.25 / 2 / 1.75 = 0.33 slots = 0.16 replicas: 6.66.
    wanted, reasons, state = walked(built(), [40.0] * 20)
    assert wanted[-1] == 7
    assert state.rule == FIRST_RULE
    assert reasons[-1].startswith("1.3 times the highest of 10min")


def test_on_steady_traffic_it_finds_the_level_that_just_suffices() -> None:
    wanted, reasons, _ = walked(built(), [39.0] * 400)
    # 39/s are 4.875 replicas: with the spare slots 5.04 at level 1, so a level below 1 saves the sixth.
    assert wanted[-1] == 5
    assert "rehearsed misses 0.00%" in reasons[-1]


def test_after_it_missed_too_much_it_allows_itself_less() -> None:
    kept, missing = walked(built(), [40.0] * 200), walked(built(), [40.0] * 200, attainment=0.95)
    forgiven = 0.01
    assert kept[2].budget.share(forgiven) > forgiven > missing[2].budget.share(forgiven)


def test_who_waits_is_served_within_an_interval_whatever_the_rule() -> None:
    policy = built()
    _, _, state = walked(policy, [40.0] * 20)
    seen = observation(315.0, 7, arrival_rate_rps=40.0, ongoing_requests=14.0, queued_requests=1200.0)
    # 1200 / (8/s * 15 s) = 10 more than the 6.66 without a queue.
    assert policy.decide(seen, state)[0].desired_replicas == 17


def test_no_traffic_wants_no_replicas_where_none_may_be() -> None:
    asleep = built(replace(SPEC, min_replicas=0))
    wanted, _, state = walked(asleep, [0.0] * 6000)
    assert wanted[-1] == 0
    assert walked(asleep, [3.0], state=state)[0][0] >= 1


def test_a_step_that_comes_every_two_hours_is_ordered_for_before_it_comes() -> None:
    """From 20 to 80 requests a second for an hour; a start takes five minutes, far too long to be missed each time."""
    spec = replace(SPEC, profile=replace(SPEC.profile, cold_start=Constant(300.0)))
    cycle = [20.0] * 240 + [80.0] * 240
    policy = built(spec, forecaster="profile(season_windows=120,smooth_windows=0,weight=1.0)")
    wanted, reasons, _ = walked(policy, cycle * 15, start_ticks=20)
    step = 14 * 480 + 240
    assert "forecast on" in reasons[step - 5]
    assert wanted[step - 5] >= 9
    assert wanted[step - 100] <= 4


def test_a_forecast_of_noise_is_switched_off_and_the_reason_says_so() -> None:
    rates = np.random.default_rng(2).gamma(20.0, 2.0, 3000).tolist()
    _, reasons, state = walked(built(forecaster="last-value"), rates)
    assert not is_forecast(state.rule)
    assert "forecast off" in reasons[-1]


def test_where_replicas_fail_the_fleet_does_not_shrink_below_one_to_lose() -> None:
    fails = replace(SPEC, profile=replace(SPEC.profile, mean_time_to_failure_s=86400.0))
    wanted, reasons, _ = walked(built(fails), [39.0] * 400)
    assert wanted[-1] == 6
    assert "5 could not lose one" in reasons[-1]


def test_a_service_that_is_slower_than_was_said_gets_more_replicas() -> None:
    policy = built()
    state = policy.initial_state()
    for tick in range(1, 400):
        seen = observation(15.0 * tick, 7, arrival_rate_rps=40.0, completion_rate_rps=40.0, ongoing_requests=20.0)
        decision, state = policy.decide(seen, state)
    assert state.time_in_service.mean_s == pytest.approx(0.5, rel=0.02)
    assert decision.desired_replicas >= 10
    assert "time in service +100% of what was assumed" in decision.reason


def test_weeks_of_state_survive_a_restart() -> None:
    policy = built()
    rates = (40 + 20 * np.sin(np.arange(8000) / 900)).tolist()
    _, _, state = walked(policy, rates)
    resumed = from_plain(json.loads(json.dumps(to_plain(state), allow_nan=False)))
    assert resumed == state
    assert walked(policy, rates[:50], state=state)[0] == walked(policy, rates[:50], state=resumed)[0]


def test_each_rule_has_words_of_its_own() -> None:
    assert len({describe(rule) for rule in range(RULES)}) == RULES


def test_rules_that_look_ahead_take_the_present_where_nothing_is_forecast() -> None:
    state = walked(built(), [10.0, 30.0, 20.0])[2]
    wanted = rates_to_serve(state.rates, math.nan, interval_s=15.0)
    assert wanted.shape == (RULES,)
    assert {wanted[rule] for rule in range(RULES) if describe(rule) == "1 times the forecast"} == {30.0}
    assert {wanted[rule] for rule in range(RULES) if describe(rule) == "1 times the last rate"} == {20.0}


# -- on recorded traffic


def backtest(trace: RateTrace, policy: str, cold_start_s: float) -> Backtest:
    service = ServiceProfile(cold_start=Lognormal(mean_s=cold_start_s, cv=0.25), queue_timeout_s=60.0)
    return Backtest(
        traces=(trace,), policies=policy_entries((policy,)), service=service, slo=Slo(latency_s=2.0), seeds=1
    )


@pytest.mark.parametrize(
    ("file", "from_day"), [("azure_functions_2019_bd33ce4b.parquet", 0), ("worldcup98_may01_jun14.parquet", 41)]
)
def test_on_recorded_traffic_attainment_is_what_was_asked(real_traces: Path, file: str, from_day: int) -> None:
    trace = read_trace(real_traces / file).between(from_day * 86400.0, (from_day + 2) * 86400.0)
    assert isinstance(trace, RateTrace)
    scaled = trace.scaled(100.0 * trace.duration_s / trace.total_requests)
    scores = backtest(scaled, "error-budget", 60.0).perform(Run(trace=0, entry=0, seed=0)).scores
    assert 0.985 <= scores.slo_attainment <= 0.996
    rule_of_thumb = backtest(scaled, "predictive", 60.0).perform(Run(trace=0, entry=0, seed=0)).scores
    assert scores.cost < rule_of_thumb.cost
