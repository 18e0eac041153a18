"""The search for the cheapest setting that keeps the SLO on the training part.

Optuna's sampler (a tree-structured Parzen estimator with a constraint) says what to try next. It is asked for a
batch at a time, and told in the order it was asked in, so that the same settings are tried whoever performs the
runs and however many at once. The first settings are the policy as it is given and a walk along its main parameter.

A setting is run with the first seed. It is pruned, and its other seeds are not run, when that seed alone shows that
it cannot win: it misses the SLO clearly, or costs more than the best so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.backtesting.tuning.executors import Executor, Task
from hindscale.backtesting.tuning.journal import Journal
from hindscale.backtesting.tuning.space import Choices, Dimension, Numbers, SearchSpace
from hindscale.backtesting.tuning.trials import Trial, best_of
from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.distributions import BaseDistribution

__all__ = ["DEFAULT_RESERVE", "DEFAULT_TRIALS", "Search"]

DEFAULT_TRIALS = 40
DEFAULT_RESERVE = 0.5
BATCH = 4
WALK = 5
RANDOM = 10
"""Settings before the sampler begins to learn; the walk is among them."""
HOPELESS_BUDGET = 1.1
HOPELESS_COST = 1.01
_REFUSED = 1e9
OnTrial = Callable[[Trial, Trial], None]


@dataclass(frozen=True, kw_only=True)
class Search:
    """One policy's search.

    Attributes:
        space: What is varied.
        spec: The service of the training part.
        seeds: Seeds that a setting is run with.
        budget: What the SLO forgives, and how much of it should be left.
        trials: Settings to try, the policy as it is given among them; >= 1.
        seed: Of the sampler.
    """

    space: SearchSpace
    spec: ServiceSpec
    seeds: tuple[int, ...]
    budget: ErrorBudget
    trials: int = DEFAULT_TRIALS
    seed: int = 0

    def __post_init__(self) -> None:
        require_at_least(1, trials=self.trials)

    def run(self, executor: Executor, journal: Journal, *, done: list[Trial], on_trial: OnTrial) -> None:
        """Try settings and add each to `done`, so that an interruption leaves those that were finished."""
        self._add(done, self._tried([self.space.entry], executor, journal, done), on_trial)
        replace(self, budget=self.budget_beside(done))._vary(executor, journal, done, on_trial)

    def budget_beside(self, done: Sequence[Trial]) -> ErrorBudget:
        """The budget, with no more reserve than the first trial, the policy as it is given, leaves."""
        return self.budget.beside(done[0].spent(self.budget))

    def _vary(self, executor: Executor, journal: Journal, done: list[Trial], on_trial: OnTrial) -> None:
        study = _study(self.seed)
        distributions = {each.parameter: _distribution(each) for each in self.space.dimensions}
        if self.space.default is not None:
            study.enqueue_trial(dict(self.space.default))
            self._tell(study, study.ask(distributions), done[0])
        for point in self.space.walk(WALK):
            study.enqueue_trial(dict(point))
        while len(done) < self.trials:
            asked = [study.ask(distributions) for _ in range(min(BATCH, self.trials - len(done)))]
            entries = [self.space.entry_at(each.params) for each in asked]
            tried = self._tried(entries, executor, journal, done)
            for each, trial in zip(asked, tried, strict=True):
                self._tell(study, each, trial)
            self._add(done, tried, on_trial)

    def _tell(self, study: Study, asked: OptunaTrial, trial: Trial) -> None:
        """Let the sampler know what a setting came to; one that is refused breaks the constraint by far."""
        asked.set_constraint("budget", self.budget.overspent(trial.spent(self.budget)) if trial.scores else _REFUSED)
        study.tell(asked, trial.mean("cost") if trial.scores else _REFUSED)

    def _add(self, done: list[Trial], tried: Sequence[Trial], on_trial: OnTrial) -> None:
        for trial in tried:
            done.append(trial)
            best = best_of(done, self.budget)
            on_trial(trial, best or trial)

    def _tried(
        self, entries: Sequence[str], executor: Executor, journal: Journal, done: Sequence[Trial]
    ) -> list[Trial]:
        """Trials of a batch: all with the first seed, then those with the others that are not pruned."""
        refused = {entry: said for entry in entries if (said := self._refusal(entry))}
        first, *others = self.seeds
        able = [entry for entry in entries if entry not in refused]
        scores = journal.perform(executor, [Task(entry, first) for entry in able])
        best = best_of(done, self.budget)
        pruned = {entry for entry in able if self._is_hopeless(entry, scores, best)}
        scores |= journal.perform(
            executor, [Task(entry, seed) for entry in able if entry not in pruned for seed in others]
        )
        return [
            Trial(
                number=len(done) + index,
                entry=entry,
                scores=tuple(scores[task] for seed in self.seeds if (task := Task(entry, seed)) in scores),
                is_pruned=entry in pruned,
                refused=refused.get(entry, ""),
            )
            for index, entry in enumerate(entries)
        ]

    def _refusal(self, entry: str) -> str:
        """What the policy says to a setting that it does not take; empty if it takes it."""
        try:
            policy_entries((entry,))[0].build(self.spec)
        except ParameterError as error:
            return str(error)
        return ""

    def _is_hopeless(self, entry: str, scores: Mapping[Task, Any], best: Trial | None) -> bool:
        """Whether the first seed shows that a setting cannot win. With no other seeds there is nothing to save."""
        if best is None or len(self.seeds) == 1:
            return False
        once = Trial(number=0, entry=entry, scores=(scores[Task(entry, self.seeds[0])],))
        if once.spent(self.budget) > HOPELESS_BUDGET:
            return True
        leaves_reserve = self.budget.overspent(best.spent(self.budget)) <= 0
        # The same seed on both sides: arrivals and service times are the same.
        return leaves_reserve and once.mean("cost") > HOPELESS_COST * best.scores[0].cost


def _study(seed: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM))


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    assert isinstance(dimension, Numbers)
    if dimension.is_whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.is_log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.is_log)
