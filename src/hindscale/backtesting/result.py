"""What a comparison came to: scores over seeds, who meets the SLO, and who does it cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.backtesting.backtest import Backtest, Outcome, PolicyEntry
from hindscale.backtesting.episodes import Episode, worst_episodes
from hindscale.backtesting.regret import FleetUse, Regret, regret
from hindscale.backtesting.series import RunSeries
from hindscale.backtesting.statistics import Estimate, estimate, mean_of
from hindscale.backtesting.sweep import pareto_front
from hindscale.core.units import format_amount, format_duration, percent
from hindscale.scoring import Scores

__all__ = ["BacktestResult", "Row", "TraceResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy on one trace, over all seeds that were run.

    Attributes:
        policy: Its label.
        name: The policy's name without parameters; settings of one policy have it in common.
        scores: One a seed.
        seeds: The seeds, in the same order.
        meets_slo: Whether the mean attainment keeps the objective.
        hindsight: Whether it was sized on this very recording: a yardstick, not a choice.
        least_cost: For the optimum, what no policy can go below, mean over seeds; None for the others.
        series: The first seed's run, as the report draws it; None if that run was not finished.
        regret: What the first seed's run paid above the least that anybody could, by cause; where the optimum is known.
        episodes: The stretches of that run that cost most.
    """

    policy: str
    name: str
    scores: tuple[Scores, ...]
    seeds: tuple[int, ...]
    meets_slo: bool
    hindsight: bool
    least_cost: float | None = None
    series: RunSeries | None
    regret: Regret | None = None
    episodes: tuple[Episode, ...] = ()

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"{self.policy} (hindsight)" if self.hindsight else self.policy

    def over_seeds(self, figure: str | Callable[[Scores], float]) -> Estimate:
        """Mean and confidence interval of a figure, such as "cost"."""
        return estimate(self._values(figure))

    def mean(self, figure: str | Callable[[Scores], float]) -> float:
        """Mean of a figure over seeds."""
        return mean_of(self._values(figure))

    def _values(self, figure: str | Callable[[Scores], float]) -> list[float]:
        get = figure if callable(figure) else lambda scores: float(getattr(scores, figure))
        return [get(scores) for scores in self.scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """All policies on one trace: those that meet the SLO first, cheapest first."""

    trace: str
    rows: tuple[Row, ...]

    @property
    def choices(self) -> tuple[Row, ...]:
        """The policies that meet the SLO and could have been chosen beforehand, cheapest first."""
        return tuple(row for row in self.rows if row.meets_slo and not row.hindsight)

    @property
    def front(self) -> tuple[Row, ...]:
        """Of those that could have been chosen beforehand, the ones that none beats in both cost and attainment.

        Where any keep the SLO, of those; attainments that print alike count as equal.
        """
        rows = self.choices or tuple(row for row in self.rows if not row.hindsight)
        attained = [round(row.mean("slo_attainment"), 4) for row in rows]
        return pareto_front(rows, [row.mean("cost") for row in rows], attained)

    @property
    def best(self) -> Row | None:
        """The cheapest of them; None if there is none."""
        return self.choices[0] if self.choices else None

    def verdict(self) -> str:
        """The answer in words."""
        if not self.rows:
            return "no run was finished"
        yardsticks = [self._against_foresight(row) for row in self.rows if row.least_cost is not None]
        if self.best is None:
            return "; ".join([*self._nobody(), *yardsticks, *self._swept()])
        first, *others = self._somebody(self.best)
        return "; ".join([first, *yardsticks, *others, *self._swept()])

    def _swept(self) -> list[str]:
        """Where one policy stands at several settings: those that nothing beats in both cost and attainment."""
        if len({row.name for row in self.rows}) == len(self.rows):
            return []
        return [f"nothing beats {', '.join(row.policy for row in self.front)} in both cost and attainment"]

    def _somebody(self, best: Row) -> list[str]:
        if len(self.choices) == 1:
            alone = "" if not any(row.hindsight and row.meets_slo for row in self.rows) else " without hindsight"
            parts = [f"only {best.policy} meets the SLO{alone}, for {self._cost(best)}"]
        else:
            parts = [f"{best.policy} is the cheapest that meets the SLO, for {self._cost(best)}"]
            parts.append(f"next is {self.choices[1].policy} at {self._ratio(self.choices[1])}")
        return parts + [
            f"{row.policy}, sized with hindsight, {'keeps' if row.meets_slo else 'misses'} it at {self._ratio(row)}"
            for row in self.rows
            if row.hindsight and row.least_cost is None
        ]

    def _nobody(self) -> list[str]:
        kept = [row.policy for row in self.rows if row.hindsight and row.meets_slo]
        but = f" but {' and '.join(kept)}, sized with hindsight" if kept else ""
        others = [row for row in self.rows if not row.hindsight] or ([] if kept else self.rows)
        if not others:
            return [f"no policy meets the SLO{but}"]
        nearest = max(others, key=lambda row: row.mean("slo_attainment"))
        attained = percent(nearest.mean("slo_attainment"))
        return [f"no policy meets the SLO{but}", f"nearest is {nearest.policy} with {attained}"]

    def _against_foresight(self, row: Row) -> str:
        """What perfect foresight came to, how far the best is from it, and what nobody can go below."""
        assert row.least_cost is not None
        bound = f"nobody can do it for less than {format_amount(row.least_cost)}"
        if self.best is None or not row.meets_slo or not row.mean("cost"):
            done = "did it" if row.meets_slo else "failed, too,"
            return f"perfect foresight {done} for {self._cost(row)}, and {bound}"
        share = self.best.mean("cost") / row.mean("cost")
        return f"that is {share:.2f} times what perfect foresight paid ({self._cost(row)}), and {bound}"

    def _cost(self, row: Row) -> str:
        return format_amount(row.mean("cost"))

    def _ratio(self, row: Row) -> str:
        best_cost = self.best.mean("cost") if self.best is not None else 0.0
        return f"{row.mean('cost') / best_cost:.2f} times" if best_cost else self._cost(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """The outcome of a comparison, complete or not.

    Attributes:
        backtest: What was compared.
        traces: One result a trace.
        finished_runs: Runs that were finished; fewer than asked for after an interruption.
    """

    backtest: Backtest
    traces: tuple[TraceResult, ...]
    finished_runs: int

    @classmethod
    def of(cls, backtest: Backtest, outcomes: Iterable[Outcome]) -> BacktestResult:
        """Gather outcomes, in whatever order they came."""
        ordered = sorted(outcomes, key=lambda outcome: (outcome.run.trace, outcome.run.entry, outcome.run.seed))
        traces = tuple(
            TraceResult(
                trace=trace.name,
                rows=_rows(backtest, trace.name, [each for each in ordered if each.run.trace == number]),
            )
            for number, trace in enumerate(backtest.traces)
        )
        return cls(backtest=backtest, traces=traces, finished_runs=len(ordered))

    @property
    def is_complete(self) -> bool:
        return self.finished_runs == len(self.backtest.runs)

    def table(self, *, width: int = 80) -> str:
        """The comparison as text, for a terminal of that width."""
        from hindscale.backtesting.table import render

        return render(self, width=width)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the scores of every run, and their summary over seeds."""
        return {
            "slo": str(self.backtest.slo),
            "finished_runs": self.finished_runs,
            "asked_runs": len(self.backtest.runs),
            "traces": [
                {
                    "trace": result.trace,
                    "verdict": result.verdict(),
                    "policies": [_row_to_dict(row, front) for row in result.rows],
                }
                for result, front in ((result, result.front) for result in self.traces)
            ],
        }

    def write_report(self, path: str | Path) -> None:
        """Write the comparison as one self-contained HTML page.

        Raises:
            OutputError: If it cannot be written.
        """
        from hindscale.backtesting.report import write_report

        write_report(self, path)


def _rows(backtest: Backtest, trace: str, outcomes: list[Outcome]) -> tuple[Row, ...]:
    yardstick = next((each for each in outcomes if each.least_cost is not None and each.use is not None), None)
    rows = []
    for number, entry in enumerate(backtest.policies):
        mine = [outcome for outcome in outcomes if outcome.run.entry == number]
        if mine:
            rows.append(_row(backtest, trace, entry, mine, yardstick))
    return tuple(sorted(rows, key=_rank))


def _row(backtest: Backtest, trace: str, entry: PolicyEntry, outcomes: list[Outcome], yardstick: Outcome | None) -> Row:
    scores = tuple(outcome.scores for outcome in outcomes)
    slo = backtest.slo
    meets = mean_of([each.slo_attainment for each in scores]) >= slo.percentile
    if slo.minutes_share is not None:
        meets = meets and mean_of([each.minutes_attainment for each in scores]) >= slo.minutes_share
    least_costs = [outcome.least_cost for outcome in outcomes if outcome.least_cost is not None]
    drawn = next((outcome for outcome in outcomes if outcome.series is not None), None)
    lost, episodes = _regret(backtest, drawn, yardstick)
    return Row(
        policy=entry.label,
        name=entry.name,
        scores=scores,
        seeds=tuple(outcome.run.seed for outcome in outcomes),
        meets_slo=meets,
        hindsight=entry.knows_the_future(backtest.prepared[trace][1]),
        least_cost=mean_of(least_costs) if least_costs else None,
        series=None if drawn is None else drawn.series,
        regret=lost,
        episodes=episodes,
    )


def _regret(
    backtest: Backtest, drawn: Outcome | None, yardstick: Outcome | None
) -> tuple[Regret | None, tuple[Episode, ...]]:
    """What the first seed's run lost against perfect foresight, and where."""
    if drawn is None or drawn.use is None or drawn.series is None or yardstick is None or drawn is yardstick:
        return None, ()
    assert isinstance(yardstick.use, FleetUse)
    assert yardstick.least_cost is not None
    price = backtest.service.price_per_replica_hour
    lost = regret(drawn.use, yardstick.use, price_per_replica_hour=price, least_cost=yardstick.least_cost)
    forgiven = 1 - backtest.slo.percentile
    return lost, worst_episodes(lost.series, drawn.series.actions, price_per_replica_hour=price, forgiven=forgiven)


def _rank(row: Row) -> tuple[bool, float]:
    """Those that meet the SLO by cost; the others by how much they miss it."""
    return (not row.meets_slo, row.mean("cost") if row.meets_slo else -row.mean("slo_attainment"))


def _row_to_dict(row: Row, front: tuple[Row, ...]) -> dict[str, Any]:
    figures = ("slo_attainment", "minutes_attainment", "p50_s", "p95_s", "p99_s", "cost", "replica_hours")
    return {
        "policy": row.policy,
        "meets_slo": row.meets_slo,
        "on_front": any(row is each for each in front),
        "hindsight": row.hindsight,
        **({} if row.least_cost is None else {"least_cost": row.least_cost}),
        **({} if row.regret is None else {"regret": row.regret.to_dict()}),
        **({} if not row.episodes else {"episodes": [episode.to_dict() for episode in row.episodes]}),
        "over_seeds": {figure: row.over_seeds(figure).to_dict() for figure in figures},
        "runs": [{"seed": seed, **scores.to_dict()} for seed, scores in zip(row.seeds, row.scores, strict=True)],
    }


def describe_scale(result: BacktestResult, trace: str) -> str:
    """What a comparison was made on, in one line."""
    backtest = result.backtest
    found = next(each for each in backtest.traces if each.name == trace)
    requests = int(getattr(found, "total_requests", 0))
    spec = backtest.prepared[trace][1]
    peak = f", peak {_rate(spec.peak_rate_rps)}" if spec.peak_rate_rps is not None else ""
    return (
        f"{trace}: {format_duration(found.duration_s)}, {requests:,} requests"
        f" ({_rate(requests / found.duration_s)}{peak})"
    )


def _rate(rps: float) -> str:
    return f"{rps:,.0f}/s" if rps >= 100 else f"{rps:.3g}/s"
