"""What a trial came to, and how it is ranked: first keep the SLO, then be cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hindscale.backtesting.statistics import mean_of
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.scoring import Scores

__all__ = ["Trial", "best_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting of a policy on the training part.

    Attributes:
        number: Which one it was; 0 is the policy as it was given.
        entry: The policy's text.
        scores: One a seed that was run; empty for a setting that the policy refuses.
        is_pruned: Whether it was given up after the first seed.
        refused: What the policy said to that setting.
    """

    number: int
    entry: str
    scores: tuple[Scores, ...]
    is_pruned: bool = False
    refused: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every seed was run."""
        return bool(self.scores) and not self.is_pruned

    def mean(self, figure: str) -> float:
        """Mean of a figure over the seeds that were run."""
        return mean_of([float(getattr(each, figure)) for each in self.scores])

    def spent(self, budget: ErrorBudget) -> float:
        """Share of the error budget that was spent, by the means over seeds."""
        return budget.spent(attainment=self.mean("slo_attainment"), minutes=self.mean("minutes_attainment"))

    def to_dict(self, budget: ErrorBudget) -> dict[str, Any]:
        """Plain values for JSON."""
        if not self.scores:
            return {"number": self.number, "policy": self.entry, "refused": self.refused}
        figures = ("slo_attainment", "minutes_attainment", "p99_s", "cost", "mean_replicas", "most_replicas")
        return {
            "number": self.number,
            "policy": self.entry,
            "seeds": len(self.scores),
            "pruned": self.is_pruned,
            "budget_spent": self.spent(budget),
            **{figure: self.mean(figure) for figure in figures},
        }


def best_of(trials: Sequence[Trial], budget: ErrorBudget) -> Trial | None:
    """The cheapest that leaves the reserve of the error budget; else the cheapest that keeps the SLO; else the nearest.

    Only trials that were run with every seed count; None if there are none.
    """

    def rank(trial: Trial) -> tuple[bool, bool, float]:
        spent = trial.spent(budget)
        misses = spent > 1
        return misses, budget.overspent(spent) > 0, spent if misses else trial.mean("cost")

    return min((each for each in trials if each.is_whole), key=rank, default=None)
