from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.backtesting.tuning.executors import Task
from hindscale.backtesting.tuning.journal import Journal, open_journal
from hindscale.backtesting.tuning.search import Search
from hindscale.backtesting.tuning.space import search_space
from hindscale.backtesting.tuning.trials import Trial, best_of
from hindscale.core import ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.core.catalog import parse_entry
from hindscale.scoring import Scores

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0, percentile=0.9), peak_rate_rps=100.0)
MakeScores = Callable[..., Scores]


class Slope:
    """A landscape: the higher the target of an HPA the cheaper it is, and beyond 62 % the SLO is missed.

    Args:
        stops_after: Runs after which the user has had enough.
        shuffled: In which order the runs are done; None for the one they were asked in.
    """

    def __init__(self, make: MakeScores, *, stops_after: int | None = None, shuffled: int | None = None) -> None:
        self.make = make
        self.left = stops_after
        self.shuffled = shuffled
        self.done: list[Task] = []

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        order = list(tasks)
        if self.shuffled is not None:
            Random(self.shuffled).shuffle(order)
        for task in order:
            if self.left is not None and len(self.done) >= self.left:
                raise KeyboardInterrupt
            self.done.append(task)
            yield task, self._scores(task)

    def _scores(self, task: Task) -> Scores:
        given = {"target": "80", "tolerance": "0.1", **parse_entry(task.entry)[1]}
        target = float(given["target"]) + task.seed / 100
        misses = 0.05 + max(0.0, target - 62) / 100
        return self.make(cost=1000 / target + float(given["tolerance"]), attainment=1 - misses)


def search(*, trials: int = 20, seeds: tuple[int, ...] = (0, 1, 2), reserve: float = 0.0) -> Search:
    space = search_space(policy_entries(("hpa",))[0], SPEC, {"target": "", "tolerance": ""})
    budget = ErrorBudget(slo=SPEC.slo, reserve=reserve)
    return Search(space=space, spec=SPEC, seeds=seeds, budget=budget, trials=trials)


def run(one: Search, executor: Slope, journal: Journal | None = None) -> list[Trial]:
    done: list[Trial] = []
    one.run(executor, Journal() if journal is None else journal, done=done, on_trial=lambda *_: None)
    return done


def test_it_begins_with_the_policy_as_given_and_a_walk_along_the_main_parameter(make_scores: MakeScores) -> None:
    trials = run(search(trials=6), Slope(make_scores))
    targets = [parse_entry(trial.entry)[1].get("target") for trial in trials]
    assert targets == [None, "27", "41", "55", "69", "83"]
    assert [trial.number for trial in trials] == list(range(6))


def test_few_trials_come_near_the_best(make_scores: MakeScores) -> None:
    best = best_of(run(search(trials=40), Slope(make_scores)), ErrorBudget(slo=SPEC.slo))
    assert best is not None
    # 5 of 10 points are spent at 62 already, so the budget ends at 67.
    assert 64 <= float(parse_entry(best.entry)[1]["target"]) <= 67


def test_a_reserve_keeps_away_from_the_edge(make_scores: MakeScores) -> None:
    one = search(trials=30, reserve=0.4)
    best = best_of(run(one, Slope(make_scores)), one.budget)
    assert best is not None
    assert best.spent(one.budget) <= 0.6
    assert float(parse_entry(best.entry)[1]["target"]) <= 63


def test_no_more_reserve_is_asked_for_than_the_policy_as_given_leaves(make_scores: MakeScores) -> None:
    space = search_space(policy_entries(("hpa:target=62",))[0], SPEC, {"tolerance": "0..0.2"})
    one = replace(search(trials=12, reserve=0.9), space=space)
    trials = run(one, Slope(make_scores))
    # As given it spends half of the budget, and nothing spends less: the cheapest is chosen all the same.
    best = best_of(trials, one.budget_beside(trials))
    assert best is not None
    assert best.mean("cost") == min(trial.mean("cost") for trial in trials)
    assert best.mean("cost") < trials[0].mean("cost")


@given(order=st.integers(0, 1000))
def test_the_order_in_which_runs_are_done_changes_nothing(make_scores: MakeScores, order: int) -> None:
    one = search(trials=12)
    assert run(one, Slope(make_scores, shuffled=order)) == run(one, Slope(make_scores))


@pytest.mark.parametrize("stops_after", [0, 1, 4, 13, 25])
def test_an_interrupted_search_goes_on_to_the_same_result(
    make_scores: MakeScores, tmp_path: Path, stops_after: int
) -> None:
    whole = run(search(), Slope(make_scores))
    interrupted, resumed, before = Slope(make_scores, stops_after=stops_after), Slope(make_scores), []
    with open_journal(tmp_path / "trials.jsonl", key="k") as journal, pytest.raises(KeyboardInterrupt):
        search().run(interrupted, journal, done=before, on_trial=lambda *_: None)
    assert before == whole[: len(before)]
    with open_journal(tmp_path / "trials.jsonl", key="k") as journal:
        assert run(search(), resumed, journal) == whole
    assert not set(interrupted.done) & set(resumed.done)


def test_more_trials_go_on_from_fewer(make_scores: MakeScores, tmp_path: Path) -> None:
    with open_journal(tmp_path / "trials.jsonl", key="k") as journal:
        few = run(search(trials=9), Slope(make_scores), journal)
        many = run(search(trials=17), Slope(make_scores), journal)
    assert many[:9] == few


def test_the_hopeless_are_run_once(make_scores: MakeScores) -> None:
    slope = Slope(make_scores)
    trials = run(search(), slope)
    pruned = {trial.entry for trial in trials if trial.is_pruned}
    assert pruned
    assert {seed for entry, seed in slope.done if entry in pruned} == {0}
    assert not trials[0].is_pruned
    budget = ErrorBudget(slo=SPEC.slo)
    best = best_of(trials, budget)
    assert best is not None
    for trial in trials:
        if trial.is_pruned:
            assert trial.spent(budget) > 1 or trial.mean("cost") > best.mean("cost")


def test_with_one_seed_nothing_is_pruned(make_scores: MakeScores) -> None:
    assert not any(trial.is_pruned for trial in run(search(seeds=(4,)), Slope(make_scores)))


def test_a_setting_that_the_policy_refuses_is_not_run(make_scores: MakeScores) -> None:
    space = search_space(policy_entries(("utilization",))[0], SPEC)
    one = replace(search(trials=16), space=space)
    slope = Slope(make_scores)
    trials = run(one, slope)
    refused = [trial for trial in trials if trial.refused]
    assert refused
    assert all("lower must be <" in trial.refused for trial in refused)
    assert not {trial.entry for trial in refused} & {task.entry for task in slope.done}


def test_no_trials_are_refused() -> None:
    with pytest.raises(ParameterError, match="trials must be a whole number >= 1, was 0"):
        search(trials=0)
