"""Tune policies on the first part of a trace, judge them on the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hindscale.backtesting.backtest import OPTIMUM, Backtest, policy_entries
from hindscale.backtesting.result import BacktestResult, Row
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.backtesting.tuning.executors import Executor, executor
from hindscale.backtesting.tuning.journal import Journal
from hindscale.backtesting.tuning.judgement import Finding, Tuned
from hindscale.backtesting.tuning.search import DEFAULT_RESERVE, DEFAULT_TRIALS, Search
from hindscale.backtesting.tuning.space import search_space
from hindscale.backtesting.tuning.split import Split
from hindscale.backtesting.tuning.trials import Trial, best_of
from hindscale.backtesting.workers import perform_all
from hindscale.core.errors import ParameterError
from hindscale.core.units import format_amount

__all__ = ["DEFAULT_TRAIN", "Tuning", "tune"]

DEFAULT_TRAIN = 0.6
OnTrial = Callable[[str, Trial, Trial], None]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What tuning came to, complete or not.

    Attributes:
        split: The trace in two.
        policies: One entry a policy, in the order they were given; those that were begun, after an interruption.
        budget: What the SLO forgives in training, and how much of it should be left.
        judged: The comparison on the rest; None if it was not reached.
        optimum: What perfect foresight would have done on the rest; None if it is not known.
        without_optimum: Why it is not known.
        is_interrupted: Whether it was cut short.
    """

    split: Split
    policies: tuple[Tuned, ...]
    budget: ErrorBudget
    judged: BacktestResult | None = None
    optimum: Row | None = None
    without_optimum: str = ""
    is_interrupted: bool = False

    @property
    def best(self) -> str | None:
        """Of the recommended settings the cheapest on the rest; None if none can be recommended."""
        costs = {
            row.policy: row.mean("cost") for each in self.policies for row in (each.given_row, each.best_row) if row
        }
        recommended = [each.recommended for each in self.policies if each.recommended is not None]
        return min(recommended, key=lambda entry: costs[entry], default=None)

    def table(self, *, width: int = 80) -> str:
        """What came out as text, for a terminal of that width."""
        from hindscale.backtesting.tuning.table import render

        return render(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        train = self.split.train
        row = self.optimum
        return {
            "best": self.best,
            "trace": train.traces[0].name,
            "slo": str(train.slo),
            "train_s": self.split.train_s,
            "rest_s": self.split.rest_s,
            "seeds": train.seeds,
            "reserve": self.budget.reserve,
            "unavoidable": self.budget.unavoidable,
            "interrupted": self.is_interrupted,
            "optimum": None
            if row is None
            else {"meets_slo": row.meets_slo, "cost": row.mean("cost"), "least_cost": row.least_cost},
            "policies": [each.to_dict() for each in self.policies],
        }


@dataclass
class _Progress:
    """What there is so far; an interruption leaves it."""

    searches: list[Search] = field(default_factory=list)
    trials: list[list[Trial]] = field(default_factory=list)


def tune(
    plan: Backtest,
    *,
    train: float | str = DEFAULT_TRAIN,
    trials: int = DEFAULT_TRIALS,
    reserve: float = DEFAULT_RESERVE,
    ranges: Mapping[str, str] | None = None,
    with_optimum: bool = True,
    jobs: int | None = None,
    ray: bool = False,
    journal: Journal | None = None,
    on_trial: OnTrial = lambda *_: None,
) -> Tuning:
    """Find the cheapest parameters that keep the SLO on the first part of a trace, and judge them on the rest.

    An interruption (Ctrl-C) gives what there is so far.

    Args:
        plan: The policies to tune, on one trace.
        train: The first part, as a share in (0, 1) or a duration.
        trials: Settings to try of each policy, the policy as it is given among them.
        reserve: Share of the error budget that must be left in training; in [0, 1).
        ranges: Parameters that alone are varied, with their values; None for all that a policy declares.
        with_optimum: Whether the optimum on the rest is found, too.
        jobs: Processes; None for one a core.
        ray: Whether a Ray cluster runs the trials.
        journal: Where runs are kept, and found again.
        on_trial: Called with the policy, each trial that is done, and the best so far.

    Raises:
        ParameterError: If something does not fit together, or the trace is too short to split.
    """
    split = Split.of(plan, train)
    budget = ErrorBudget.of(split.train, reserve=reserve)
    progress = _Progress(searches=_searches(split, budget, trials=trials, ranges=ranges))
    with executor(split.train, jobs=jobs, ray=ray) as workers:
        try:
            _search_all(progress, workers, journal or Journal(), on_trial)
            found = _found(progress)
            judged = _judge(split, found, jobs)
        except KeyboardInterrupt:
            return Tuning(split=split, policies=_found(progress), budget=budget, is_interrupted=True)
    try:
        optimum, why_not = _optimum(split.rest, jobs) if with_optimum else (None, "not asked for")
        found = tuple(_with_rows(each, judged) for each in found)
        found = tuple(_with_limits(each, split.train, with_optimum=with_optimum) for each in found)
    except KeyboardInterrupt:
        return Tuning(split=split, policies=found, budget=budget, judged=judged, is_interrupted=True)
    return Tuning(split=split, policies=found, budget=budget, judged=judged, optimum=optimum, without_optimum=why_not)


def _searches(split: Split, budget: ErrorBudget, *, trials: int, ranges: Mapping[str, str] | None) -> list[Search]:
    plan = split.train
    _, spec = plan.prepared[plan.traces[0].name]
    seeds = tuple(range(plan.first_seed, plan.first_seed + plan.seeds))
    return [
        Search(
            space=search_space(entry, spec, ranges),
            spec=spec,
            seeds=seeds,
            budget=budget,
            trials=trials,
            seed=plan.first_seed,
        )
        for entry in plan.policies
    ]


def _search_all(progress: _Progress, workers: Executor, journal: Journal, on_trial: OnTrial) -> None:
    for search in progress.searches:
        done: list[Trial] = []
        progress.trials.append(done)
        search.run(workers, journal, done=done, on_trial=partial(on_trial, search.space.entry))


def _found(progress: _Progress) -> tuple[Tuned, ...]:
    """Each search that has a trial to show."""
    return tuple(
        Tuned(
            space=search.space,
            budget=search.budget_beside(trials),
            trials=tuple(trials),
            best=best_of(trials, search.budget_beside(trials)) or trials[0],
        )
        for search, trials in zip(progress.searches, progress.trials, strict=False)
        if trials
    )


def _judge(split: Split, found: Sequence[Tuned], jobs: int | None) -> BacktestResult:
    """The policies as they were given and as they were tuned, on the rest."""
    texts = dict.fromkeys(entry for each in found for entry in (each.given.entry, each.best.entry))
    plan = replace(split.judge, policies=policy_entries(tuple(texts)))
    return BacktestResult.of(plan, perform_all(plan, plan.runs, jobs=jobs))


def _with_rows(tuned: Tuned, judged: BacktestResult) -> Tuned:
    rows = {row.policy: row for row in judged.traces[0].rows}
    return replace(tuned, given_row=rows[tuned.given.entry], best_row=rows[tuned.best.entry])


def _with_limits(tuned: Tuned, train: Backtest, *, with_optimum: bool) -> Tuned:
    """Where no setting kept the SLO: what would have to change for one to keep it."""
    if tuned.finding is not Finding.INFEASIBLE:
        return tuned
    _, spec = train.prepared[train.traces[0].name]
    said = []
    if tuned.best.scores and tuned.best.mean("most_replicas") >= spec.max_replicas:
        said.append(f"it reaches the bound of {spec.max_replicas} replicas (--max-replicas)")
    if with_optimum:
        said.append(_what_foresight_could(train))
    return replace(tuned, limits="; ".join(said))


def _what_foresight_could(train: Backtest) -> str:
    """Whether the SLO is out of reach for everybody, or for this policy alone."""
    optimum, why_not = _optimum(replace(train, seeds=1), jobs=1)
    if optimum is None:
        return why_not
    if not optimum.meets_slo:
        return "not even perfect foresight keeps it: more replicas, a shorter start, or a wider bound"
    cost = format_amount(optimum.mean("cost"))
    return f"perfect foresight keeps it for {cost}: what is missing comes too late; a shorter start helps"


def _optimum(plan: Backtest, jobs: int | None) -> tuple[Row | None, str]:
    """What perfect foresight does on a part; or why that is not known."""
    try:
        settings = replace(plan.settings, warm_up_s=0.0)  # the optimum counts the whole of a part
        plan = replace(plan, policies=policy_entries((OPTIMUM,)), settings=settings)
        return BacktestResult.of(plan, perform_all(plan, plan.runs, jobs=jobs)).traces[0].rows[0], ""
    except ParameterError as error:
        return None, str(error)
