"""What tuning came to, judged on what it was not tuned on, in words that do not flatter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hindscale.backtesting.result import Row
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.backtesting.tuning.space import SearchSpace
from hindscale.backtesting.tuning.trials import Trial
from hindscale.core.units import format_amount, percent

__all__ = ["Finding", "Tuned"]


class Finding(StrEnum):
    """What became of a policy's tuning."""

    HOLDS = "holds"  # what was found keeps the SLO on the rest, too
    AS_GIVEN = "as given"  # nothing better was found
    OVERFITS = "overfits"  # the SLO was kept in training and is missed on the rest
    NO_GAIN = "no gain"  # on the rest as given keeps the SLO, too, for no more
    INFEASIBLE = "infeasible"  # no setting keeps the SLO in training
    NOT_JUDGED = "not judged"  # interrupted before


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """A policy as it was given and as it was tuned, in training and on the rest.

    Attributes:
        space: What was varied.
        budget: What the SLO forgives in training.
        trials: Every setting that was tried; the first one is the policy as it was given.
        best: The one that was chosen.
        given_row: The policy as it was given, on the rest; None if it was not judged.
        best_row: The chosen one, on the rest; None likewise.
        limits: What keeps the SLO out of reach, where no setting kept it.
    """

    space: SearchSpace
    budget: ErrorBudget
    trials: tuple[Trial, ...]
    best: Trial
    given_row: Row | None = None
    best_row: Row | None = None
    limits: str = ""

    @property
    def given(self) -> Trial:
        """The policy as it was given, in training."""
        return self.trials[0]

    @property
    def finding(self) -> Finding:
        if not self.keeps(self.best):
            return Finding.INFEASIBLE
        if self.given_row is None or self.best_row is None:
            return Finding.NOT_JUDGED
        if not self.best_row.meets_slo:
            return Finding.OVERFITS
        if self.best.entry == self.given.entry:
            return Finding.AS_GIVEN
        is_dearer = self.best_row.mean("cost") >= self.given_row.mean("cost")
        if is_dearer and self.given_row.meets_slo and self.keeps(self.given):
            return Finding.NO_GAIN
        return Finding.HOLDS

    @property
    def recommended(self) -> str | None:
        """The policy's text to run; None where nothing that was tried can be recommended."""
        if self.finding in {Finding.HOLDS, Finding.AS_GIVEN}:
            return self.best.entry
        as_given_keeps = self.given_row is not None and self.given_row.meets_slo and self.keeps(self.given)
        return self.given.entry if as_given_keeps else None

    def keeps(self, trial: Trial) -> bool:
        """Whether a setting keeps the SLO in training."""
        return trial.spent(self.budget) <= 1

    def verdict(self) -> str:
        """The answer in words, and what the policy would not take."""
        refused = [trial.refused for trial in self.trials if trial.refused]
        if not refused:
            return self._answer()
        return f"{self._answer()}; {len(refused)} of {len(self.trials)} settings were refused: {refused[0]}"

    def _answer(self) -> str:
        name = self.given.entry
        match self.finding:
            case Finding.INFEASIBLE:
                return f"{name}: {self._nearest()}"
            case Finding.NOT_JUDGED:
                cost = format_amount(self.best.mean("cost"))
                return f"{name}: best so far is {self.best.entry}, {self._attained(self.best)} for {cost} in training"
            case Finding.AS_GIVEN:
                return f"{name}: nothing cheaper was found in {len(self.trials)} trials; leave it as it is"
            case Finding.OVERFITS:
                return f"{name}: {self._overfitted()}"
            case Finding.NO_GAIN:
                return f"{name}: {self._no_gain()}"
            case Finding.HOLDS:
                return f"{name}: use {self.best.entry}; {self._held()}"

    def _nearest(self) -> str:
        return (
            f"none of {len(self.trials)} settings keeps the SLO in training; nearest is {self.best.entry} with"
            f" {self._attained(self.best)}" + (f"; {self.limits}" if self.limits else "")
        )

    def _overfitted(self) -> str:
        assert self.best_row is not None
        advice = "train on more (--train), or keep more in reserve (--reserve)"
        instead = f"leave {self.recommended} as it is, " if self.recommended else ""
        kept = f"keeps {self._attained(self.best)} in training and {self._row_attained(self.best_row)} on the rest"
        if self.best.entry == self.given.entry:
            return f"nothing cheaper was found, and as given it {kept}; {advice}"
        return f"tuning overfits: {self.best.entry} {kept}; {instead}{advice}"

    def _no_gain(self) -> str:
        assert self.best_row is not None
        assert self.given_row is not None
        in_training = self.best.mean("cost") / self.given.mean("cost")
        on_rest = self.best_row.mean("cost") / self.given_row.mean("cost")
        costs = f"{self.best.entry} costs {in_training:.2f} times as much in training, {on_rest:.2f} on the rest"
        if in_training < 1:
            return f"{costs}: the gain was the training part's; leave it as it is"
        return f"{costs}: a reserve that the rest did not need; leave it as it is, or tune with a smaller --reserve"

    def _held(self) -> str:
        assert self.best_row is not None
        assert self.given_row is not None
        kept = f"it keeps {self._row_attained(self.best_row)} on the rest"
        given_cost = self.given_row.mean("cost")
        ratio = f"{self.best_row.mean('cost') / given_cost:.2f} times the cost" if given_cost else "no cost before"
        if not self.given_row.meets_slo:
            return f"{kept}, which as given is missed ({self._row_attained(self.given_row)}), for {ratio}"
        if not self.keeps(self.given):
            return f"{kept}, for {ratio}; as given the SLO is kept there, too, but was missed in training"
        return f"{kept}, for {ratio}"

    def _attained(self, trial: Trial) -> str:
        return self._in_words(trial.mean("slo_attainment"), trial.mean("minutes_attainment"))

    def _row_attained(self, row: Row) -> str:
        return self._in_words(row.mean("slo_attainment"), row.mean("minutes_attainment"))

    def _in_words(self, attainment: float, minutes: float) -> str:
        of_minutes = (
            "" if self.budget.slo.minutes_share is None else f" of the requests and {percent(minutes)} of the minutes"
        )
        return percent(attainment) + of_minutes

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "policy": self.given.entry,
            "finding": str(self.finding),
            "verdict": self.verdict(),
            "recommended": self.recommended,
            "tuned": self.best.entry,
            "space": self.space.described(),
            "training": {"given": self.given.to_dict(self.budget), "tuned": self.best.to_dict(self.budget)},
            "rest": {"given": _row_to_dict(self.given_row), "tuned": _row_to_dict(self.best_row)},
            "trials": [each.to_dict(self.budget) for each in self.trials],
        }


def _row_to_dict(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    figures = ("slo_attainment", "minutes_attainment", "p99_s", "cost", "mean_replicas", "most_replicas")
    return {"meets_slo": row.meets_slo, **{figure: row.mean(figure) for figure in figures}}
