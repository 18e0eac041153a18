"""Twins meet the same requests, live with their own decisions, and disturb nobody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale import Constant, RequestTrace, ServiceProfile, simulate
from hindscale.live import shadows as module
from hindscale.live.records import Score
from hindscale.live.shadows import Shadows
from hindscale.scoring import score
from hindscale.simulation import SimulationSettings
from live.doubles import PROFILE, a_plan

FIVE, THREE = "fixed:replicas=5", "fixed:replicas=3"


def driven(shadows: Shadows, counts: list[float], *, begin_s: float = 0.0) -> dict[str, Score]:
    total: dict[str, Score] = {}
    for number, count in enumerate(counts, start=1):
        for text, part in shadows.advance(begin_s + number, count).items():
            total[text] = total[text].plus(part) if text in total else part
    return total


@settings(max_examples=25)
@given(counts=st.lists(st.floats(0, 40), min_size=1, max_size=60))
def test_every_twin_meets_every_request_and_none_is_made_up(counts: list[float]) -> None:
    total = driven(Shadows(a_plan(policy=FIVE, shadows=(THREE,)), begin_s=0.0, replicas=2), counts)
    for text in (FIVE, THREE):
        assert sum(counts) - 1 <= total[text].arrived <= sum(counts)  # whole requests of those that were counted
        assert 0 <= total[text].met <= total[text].left <= total[text].arrived
        assert total[text].replica_s >= 2


def test_a_larger_fleet_costs_more_and_serves_more() -> None:
    total = driven(Shadows(a_plan(policy=FIVE, shadows=(THREE,)), begin_s=0.0, replicas=3), [36.0] * 120)
    assert total[FIVE].replica_s > 1.5 * total[THREE].replica_s
    assert total[FIVE].attainment > 0.95
    assert total[THREE].attainment < 0.5


def test_a_twin_is_scored_like_a_backtest_of_the_same_policy() -> None:
    """The simulator of backtests, fed as traffic comes: the same cost, and the same attainment but for chance."""
    plan = a_plan(policy="target-tracking:target_per_replica=3", shadows=(), max_age_s=5.0)
    shadows = Shadows(plan, begin_s=0.0, replicas=2)
    arrivals: list[float] = []
    batch = shadows._batch

    def remembered(from_s: float, to_s: float, arrived: float) -> Any:
        made = batch(from_s, to_s, arrived)
        arrivals.extend((made.arrivals_ns / 1e9).tolist())
        return made

    shadows._batch = remembered  # type: ignore[method-assign]
    total = driven(shadows, [20.0 + 15 * (number // 60 % 2) for number in range(600)])
    trace = RequestTrace(name="came", arrival_s=arrivals)  # type: ignore[arg-type]
    settings = SimulationSettings(initial_replicas=2)
    tested = score(simulate(trace, plan.spec, plan.build(plan.policy), plan.limits(plan.policy), settings=settings))
    assert total[plan.policy].cost(1.0) == pytest.approx(tested.cost, rel=0.02)
    assert total[plan.policy].attainment == pytest.approx(tested.slo_attainment, abs=0.01)


def test_a_shadow_that_breaks_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from hindscale.policies.normal_model import NormalModel

    plan = a_plan(policy=FIVE, shadows=("normal-model",), profile=PROFILE)
    alone = driven(Shadows(a_plan(policy=FIVE, shadows=()), begin_s=0.0, replicas=2), [20.0] * 30)

    def fails(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(NormalModel, "decide", fails)
    shadows = Shadows(plan, begin_s=0.0, replicas=2)
    assert driven(shadows, [20.0] * 30)[FIVE] == alone[FIVE]
    assert shadows.troubles == {"normal-model": "ZeroDivisionError by nothing"}


def test_after_a_long_silence_twins_begin_again_with_the_fleets_they_had() -> None:
    shadows = Shadows(a_plan(policy=FIVE, shadows=(THREE,)), begin_s=0.0, replicas=1)
    driven(shadows, [10.0] * 10)
    assert shadows.advance(10_000.0, 5_000.0) == {}
    assert shadows.states[FIVE][1] == 5
    assert driven(shadows, [10.0] * 10, begin_s=10_000.0)[FIVE].arrived == 100


def test_memory_is_bounded_by_making_engines_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TICKS", 20)
    total = driven(Shadows(a_plan(policy=FIVE, shadows=(THREE,)), begin_s=0.0, replicas=3), [10.0] * 100)
    assert total[FIVE].arrived == pytest.approx(1000, abs=60)  # those under way when an engine ends are not counted


def test_a_policy_with_a_pace_of_its_own_keeps_to_it() -> None:
    plan = a_plan(policy="keda", shadows=(FIVE,), profile=ServiceProfile(service_time=Constant(0.5)))
    shadows = Shadows(plan, begin_s=0.0, replicas=1)
    interval_s = plan.interval_s("keda")
    assert interval_s > 1
    driven(shadows, [10.0] * int(interval_s - 1))
    assert [tick.policy for tick in shadows.ticks] == [FIVE]
    shadows.advance(interval_s, 10.0)
    assert {tick.policy for tick in shadows.ticks} == {"keda", FIVE}
