"""Tuning as a table in a terminal."""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table

from hindscale.backtesting.result import Row
from hindscale.backtesting.tuning.judgement import Tuned
from hindscale.backtesting.tuning.trials import Trial
from hindscale.backtesting.tuning.tuning import Tuning
from hindscale.core.units import format_amount, format_duration, percent

__all__ = ["render"]


def render(tuning: Tuning, *, width: int = 80) -> str:
    """Both parts side by side, and the verdicts below.

    Args:
        tuning: What came out.
        width: Columns of the terminal; everything essential fits into 80.
    """
    sink = io.StringIO()
    console = Console(file=sink, width=width, color_system=None)
    for line in _heading(tuning):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_table(tuning))
    for each in tuning.policies:
        console.print(f"→ {each.verdict()}", highlight=False, soft_wrap=True)
    for line in _closing(tuning):
        console.print(line, highlight=False, soft_wrap=True)
    return sink.getvalue().strip("\n") + "\n"


def _heading(tuning: Tuning) -> list[str]:
    split, plan = tuning.split, tuning.split.train
    first, rest = format_duration(split.train_s), format_duration(split.rest_s)
    seeds, reserve = f"{plan.seeds} seed{'s' * (plan.seeds > 1)}", f"{tuning.budget.reserve:.0%}"
    return [
        f"{plan.traces[0].name}: tuned on the first {first}, judged on the {rest} after",
        f"{plan.service.name}: SLO {plan.slo}, {seeds}, {reserve} of the error budget in reserve",
    ]


def _table(tuning: Tuning) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", width=1)
    table.add_column("policy", overflow="fold", ratio=1)
    for heading in ("in SLO:\ntuned on", "\njudged", "cost:\ntuned on", "\njudged", "\n×given"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in tuning.policies:
        given = each.given_row
        table.add_row(*_cells(each, "as given", each.given, given, given))
        table.add_row(*_cells(each, "tuned", each.best, each.best_row, given))
    if tuning.optimum is not None:
        row = tuning.optimum
        mark = "✓" if row.meets_slo else "✗"
        table.add_row(mark, "optimum (hindsight)", "", _attained(row), "", format_amount(row.mean("cost")), "")
    return table


def _cells(tuned: Tuned, what: str, trial: Trial, row: Row | None, given: Row | None) -> tuple[str, ...]:
    keeps = tuned.keeps(trial) if row is None else row.meets_slo
    cost = None if row is None else row.mean("cost")
    base = None if given is None else given.mean("cost")
    return (
        "✓" if keeps else "✗",
        f"{tuned.given.entry}, {what}",
        percent(trial.mean("slo_attainment")),
        _attained(row),
        format_amount(trial.mean("cost")),
        "" if cost is None else format_amount(cost),
        f"{cost / base:.2f}" if cost is not None and base else "",
    )


def _attained(row: Row | None) -> str:
    return "" if row is None else percent(row.mean("slo_attainment"))


def _closing(tuning: Tuning) -> list[str]:
    said = []
    if tuning.optimum is not None and tuning.optimum.least_cost is not None:
        said.append(
            f"→ where they were judged nobody can do it for less than {format_amount(tuning.optimum.least_cost)}"
        )
    if len(tuning.policies) > 1 and tuning.best is not None:
        said.append(f"→ the cheapest of them where they were judged is {tuning.best}")
    if tuning.without_optimum:
        said.append(f"! without the optimum: {tuning.without_optimum}")
    if tuning.is_interrupted:
        trials = sum(len(each.trials) for each in tuning.policies)
        said.append(f"! interrupted after {trials} trials; the same command with the same --out goes on from there")
    return said
