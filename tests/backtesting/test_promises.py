from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting import backtest
from hindscale.backtesting.promises import FIGURES, Case, Promise
from hindscale.core import Constant, ParameterError, ServiceProfile
from hindscale.traces import RateTrace


@pytest.fixture(scope="module")
def case() -> Case:
    """Two replicas at 3 an hour over half an hour of 60 requests a minute."""
    trace = RateTrace(name="steady", window_s=60.0, requests=[60.0] * 30)  # type: ignore[arg-type]
    service = ServiceProfile(slots=2, service_time=Constant(0.5), price_per_replica_hour=3.0)
    result = backtest(trace, ["fixed:replicas=2"], service=service, slo="p90<5s", seeds=1, jobs=1)
    (row,) = result.traces[0].rows
    return Case(scores=row.scores[0], scored_s=1800.0, least_cost=1.5, recorded_cost=2.0)


def test_figures_by_hand(case: Case) -> None:
    # 2 replicas for half an hour are 1 replica hour, and 3 of money; 6 an hour; 24 * 30 hours make a month.
    # The run begins with what the first minute needs, one replica, for one tick of 15 s: 15 / 3600 of an hour less.
    expected = 3.0 * (1 - 15 / 3600)
    values = {name: figure.of(case) for name, figure in FIGURES.items()}
    assert values["cost"] == pytest.approx(expected)
    assert values["cost_per_hour"] == pytest.approx(2 * expected)
    assert values["cost_per_month"] == pytest.approx(2 * 720 * expected)
    assert values["cost_times_optimum"] == pytest.approx(expected / 1.5)
    assert values["cost_times_baseline"] == pytest.approx(expected / 2.0)
    assert values["scaling_actions_per_hour"] == 2 * case.scores.scaling_actions
    assert values["lost_share"] == 0.0
    for name in ("p50_s", "p99_s", "slo_attainment", "minutes_attainment", "most_replicas", "utilization"):
        assert values[name] == getattr(case.scores, name)


def test_what_is_not_there_to_compare_with_is_not_a_number(case: Case) -> None:
    alone = Case(scores=case.scores, scored_s=case.scored_s)
    assert math.isnan(FIGURES["cost_times_optimum"].of(alone))
    assert math.isnan(FIGURES["cost_times_baseline"].of(alone))


@pytest.mark.parametrize(
    ("name", "given", "bound"),
    [
        ("cost", "13,740.5", 13740.5),
        ("cost", 310, 310.0),
        ("p99_s", "250ms", 0.25),
        ("p99_s", 2, 2.0),
        ("slo_attainment", "99.5%", 0.995),
        ("slo_attainment", 0.995, 0.995),
        ("lost_share", "0%", 0.0),
        ("cost_times_optimum", 1.05, 1.05),
    ],
)
def test_bounds_are_written_as_people_write_them(name: str, given: object, bound: float) -> None:
    promise = Promise.parse(name, given, at_least=FIGURES[name].at_least)
    assert promise.bound == pytest.approx(bound)


@given(name=st.sampled_from(sorted(FIGURES)), share=st.floats(0, 1))
def test_every_figure_takes_a_bound_from_one_side_only(name: str, share: float) -> None:
    assert Promise.parse(name, share, at_least=FIGURES[name].at_least).bound == share
    with pytest.raises(ParameterError, match="state it under"):
        Promise.parse(name, share, at_least=not FIGURES[name].at_least)


@pytest.mark.parametrize(
    ("name", "given", "at_least", "message"),
    [
        ("coast", 3, False, "coast is no figure; did you mean 'cost'?"),
        ("slo_attainment", 0.9, False, "slo_attainment is better the more; state it under at_least"),
        ("cost", 3, True, "cost is better the less; state it under at_most"),
        ("cost", "much", False, "cost: must be a number, was 'much'"),
        ("cost", True, False, "cost: must be a number, was true"),
        ("p99_s", True, False, "p99_s: must be a duration such as 2s, was true"),
        ("cost", -1, False, "cost: must be a finite number >= 0, was -1"),
        ("cost", "inf", False, "cost: must be a finite number >= 0, was 'inf'"),
        ("p99_s", "soon", False, "p99_s: duration must be a number with a unit"),
        ("slo_attainment", 99.5, True, "slo_attainment: must be a share such as 99.5% or 0.995, was 99.5"),
        ("slo_attainment", True, True, "slo_attainment: must be a number, was 'True'"),
    ],
)
def test_what_cannot_be_promised_is_one_line(name: str, given: object, at_least: bool, message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        Promise.parse(name, given, at_least=at_least)
