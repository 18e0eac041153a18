"""One case small enough to be worked out on paper, from the trace to the report.

Four requests of exactly 1 s arrive at 2, 2, 2.5 and 50 s. A replica serves one at a time. The SLO is 1.5 s
for 75 % of requests, a replica costs 3.6 an hour (0.001 a second), decisions come every 15 s, so the last
tick is at 60 s. The fleet begins with one replica; a cold start takes 30 s.

One replica:  2 -> 3 (1 s), 2 -> 4 (2 s), 2.5 -> 5 (2.5 s), 50 -> 51 (1 s).
    Met: 2 of 4 = 50 %. Cost: 60 s = 0.06. Misses the SLO.
Two replicas: the second is ordered at the first tick, 15 s, and ready at 45 s: too late for the three.
    The fates are the same. Cost: 60 s + 45 s (from 15 s on) = 0.105.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hindscale.backtesting import BacktestResult


def test_scores_are_those_worked_out_on_paper(by_hand_result: BacktestResult) -> None:
    one, two = sorted(by_hand_result.traces[0].rows, key=lambda row: row.mean("cost"))
    for row, cost in ((one, 0.060), (two, 0.105)):
        scores = row.scores[0]
        assert (scores.requests, scores.slo_attainment, row.meets_slo) == (4, 0.5, False)
        assert scores.cost == pytest.approx(cost)
        assert scores.mean_latency_s == pytest.approx((1 + 2 + 2.5 + 1) / 4)
        # The busy minute is the only one, and half of it met the bound.
        assert scores.minutes_attainment == 0.0
    assert one.scores[0].utilization == pytest.approx(4 / 60)
    assert two.scores[0].scaling_actions == 0  # the target is 2 from the first tick on
    assert two.scores[0].replicas_started == 2
    # Ready from 45 s on: 60 s and 15 s of serving, 4 s of them busy.
    assert two.scores[0].utilization == pytest.approx(4 / 75)


def test_the_tick_log_shows_each_step(by_hand_result: BacktestResult) -> None:
    backtest = by_hand_result.backtest
    run = next(run for run in backtest.runs if backtest.policies[run.entry].label.endswith("2"))
    ticks = backtest.perform(run, with_ticks=True).ticks
    assert ticks is not None
    assert ticks.time_s.tolist() == [15.0, 30.0, 45.0, 60.0]
    assert ticks.arrived.tolist() == [3, 0, 0, 1]
    assert ticks.met.tolist() == [1, 0, 0, 1]
    assert ticks.served.tolist() == [3, 0, 0, 1]
    assert ticks.replica_s.tolist() == pytest.approx([15, 30, 30, 30])
    assert ticks.ready.tolist() == [1, 1, 2, 2]
    assert ticks.starting.tolist() == [0, 1, 0, 0]
    assert ticks.target.tolist() == [2, 2, 2, 2]
    assert ticks.observed_rate_rps.tolist() == pytest.approx([0.2, 0, 0, 1 / 15])
    assert ticks.reason[0] == "always 2"


def test_the_table_and_the_report_print_these_numbers(by_hand_result: BacktestResult, tmp_path: Path) -> None:
    table = by_hand_result.table()
    assert re.search(r"✗ +fixed:replicas=1 +50\.00% +2\.[45]\d*s +0\.06", table), table
    assert re.search(r"✗ +fixed:replicas=2 +50\.00% +2\.[45]\d*s +0\.1[01]", table), table
    assert "no policy meets the SLO; nearest is fixed:replicas=1 with 50.00%" in table
    by_hand_result.write_report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "no policy meets the SLO" in page
    assert "<td>50.00%</td>" in page
    assert "<td>0.06</td>" in page
