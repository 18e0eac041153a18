from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Observation
from hindscale.policies._measured import ErrorBudget, Starts, TimeInService
from hindscale.testing import observation


def starts_after(fleet: list[tuple[float, int, int]]) -> Starts:
    """What is known of starts after (time, ready, starting)."""
    starts = Starts()
    for time_s, ready, starting in fleet:
        starts = starts.seen(observation(time_s, ready, starting_replicas=starting))
    return starts


def test_a_start_lasts_from_the_order_to_half_an_interval_before_it_is_seen_ready() -> None:
    # Two are ordered at 15 s; one is seen ready at 60 s, the other at 75 s.
    starts = starts_after([(15.0, 1, 0), (30.0, 1, 2), (45.0, 1, 2), (60.0, 2, 1), (75.0, 3, 0)])
    assert starts.took_s == (37.5, 52.5)
    assert starts.waiting == ()


def test_an_order_that_was_taken_back_is_no_start() -> None:
    starts = starts_after([(15.0, 1, 0), (30.0, 1, 3), (45.0, 1, 1), (60.0, 2, 0)])
    assert starts.took_s == (37.5,)


def test_what_was_assumed_stands_until_enough_was_seen() -> None:
    assert Starts(took_s=(10.0,) * 9).quantile_s(0.9, assumed_s=60.0) == 60.0
    assert Starts(took_s=(10.0,) * 10).quantile_s(0.9, assumed_s=60.0) == 10.0


@given(fleet=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_whatever_happens_to_the_fleet_as_many_wait_as_are_starting_at_most(fleet: list[tuple[int, int]]) -> None:
    starts = Starts()
    for tick, (ready, starting) in enumerate(fleet):
        starts = starts.seen(observation(15.0 * (tick + 1), ready, starting_replicas=starting))
        assert sum(count for _, count in starts.waiting) <= starting
        assert all(took_s >= 0 for took_s in starts.took_s)


def test_time_in_service_by_littles_law() -> None:
    # 20 in service and 40 answered a second: half a second each, against the 0.25 s of 500 requests assumed.
    seen = TimeInService.assumed(0.25)
    for _ in range(100):
        seen = seen.seen(observation(completion_rate_rps=40.0, ongoing_requests=20.0), 15.0)
    assert seen.mean_s == pytest.approx(0.5, rel=0.01)
    assert seen.error == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("unknown", [0.0, math.nan])
def test_where_nobody_was_answered_nothing_is_learned(unknown: float) -> None:
    assumed = TimeInService.assumed(0.25)
    assert assumed.seen(observation(completion_rate_rps=unknown, ongoing_requests=5.0), 15.0) == assumed


def budget_after(seen: list[Observation]) -> ErrorBudget:
    budget = ErrorBudget()
    for each in seen:
        budget = budget.seen(each, 10.0, forgiven=0.01, memory_s=math.inf, recent_s=math.inf)
    return budget


def test_the_budget_counts_those_that_left() -> None:
    # 1000 came; 200 are still there, so 800 left: 8 are forgiven, 16 were missed.
    budget = budget_after([observation(arrival_rate_rps=100.0, ongoing_requests=200.0, slo_attainment=0.98)])
    assert budget.balance == pytest.approx(8 - 16)
    # The other 200 leave in time.
    budget = budget.seen(observation(slo_attainment=1.0), 10.0, forgiven=0.01, memory_s=math.inf, recent_s=math.inf)
    assert budget.balance == pytest.approx(10 - 16)


def test_where_attainment_was_not_measured_the_budget_stays() -> None:
    assert budget_after([observation(arrival_rate_rps=100.0, slo_attainment=math.nan)]).balance == 0.0


@given(balance=st.floats(-1e6, 1e6), arrived=st.floats(0, 1e9))
def test_the_share_allowed_stays_near_what_the_slo_forgives(balance: float, arrived: float) -> None:
    assert 0.001 <= ErrorBudget(balance=balance, arrived=arrived).share(0.01) <= 0.03 + 1e-12
