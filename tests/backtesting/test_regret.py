"""Regret: the parts have the right names, and add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting import BacktestResult, backtest
from hindscale.backtesting.regret import PARTS, FleetUse, Regret, regret
from hindscale.core import Constant, ServiceProfile
from hindscale.traces import RateTrace

SERVICE = ServiceProfile(slots=2, service_time=Constant(1.0), cold_start=Constant(30.0), price_per_replica_hour=3.6)


def use(serving: list[float], starting: list[float] | None = None, interval_s: float = 60.0) -> FleetUse:
    """A run with so many replicas in each interval of a minute."""
    none = np.zeros(len(serving))
    return FleetUse(
        interval_s=interval_s,
        serving_s=np.array(serving, float) * interval_s,
        starting_s=none if starting is None else np.array(starting, float) * interval_s,
        arrived=none,
        missed=none,
    )


def split(run: FleetUse, optimum: FleetUse, least_cost: float = 0.0) -> Regret:
    """In replica minutes."""
    return regret(run, optimum, price_per_replica_hour=60.0, least_cost=least_cost)


@pytest.mark.parametrize(
    ("run", "optimum", "lost"),
    [
        # The second replica is needed in minutes 3 and 4. It comes a minute before, and stays for two.
        ([1, 1, 2, 2, 2, 2, 2, 1], [1, 1, 1, 2, 2, 1, 1, 1], {"early": 1, "late": 2}),
        # It comes when it is over.
        ([1, 1, 1, 1, 1, 2, 2, 1], [1, 1, 1, 2, 2, 1, 1, 1], {"late": 2, "short": -2}),
        # It comes before, but is gone when it is needed: nobody needed that one.
        ([1, 2, 1, 1, 1, 1, 1, 1], [1, 1, 1, 2, 2, 1, 1, 1], {"excess": 1, "short": -2}),
        # It is kept from one need to the next.
        ([1, 1, 1, 2, 2, 2, 2, 2], [1, 1, 1, 2, 1, 1, 2, 2], {"excess": 2}),
        # A third one is never needed; half of the second comes too late.
        ([1, 1, 3, 3, 1, 1, 1, 1.5], [1, 1, 2, 2, 1, 1, 1, 1], {"excess": 2, "late": 0.5}),
        # Needed a quarter of an hour later: not early, but more than needed until ten minutes before.
        ([2] * 16, [1] * 15 + [2], {"excess": 5, "early": 10}),
        ([2] * 16, [2] + [1] * 15, {"excess": 5, "late": 10}),
    ],
)
def test_replicas_are_early_late_or_never_needed(run: list[float], optimum: list[float], lost: dict) -> None:
    found = split(use(run), use(optimum), least_cost=float(sum(optimum))).to_dict()
    assert found == pytest.approx({"total": sum(lost.values()), **dict.fromkeys(PARTS, 0.0), **lost})


def test_starts_above_the_optimum_s_are_churn_and_what_it_pays_above_the_bound_is_unavoidable() -> None:
    found = split(use([2, 2], starting=[1, 0.5]), use([2, 2], starting=[0.25, 0]), least_cost=4.0)
    assert found.to_dict() == pytest.approx(
        {"total": 1.5, "early": 0, "late": 0, "excess": 0, "short": 0, "churn": 1.25, "unavoidable": 0.25}
    )
    assert found.shares()["total"] == pytest.approx(1.5 / 4.25)


fleets = st.lists(st.floats(0, 6), min_size=1, max_size=40)


@given(run=fleets, optimum=fleets, starting=st.floats(0, 2), interval_s=st.sampled_from([20.0, 60.0, 75.0]))
def test_the_parts_add_up_to_the_regret(
    run: list[float], optimum: list[float], starting: float, interval_s: float
) -> None:
    found = split(use(run, [starting] * len(run), interval_s), use(optimum), least_cost=sum(optimum) / 2)
    assert found.cost == pytest.approx((sum(run) + starting * len(run)) * interval_s / 60)
    assert sum(getattr(found, part) for part in PARTS) == pytest.approx(found.total)
    assert found.short <= 0 <= min(found.early, found.late, found.excess)


@given(run=fleets)
def test_whoever_does_as_the_optimum_regrets_nothing_that_was_avoidable(run: list[float]) -> None:
    found = split(use(run), use(run), least_cost=0.0)
    assert found.total == pytest.approx(found.unavoidable)


@pytest.fixture(scope="module")
def compared() -> BacktestResult:
    requests = np.array([60.0] * 20 + [600.0] * 10 + [60.0] * 20)
    trace = RateTrace(name="jump", window_s=60.0, requests=requests)
    policies = ["optimum", "target-tracking", "fixed", "knative"]
    return backtest(trace, policies, service=SERVICE, slo="p90 < 4s", seeds=2, jobs=1)


def test_every_policy_s_cost_is_explained_to_the_last_cent(compared: BacktestResult) -> None:
    rows = {row.policy: row for row in compared.traces[0].rows}
    assert rows["optimum"].regret is None
    best = rows["optimum"]
    for name in ("target-tracking", "fixed", "knative"):  # the last one decides every two seconds
        lost = rows[name].regret
        assert lost is not None
        assert lost.cost == pytest.approx(rows[name].scores[0].cost)
        assert lost.optimum_cost == pytest.approx(best.scores[0].cost)
        assert sum(getattr(lost, part) for part in PARTS) == pytest.approx(lost.total)
    fixed = rows["fixed"].regret
    assert fixed is not None
    assert fixed.excess > fixed.late + fixed.early  # it pays for the peak all the time


def test_the_worst_stretch_is_the_jump_and_is_told_in_words(compared: BacktestResult) -> None:
    row = next(row for row in compared.traces[0].rows if row.policy == "target-tracking")
    worst = row.episodes[0]
    assert worst.from_s <= 20 * 60 < worst.to_s
    assert "too few" in worst.words
    assert "requests missed the SLO" in worst.words
    assert "→" in worst.reason
    assert sum(episode.missed for episode in row.episodes) > 0
    fixed = next(row for row in compared.traces[0].rows if row.policy == "fixed")
    assert "more than perfect foresight had, mostly since more replicas than needed" in fixed.episodes[0].words


def test_table_and_json_hold_the_parts(compared: BacktestResult) -> None:
    table = compared.table(width=80)
    assert "early  late  excess" in table
    policies = {each["policy"]: each for each in compared.to_dict()["traces"][0]["policies"]}
    assert set(policies["fixed"]["regret"]) == {"total", *PARTS}
    assert policies["target-tracking"]["episodes"][0]["missed"] > 0
    assert "regret" not in policies["optimum"]


def test_without_the_optimum_there_is_no_regret(compared: BacktestResult) -> None:
    alone = backtest(compared.backtest.traces[0], ["fixed"], service=SERVICE, slo="p90 < 4s", seeds=1, jobs=1)
    assert alone.traces[0].rows[0].regret is None
    assert "regret" not in alone.table()
