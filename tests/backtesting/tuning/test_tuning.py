from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.tuning import Finding, Tuning, tune
from hindscale.backtesting.tuning import executors as executors_module
from hindscale.backtesting.tuning.executors import Task
from hindscale.core import ParameterError, Slo
from hindscale.policies import POLICIES
from hindscale.scoring import Scores
from hindscale.traces import RateTrace, read_trace


@pytest.fixture(scope="module")
def tuned(plan: Backtest) -> Tuning:
    return tune(plan, trials=14, reserve=0.3, jobs=1)


def test_what_was_found_is_cheaper_and_keeps_the_slo_where_it_was_not_found(tuned: Tuning) -> None:
    for each in tuned.policies:
        assert each.finding is Finding.HOLDS, each.verdict()
        assert each.best_row is not None
        assert each.given_row is not None
        assert each.best_row.mean("cost") < each.given_row.mean("cost")
        assert each.recommended == each.best.entry
        assert each.verdict().startswith(f"{each.given.entry}: use {each.best.entry}; it keeps")
    assert tuned.best in {each.best.entry for each in tuned.policies}


def test_the_optimum_stands_beside_it(tuned: Tuning) -> None:
    assert tuned.optimum is not None
    assert tuned.optimum.meets_slo
    assert tuned.optimum.least_cost is not None
    for each in tuned.policies:
        assert each.best_row is not None
        assert each.best_row.mean("cost") >= tuned.optimum.least_cost


def test_the_table_shows_both_parts_in_80_columns(tuned: Tuning) -> None:
    table, _, verdicts = tuned.table(width=80).partition("→")
    assert max(map(len, table.splitlines())) <= 80
    assert "waves: tuned on the first 1.2h, judged on the 48min after" in table
    for row in ("target-tracking, as given", "target-tracking, tuned", "predictive, tuned", "optimum (hindsight)"):
        assert row in table
    assert "the cheapest of them where they were judged is" in verdicts


def test_what_is_found_does_not_depend_on_the_number_of_processes(plan: Backtest, tuned: Tuning) -> None:
    assert tune(plan, trials=14, reserve=0.3, jobs=2).to_dict() == tuned.to_dict()


def test_values_for_json_are_plain_and_complete(tuned: Tuning) -> None:
    values = json.loads(json.dumps(tuned.to_dict(), allow_nan=False))
    first = values["policies"][0]
    assert values["best"] == tuned.best
    assert len(first["trials"]) == 14
    assert first["space"] == {"target_per_replica": "0.245..1.84", "tolerance": "0..0.3"}
    assert set(first["training"]) == set(first["rest"]["given"] and first["rest"]) == {"given", "tuned"}


def test_a_part_without_surprises_overfits(plan: Backtest, waves: RateTrace) -> None:
    """Calm traffic to train on, then a jump that nothing in it hinted at."""
    calm = waves.requests * 0 + 900
    calm[90:95] = 4500
    jumpy = replace(plan, traces=(replace(waves, requests=calm),), policies=policy_entries(("predictive",)))
    (found,) = tune(jumpy, trials=14, reserve=0.0, with_optimum=False, jobs=1).policies
    assert found.finding is Finding.OVERFITS
    assert found.recommended is None
    assert "tuning overfits: predictive:alpha=" in found.verdict()
    assert "train on more (--train), or keep more in reserve (--reserve)" in found.verdict()


def test_settings_that_the_policy_refuses_are_counted_with_the_reason(plan: Backtest) -> None:
    space = {"metric": "cpu|nosuch"}
    entries = policy_entries(("hpa",))
    (found,) = tune(replace(plan, policies=entries), ranges=space, trials=6, with_optimum=False, jobs=1).policies
    assert " of 6 settings were refused: metric must be " in found.verdict()


def test_where_nothing_keeps_the_slo_it_says_what_limits(plan: Backtest) -> None:
    capped = replace(plan, max_replicas=3, policies=policy_entries(("target-tracking",)))
    result = tune(capped, trials=4, jobs=1)
    (found,) = result.policies
    assert found.finding is Finding.INFEASIBLE
    assert result.best is None
    assert "none of 4 settings keeps the SLO in training; nearest is target-tracking" in found.verdict()
    assert "it reaches the bound of 3 replicas (--max-replicas)" in found.verdict()
    assert "even all 3 replicas all the time miss" in found.verdict()


def test_an_slo_below_the_service_time_says_by_how_much(plan: Backtest) -> None:
    with pytest.raises(ParameterError, match="cannot be met by any fleet"):
        tune(replace(plan, slo=Slo(latency_s=0.5, percentile=0.95)), jobs=1)


def test_minutes_are_part_of_the_objective(plan: Backtest) -> None:
    slo = replace(plan.slo, minutes_share=0.9)
    (found,) = tune(
        replace(plan, slo=slo, policies=plan.policies[:1]), trials=10, reserve=0.0, with_optimum=False, jobs=1
    ).policies
    assert found.keeps(found.best)
    assert found.best.mean("minutes_attainment") >= 0.9
    assert "of the minutes" in found.verdict()


def test_an_interruption_gives_what_there_is(plan: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    performed = 0

    def perform(plan: Backtest, task: Task) -> Scores:
        nonlocal performed
        performed += 1
        if performed > 20:
            raise KeyboardInterrupt
        return whole(plan, task)

    whole = executors_module.perform
    monkeypatch.setattr(executors_module, "perform", perform)
    result = tune(plan, trials=14, jobs=1)
    assert result.is_interrupted
    assert result.judged is None
    assert result.policies[0].finding is Finding.NOT_JUDGED
    assert "best so far is target-tracking:target_per_replica=" in result.table()
    assert "! interrupted after" in result.table()


def test_the_optimum_may_be_left_out_or_impossible(plan: Backtest) -> None:
    failing = replace(plan, service=replace(plan.service, mean_time_to_failure_s=1e6), policies=plan.policies[:1])
    result = tune(failing, trials=2, jobs=1)
    assert result.optimum is None
    assert "! without the optimum: optimum knows no failures" in result.table()


@pytest.mark.parametrize("name", [name for name, cls in POLICIES.classes.items() if hasattr(cls, "tunable")])
def test_every_policy_that_declares_something_can_be_tuned(plan: Backtest, name: str) -> None:
    small = replace(plan, policies=policy_entries((name,)), seeds=1)
    (found,) = tune(small, trials=3, with_optimum=False, jobs=1).policies
    assert len(found.trials) == 3
    assert found.finding is not Finding.NOT_JUDGED
    assert found.verdict().startswith(f"{name}: ")


def test_an_hour_of_recorded_requests(real_traces: Path) -> None:
    from hindscale.backtesting.assumptions import assumed_service

    trace = read_trace(real_traces / "azure_llm_2023_conv.parquet")
    service, slo = assumed_service([trace])
    plan = Backtest(traces=(trace,), policies=policy_entries(("hpa",)), service=service, slo=slo, seeds=1)
    (found,) = tune(plan, trials=12, reserve=0.2, with_optimum=False, jobs=1).policies
    assert found.keeps(found.best)
    assert found.best_row is not None
    assert found.best_row.meets_slo
    assert found.best.mean("cost") < found.given.mean("cost")
