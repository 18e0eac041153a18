"""What alternatives are worth, as a table in a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from hindscale.backtesting.result import Row, describe_scale
from hindscale.backtesting.table import money
from hindscale.backtesting.what_if import Answer, WhatIfResult, signed
from hindscale.core.units import format_duration, percent

__all__ = ["render"]

WITH_LATENCY = 96  # terminals narrower than this go without


def render(result: WhatIfResult, *, width: int = 80) -> str:
    """All traces, one table each, with what each alternative is worth below.

    Args:
        width: Columns of the terminal; everything essential fits into 80.
    """
    sink = io.StringIO()
    console = Console(file=sink, width=width, color_system=None, highlight=False)
    base = result.question.base
    asked = f"SLO {base.slo}, {base.seeds} seed{'s' * (base.seeds > 1)}; a month is 30 days of this traffic"
    for number, before in enumerate(result.base.traces):
        answers = result.answers(number)
        console.print(f"\n{describe_scale(result.base, before.trace)}", soft_wrap=True)
        console.print(f"{base.service.name}: {asked}", soft_wrap=True)
        console.print(_table(before.rows, answers, with_latency=width >= WITH_LATENCY))
        for line in (f"base: {before.verdict()}", *(answer.verdict() for answer in answers)):
            console.print(f"→ {line}")
    if not result.is_complete:
        console.print(f"! {result.finished_runs} of {result.question.asked_runs} runs were finished")
    return sink.getvalue().strip("\n") + "\n"


def _table(before: Sequence[Row], answers: Sequence[Answer], *, with_latency: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", width=1)
    table.add_column("policy", overflow="fold", ratio=1)
    for heading in ("in SLO", *(["p99"] if with_latency else []), "cost ±95%", "difference", "a month"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("", "base")
    for row in before:
        table.add_row(*_cells(row, with_latency))
    for answer in answers:
        table.add_section()
        table.add_row("", answer.alternative.text)
        for effect in answer.effects:
            table.add_row(*_cells(effect.after, with_latency), signed(effect.cost), signed(effect.monthly_cost))
    return table


def _cells(row: Row, with_latency: bool) -> tuple[str, ...]:
    latency = (format_duration(row.mean("p99_s")),) if with_latency else ()
    attained = percent(row.mean("slo_attainment"))
    return ("✓" if row.meets_slo else "✗", row.label, attained, *latency, money(row.over_seeds("cost")))
