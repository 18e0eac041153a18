from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from hindscale.backtesting import BacktestResult, Row
from hindscale.backtesting.statistics import Estimate, estimate
from hindscale.backtesting.table import money


def test_those_that_meet_the_slo_come_first_cheapest_first(compared: BacktestResult) -> None:
    for result in compared.traces:
        meeting = [row for row in result.rows if row.meets_slo]
        missing = [row for row in result.rows if not row.meets_slo]
        assert [row.policy for row in result.rows] == [row.policy for row in meeting + missing]
        assert [row.mean("cost") for row in meeting] == sorted(row.mean("cost") for row in meeting)
        assert all(row.mean("slo_attainment") >= 0.9 for row in meeting)


def test_hindsight_is_a_yardstick_never_the_answer(compared: BacktestResult) -> None:
    for result in compared.traces:
        hindsight = [row.policy for row in result.rows if row.hindsight]
        assert hindsight == ["fixed"]
        assert result.best is None or not result.best.hindsight
        assert "fixed, sized with hindsight," in result.verdict()


def test_where_hindsight_alone_keeps_the_slo_the_verdict_says_so(compared: BacktestResult) -> None:
    rows = tuple(replace(row, meets_slo=row.hindsight) for row in compared.traces[0].rows)
    nearest = max((row for row in rows if not row.hindsight), key=lambda row: row.mean("slo_attainment"))
    verdict = replace(compared.traces[0], rows=rows).verdict()
    assert verdict.startswith(f"no policy meets the SLO but fixed, sized with hindsight; nearest is {nearest.policy}")
    alone = replace(compared.traces[0], rows=tuple(row for row in rows if row.hindsight))
    assert alone.verdict() == "no policy meets the SLO but fixed, sized with hindsight"


def test_the_table_fits_into_80_columns(compared: BacktestResult) -> None:
    table = compared.table(width=80)
    assert max(map(len, table.splitlines())) <= 80
    assert "policy" in table
    assert "normal-model" in table
    assert "minutes" in compared.table(width=120)


def test_plain_values_survive_json(compared: BacktestResult) -> None:
    values = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    first = values["traces"][0]["policies"][0]
    assert len(first["runs"]) == 2
    assert first["over_seeds"]["cost"]["mean"] == pytest.approx(sum(run["cost"] for run in first["runs"]) / 2)


def test_an_interrupted_comparison_says_how_far_it_came(compared: BacktestResult) -> None:
    backtest = compared.backtest
    some = BacktestResult.of(backtest, [backtest.perform(backtest.runs[1])])
    assert not some.is_complete
    assert f"1 of {len(backtest.runs)} runs were finished" in some.table()
    assert some.traces[1].verdict() == "no run was finished"


def test_intervals_are_students() -> None:
    # s = 1, t(0.975, 2) = 4.3027: 4.3027 / sqrt(3)
    assert estimate([1.0, 2.0, 3.0]) == Estimate(2.0, pytest.approx(2.4841, abs=1e-4))
    assert estimate([2.0, 2.0]) == Estimate(2.0, 0.0)
    assert math.isnan(estimate([5.0]).half_width)
    assert math.isnan(estimate([]).mean)
    assert estimate([1.0, math.nan]).mean == 1.0


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (Estimate(1294.8, 1.25), "1,295 ±1"),
        (Estimate(3.14159, math.nan), "3.14"),
        (Estimate(0.06, 0.0), "0.06 ±0.00"),
        (Estimate(12.345, 0.678), "12.35 ±0.68"),
    ],
)
def test_costs_are_printed_as_sure_as_they_are(cost: Estimate, text: str) -> None:
    assert money(cost) == text


def test_rows_average_over_seeds(compared: BacktestResult) -> None:
    row: Row = compared.traces[0].rows[0]
    assert row.seeds == (0, 1)
    assert row.mean("cost") == pytest.approx(sum(scores.cost for scores in row.scores) / 2)
    assert row.mean(lambda scores: float(scores.requests)) == pytest.approx(
        sum(scores.requests for scores in row.scores) / 2
    )
