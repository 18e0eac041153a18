"""The stretches that cost most."""

from __future__ import annotations

import numpy as np

from hindscale.backtesting.episodes import worst_episodes
from hindscale.backtesting.regret import RegretSeries
from hindscale.backtesting.series import Action

HOURS = 48


def series(**columns: np.ndarray) -> RegretSeries:
    """Two days of minutes; a request a second."""
    none = np.zeros(HOURS * 60)
    values = dict.fromkeys(("early", "late", "excess", "short", "churn", "missed"), none)
    return RegretSeries(interval_s=60.0, **{**values, "arrived": none + 60.0, **columns})


def at(value: float, from_hour: int, hours: float) -> np.ndarray:
    column = np.zeros(HOURS * 60)
    column[from_hour * 60 : int((from_hour + hours) * 60)] = value
    return column


def test_money_and_missed_requests_both_count() -> None:
    excess = at(2.0, 5, 2) + at(1.0, 20, 1)
    found = worst_episodes(
        series(excess=excess, missed=at(30.0, 30, 0.5), short=at(4.0, 30, 0.5)),
        [],
        price_per_replica_hour=3.0,
        forgiven=0.001,
    )
    assert [(each.from_s / 3600, each.missed) for each in found] == [(30.0, 900), (5.0, 0), (20.0, 0)]
    assert [round(each.money, 6) for each in found] == [0.0, 2 * 2 * 3.0, 3.0]
    assert found[0].words.startswith("up to 4.00 replicas too few for 30min: 900 requests missed the SLO (100% of all")
    assert found[1].words == (
        "2.00 replicas more than perfect foresight had, mostly since more replicas than needed;"
        " traffic 1.00 to 1.00 a second, 1.00 before"
    )


def test_misses_that_the_slo_forgives_weigh_less_than_money() -> None:
    few = worst_episodes(
        series(excess=at(1.0, 5, 1), missed=at(1.0, 30, 0.5)), [], price_per_replica_hour=1.0, forgiven=0.01
    )
    assert [each.from_s / 3600 for each in few] == [5.0, 30.0]


def test_the_largest_action_speaks() -> None:
    actions = [
        Action(time_s=5.1 * 3600, before=1, after=2, desired=2, limited_by="", reason="one"),
        Action(time_s=5.2 * 3600, before=2, after=9, desired=9, limited_by="", reason="seven"),
        Action(time_s=9.0 * 3600, before=9, after=99, desired=99, limited_by="", reason="elsewhere"),
    ]
    found = worst_episodes(series(late=at(1.0, 5, 1)), actions, price_per_replica_hour=1.0, forgiven=0.01)
    assert [each.reason for each in found] == ["2 → 9: seven"]
    assert "mostly since replicas came or stayed after they were needed" in found[0].words


def test_where_nothing_was_lost_there_is_no_episode() -> None:
    assert worst_episodes(series(), [], price_per_replica_hour=1.0, forgiven=0.01) == ()
