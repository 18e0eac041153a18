"""The comparison as a table in a terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from hindscale.backtesting.regret import PARTS
from hindscale.backtesting.result import BacktestResult, Row, TraceResult, describe_scale
from hindscale.backtesting.statistics import Estimate
from hindscale.core.units import format_amount, format_duration, percent
from hindscale.scoring import Scores

__all__ = ["lost_share", "money", "render"]


def render(result: BacktestResult, *, width: int = 80, color: bool = False) -> str:
    """All traces, one table each, with the verdict below.

    Args:
        width: Columns of the terminal; everything essential fits into 80.
        color: Whether to use ANSI colours.
    """
    sink = io.StringIO()
    console = Console(file=sink, width=width, force_terminal=color, color_system="standard" if color else None)
    backtest = result.backtest
    for trace_result in result.traces:
        console.print(f"\n{describe_scale(result, trace_result.trace)}", highlight=False, soft_wrap=True)
        console.print(
            f"{backtest.service.name}: SLO {backtest.slo}, decision every"
            f" {format_duration(backtest.control_interval_s)}, {backtest.seeds} seed{'s' * (backtest.seeds > 1)}",
            highlight=False,
            soft_wrap=True,
        )
        console.print(_table(trace_result, width=width))
        console.print(f"→ {trace_result.verdict()}", highlight=False)
        if any(row.regret is not None for row in trace_result.rows):
            console.print(_regret_table(trace_result))
    if not result.is_complete:
        console.print(f"! {result.finished_runs} of {len(backtest.runs)} runs were finished", highlight=False)
    return sink.getvalue().strip("\n") + "\n"


def _table(result: TraceResult, *, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("", width=1)
    table.add_column("policy", overflow="fold", ratio=1)
    columns = [column for column in _COLUMNS if width >= column.from_width]
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    best_cost = result.best.mean("cost") if result.best else math.nan
    for row in result.rows:
        cells = [column.cell(row, best_cost) for column in columns]
        table.add_row("✓" if row.meets_slo else "✗", row.label, *cells, style="" if row.meets_slo else "dim")
    return table


def _regret_table(result: TraceResult) -> Table:
    """What was paid above the least that anybody could, by cause."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("regret, %", overflow="fold", ratio=1)
    for heading in ("total", *PARTS):
        table.add_column(_SHORT_HEADINGS.get(heading, heading), justify="right", no_wrap=True)
    for row in result.rows:
        if row.regret is not None:
            shares = row.regret.shares()
            # + 0.0: a hundredth below nothing is not "-0.0".
            cells = [f"{round(shares[name] * 100, 1) + 0.0:.1f}" for name in ("total", *PARTS)]
            table.add_row(row.policy, *cells, style="" if row.meets_slo else "dim")
    return table


_SHORT_HEADINGS = {"unavoidable": "unavoid."}


class _Column(NamedTuple):
    heading: str
    cell: Callable[[Row, float], str]
    from_width: int = 0  # terminals narrower than this go without


_COLUMNS = (
    _Column("in SLO", lambda row, _: percent(row.mean("slo_attainment"))),
    _Column("minutes", lambda row, _: percent(row.mean("minutes_attainment")), 90),
    _Column("p50", lambda row, _: format_duration(row.mean("p50_s")), 100),
    _Column("p99", lambda row, _: format_duration(row.mean("p99_s"))),
    _Column("lost", lambda row, _: percent(row.mean(lost_share)), 110),
    _Column("cost ±95%", lambda row, _: money(row.over_seeds("cost"))),
    _Column("×best", lambda row, best: "-" if not best > 0 else f"{row.mean('cost') / best:.2f}"),
    _Column("mean/max", lambda row, _: f"{row.mean('mean_replicas'):.1f}/{row.mean('most_replicas'):.0f}"),
    _Column("actions", lambda row, _: f"{row.mean('scaling_actions'):,.0f}"),
)


def lost_share(scores: Scores) -> float:
    """Share of requests that were never answered."""
    lost = scores.dropped + scores.timed_out + scores.failed + scores.cut + scores.unserved
    return lost / scores.requests if scores.requests else math.nan


def money(cost: Estimate) -> str:
    """A cost and the half width of its interval, with as many decimals.

    >>> money(Estimate(1294.8, 1.25)), money(Estimate(3.14159, float("nan")))
    ('1,295 ±1', '3.14')
    """
    text = format_amount(cost.mean)
    return text if math.isnan(cost.half_width) else f"{text} ±{format_amount(cost.half_width, scale=cost.mean)}"
