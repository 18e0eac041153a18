"""What-if: the same policies on the same seeds with something changed, and what the change is worth in money.

The base and each alternative are comparisons of their own. With one seed they meet the same draws of chance (common
random numbers), so that a difference is taken seed by seed, and its interval is that of the differences: far narrower
than the two costs' own, since what chance adds to both falls out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hindscale.backtesting.alternatives import Alternative
from hindscale.backtesting.backtest import Backtest, Outcome
from hindscale.backtesting.result import BacktestResult, Row, TraceResult
from hindscale.backtesting.statistics import Estimate, estimate
from hindscale.backtesting.table import money
from hindscale.backtesting.workers import perform_all
from hindscale.core.errors import ParameterError
from hindscale.core.units import MONTH_S, format_amount, percent

__all__ = ["Answer", "Effect", "WhatIf", "WhatIfResult", "paired", "signed", "what_if"]

BASE = "base"


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """A comparison, and what could be different about it.

    Attributes:
        base: The comparison as it is.
        alternatives: What could be; each is set against the base, not against the one before.
    """

    base: Backtest
    alternatives: tuple[Alternative, ...]

    def __post_init__(self) -> None:
        if not self.alternatives:
            raise ParameterError("what-if needs at least one alternative, was given none; say one, as traffic=2x")
        names = [BASE, *(each.name for each in self.alternatives)]
        for name in names:
            if names.count(name) > 1:
                raise ParameterError(f"each alternative must have a name of its own, but {name!r} appears twice")
        _ = self.plans  # built here, so that a mistake shows before the first run

    @cached_property
    def plans(self) -> tuple[Backtest, ...]:
        """The comparison as it is, then as each alternative has it."""
        return (self.base, *(each.of(self.base) for each in self.alternatives))

    @property
    def asked_runs(self) -> int:
        """Runs of the base and of all alternatives."""
        return sum(len(plan.runs) for plan in self.plans)

    def perform(self, *, jobs: int | None = None) -> Generator[tuple[int, Outcome], None, None]:
        """Every run, the base's first, with the number of the plan that it belongs to."""
        for number, plan in enumerate(self.plans):
            with closing(perform_all(plan, plan.runs, jobs=jobs)) as outcomes:
                for outcome in outcomes:
                    yield number, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an alternative does to one policy on one trace.

    Attributes:
        before: The policy in the base.
        after: The policy in the alternative.
        cost: Difference in the cost of a run, after - before, seed by seed.
        monthly_cost: The same for a month of such traffic.
    """

    before: Row
    after: Row
    cost: Estimate
    monthly_cost: Estimate

    @classmethod
    def of(cls, before: Row, after: Row, runs_per_month: float) -> Effect:
        """The difference between a policy before and one after; they need not be the same."""
        cost = paired(before, after)
        monthly = Estimate(cost.mean * runs_per_month, cost.half_width * runs_per_month)
        return cls(before=before, after=after, cost=cost, monthly_cost=monthly)

    @property
    def share(self) -> float:
        """The difference as a share of the cost before; NaN where that was nothing."""
        cost = self.before.mean("cost")
        return self.cost.mean / cost if cost else float("nan")

    @property
    def may_be_chance(self) -> bool:
        """Whether the interval of the difference holds zero."""
        return abs(self.cost.mean) <= self.cost.half_width

    def in_words(self) -> str:
        """What it is worth in a month: `saves 310 ±12 a month (-2.3%)`."""
        if self.cost.mean == 0:
            return "changes nothing in the cost"
        size = money(Estimate(abs(self.monthly_cost.mean), self.monthly_cost.half_width))
        if self.may_be_chance:
            return f"changes the cost by {signed(self.monthly_cost)} a month, which may be chance"
        return f"{'saves' if self.cost.mean < 0 else 'costs'} {size} a month ({self.share:+.1%})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an alternative is worth on one trace.

    Attributes:
        alternative: What would be different.
        before: All policies in the base.
        after: All policies in the alternative.
        runs_per_month: How often the trace fits into a month.
    """

    alternative: Alternative
    before: TraceResult
    after: TraceResult
    runs_per_month: float

    @property
    def name(self) -> str:
        """What the alternative is called."""
        return self.alternative.name

    @property
    def effects(self) -> tuple[Effect, ...]:
        """One a policy that was run in both, in the order of the alternative's ranking."""
        before = {row.policy: row for row in self.before.rows}
        both = [(before[row.policy], row) for row in self.after.rows if row.policy in before]
        return tuple(Effect.of(first, second, self.runs_per_month) for first, second in both)

    @property
    def worth(self) -> Effect | None:
        """From the cheapest policy that meets the SLO before to the cheapest after; None if one of them is missing."""
        if self.before.best is None or self.after.best is None:
            return None
        return Effect.of(self.before.best, self.after.best, self.runs_per_month)

    @property
    def changes_the_choice(self) -> bool:
        """Whether another policy is now the cheapest that meets the SLO, or none is any more."""
        first, second = (None if each.best is None else each.best.policy for each in (self.before, self.after))
        return first != second

    def verdict(self) -> str:
        """The answer in words."""
        if not self.before.rows or not self.after.rows:
            return f"{self.name}: no run was finished"
        if self.after.best is None:
            return f"{self.name}: {self._nobody()}"
        policy, worth = self.after.best.policy, self.worth
        if worth is None:
            monthly = format_amount(self.after.best.mean("cost") * self.runs_per_month)
            return f"{self.name}: {policy} then meets the SLO, which no policy did, for {monthly} a month"
        choice = f"; choose {policy} then, not {worth.before.policy}" if self.changes_the_choice else f", with {policy}"
        return f"{self.name} {worth.in_words()}{choice}"

    def _nobody(self) -> str:
        rows = [row for row in self.after.rows if not row.hindsight]
        if not rows:
            return "no policy that could be chosen beforehand is among them"
        so_far = "any more" if self.before.best is not None else "either"
        nearest = max(rows, key=lambda row: row.mean("slo_attainment"))
        attained = percent(nearest.mean("slo_attainment"))
        return f"no policy meets the SLO {so_far}; nearest is {nearest.label} with {attained}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        best, worth = self.after.best, self.worth
        return {
            "trace": self.after.trace,
            "verdict": self.verdict(),
            "best": None if best is None else best.policy,
            "changes_the_choice": self.changes_the_choice,
            "worth_a_month": None if worth is None else worth.monthly_cost.to_dict(),
            "policies": [
                {
                    "policy": effect.after.policy,
                    "met_slo": effect.before.meets_slo,
                    "meets_slo": effect.after.meets_slo,
                    "cost": effect.cost.to_dict(),
                    "monthly_cost": effect.monthly_cost.to_dict(),
                    "slo_attainment": paired(effect.before, effect.after, "slo_attainment").to_dict(),
                }
                for effect in self.effects
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfResult:
    """What came out, complete or not.

    Attributes:
        question: What was asked.
        results: The base's result, then each alternative's.
    """

    question: WhatIf
    results: tuple[BacktestResult, ...]

    @classmethod
    def of(cls, question: WhatIf, performed: Iterable[tuple[int, Outcome]]) -> WhatIfResult:
        """Gather outcomes, in whatever order they came."""
        outcomes: list[list[Outcome]] = [[] for _ in question.plans]
        for number, outcome in performed:
            outcomes[number].append(outcome)
        pairs = zip(question.plans, outcomes, strict=True)
        return cls(question=question, results=tuple(BacktestResult.of(plan, done) for plan, done in pairs))

    @property
    def base(self) -> BacktestResult:
        """The comparison as it is."""
        return self.results[0]

    @property
    def finished_runs(self) -> int:
        """Runs that were finished; fewer than asked for after an interruption."""
        return sum(result.finished_runs for result in self.results)

    @property
    def is_complete(self) -> bool:
        return self.finished_runs == self.question.asked_runs

    def answers(self, trace: int) -> tuple[Answer, ...]:
        """What each alternative is worth on the trace of that number."""
        return tuple(
            Answer(
                alternative=alternative,
                before=self.base.traces[trace],
                after=result.traces[trace],
                runs_per_month=MONTH_S / _scored_s(self.question.base, trace),
            )
            for alternative, result in zip(self.question.alternatives, self.results[1:], strict=True)
        )

    def write_report(self, path: str | Path) -> None:
        """Write the answers as one self-contained HTML page.

        Raises:
            OutputError: If it cannot be written.
        """
        from hindscale.backtesting.report.what_if import write_what_if

        write_what_if(self, path)

    def table(self, *, width: int = 80) -> str:
        """The answers as text, for a terminal of that width."""
        from hindscale.backtesting.what_if_table import render

        return render(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the base, and each alternative with what it is worth."""
        answers = list(zip(*(self.answers(trace) for trace in range(len(self.base.traces))), strict=True))
        return {
            "base": self.base.to_dict(),
            "alternatives": [
                {
                    "name": alternative.name,
                    "changes": dict(alternative.changes),
                    "answers": [answer.to_dict() for answer in mine],
                    **result.to_dict(),
                }
                for alternative, result, mine in zip(self.question.alternatives, self.results[1:], answers, strict=True)
            ],
        }


def what_if(base: Backtest, alternatives: Sequence[str | Alternative], *, jobs: int | None = None) -> WhatIfResult:
    """Run a comparison as it is and as each alternative has it.

    Args:
        base: The comparison as it is.
        alternatives: Texts such as `"traffic=2x"`, or finished ones.
        jobs: Processes; None for one a core where that pays.

    Raises:
        ParameterError: If an alternative cannot be read or does not fit.
    """
    parsed = tuple(Alternative.parse(each) if isinstance(each, str) else each for each in alternatives)
    question = WhatIf(base=base, alternatives=parsed)
    return WhatIfResult.of(question, question.perform(jobs=jobs))


def paired(before: Row, after: Row, figure: str = "cost") -> Estimate:
    """Mean and interval of after - before over the seeds that both were run with."""
    first, second = (dict(zip(row.seeds, row.scores, strict=True)) for row in (before, after))
    seeds = sorted(first.keys() & second.keys())
    return estimate([float(getattr(second[seed], figure)) - float(getattr(first[seed], figure)) for seed in seeds])


def signed(amount: Estimate) -> str:
    """A difference in money with its sign and its interval.

    >>> signed(Estimate(-310.2, 12.0)), signed(Estimate(0.0, 0.0))
    ('-310 ±12', '0')
    """
    if amount.mean == 0 and amount.half_width == 0:
        return "0"
    return ("-" if amount.mean < 0 else "+") + money(Estimate(abs(amount.mean), amount.half_width))


def _scored_s(backtest: Backtest, trace: int) -> float:
    return backtest.traces[trace].duration_s - backtest.settings.warm_up_s
