"""What a trained network is worth on days that nothing was chosen on, beside others: as a table and as a page."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hindscale.backtesting.backtest import OPTIMUM, Backtest, Outcome, policy_entries
from hindscale.backtesting.result import BacktestResult, Row
from hindscale.backtesting.statistics import Estimate, estimate
from hindscale.backtesting.workers import perform_all
from hindscale.cli._training import Trained, days_of
from hindscale.core.files import atomic_writer
from hindscale.core.units import format_amount, percent
from hindscale.guardrails.stabilization import Stabilization
from hindscale.training.action_map import action_map
from hindscale.training.files import write_network
from hindscale.training.report import ComparedRow, TrainingPage, render

__all__ = ["Compared", "Comparison", "judged", "written_report"]

SEEDS_JUDGED = 3
UPPER = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
LOWER_OF_UPPER = (0.6, 0.75, 0.88)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A policy on the held-out part of a trace."""

    trace: str
    policy: str
    meets_slo: bool
    attained: Estimate
    cost: Estimate
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The network, all networks, and others, on days that none was chosen on."""

    rows: tuple[Compared, ...]

    def printed(self) -> list[ComparedRow]:
        """The rows as texts."""
        several = len({row.trace for row in self.rows}) > 1
        return [
            ComparedRow(
                policy=f"{row.trace}: {row.policy}" if several else row.policy,
                meets_slo=row.meets_slo,
                attained=_within(percent(row.attained.mean), f"{row.attained.half_width:.2%}"),
                cost=_within(format_amount(row.cost.mean), format_amount(row.cost.half_width, scale=row.cost.mean)),
                ratio=f"{row.ratio:.2f}",
            )
            for row in self.rows
        ]

    def table(self) -> str:
        """The rows as a text table."""
        rows = [
            ("", "in SLO", "cost", "x optimum"),
            *((_marked(row), row.attained, row.cost, row.ratio) for row in self.printed()),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines) + "\n"


def _marked(row: ComparedRow) -> str:
    return f"{'✓' if row.meets_slo else '✗'} {row.policy}"


def _within(mean: str, half_width: str) -> str:
    return mean if half_width.startswith("nan") else f"{mean} ± {half_width}"


def judged(outcome: Trained, *, jobs: int | None) -> Comparison:
    """The networks beside tuned thresholds, the forecast and the optimum, on the held-out days."""
    rows: list[Compared] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for run, network in zip(outcome.runs, outcome.networks, strict=True):
            paths.append(str(Path(folder) / f"seed-{run.seed}.safetensors"))
            write_network(paths[-1], network)
        for calibrating, held_out in zip(outcome.calibrating, outcome.held_out, strict=True):
            rows += _judged(calibrating, held_out, paths, outcome.best, jobs)
    return Comparison(rows=tuple(rows))


def _judged(calibrating: Backtest, held_out: Backtest, paths: list[str], best: int, jobs: int | None) -> list[Compared]:
    policies = [*(f"dqn:path={path}" for path in paths), "predictive", OPTIMUM]
    others = _performed(held_out, policies, (Stabilization(),), jobs)
    tuned, guardrails = _tuned_thresholds(calibrating, jobs)
    thresholds = _performed(held_out, [tuned], guardrails, jobs)
    window = "no stabilization" if not guardrails else "stabilization"
    rows = []
    for known, alone in zip(others.traces, thresholds.traces, strict=True):
        found = {row.policy: row for row in known.rows}
        optimum, networks = found[OPTIMUM], [found[f"dqn:path={path}"] for path in paths]
        shown = [("dqn", networks[best]), (f"{tuned}, {window}", alone.rows[0])]
        shown += [("predictive", found["predictive"]), ("optimum (hindsight)", optimum)]
        lines = [_compared(known.trace, name, row, optimum) for name, row in shown]
        if len(networks) > 1:
            lines.insert(1, _over_networks(known.trace, networks, optimum, held_out))
        rows += lines
    return rows


def _compared(trace: str, name: str, row: Row, optimum: Row) -> Compared:
    return Compared(
        trace=trace,
        policy=name,
        meets_slo=row.meets_slo,
        attained=row.over_seeds("slo_attainment"),
        cost=row.over_seeds("cost"),
        ratio=row.mean("cost") / optimum.mean("cost"),
    )


def _over_networks(trace: str, networks: Sequence[Row], optimum: Row, plan: Backtest) -> Compared:
    """All training seeds, each as the mean over its runs: how much luck there is in training."""
    attained = estimate([row.mean("slo_attainment") for row in networks])
    cost = estimate([row.mean("cost") for row in networks])
    return Compared(
        trace=trace,
        policy=f"dqn, mean of {len(networks)} training seeds",
        meets_slo=attained.mean >= plan.slo.percentile,
        attained=attained,
        cost=cost,
        ratio=cost.mean / optimum.mean("cost"),
    )


def _performed(
    plan: Backtest, policies: Sequence[str], guardrails: tuple[Any, ...], jobs: int | None, *, seeds: int = SEEDS_JUDGED
) -> BacktestResult:
    plan = replace(plan, policies=policy_entries(tuple(policies)), guardrails=guardrails, seeds=seeds)
    outcomes: list[Outcome] = list(perform_all(plan, plan.runs, jobs=jobs))
    return BacktestResult.of(plan, outcomes)


def _tuned_thresholds(plan: Backtest, jobs: int | None) -> tuple[str, tuple[Any, ...]]:
    """The utilization thresholds and guardrails that keep the SLO cheapest on the days that cautions were found on."""
    texts = [f"utilization:upper={upper:g},lower={upper * part:.3g}" for upper in UPPER for part in LOWER_OF_UPPER]
    tried: list[tuple[tuple[bool, float], str, tuple[Any, ...]]] = []
    for guardrails in ((), (Stabilization(),)):
        result = _performed(plan, texts, guardrails, jobs, seeds=1)
        for text in texts:
            rows = [row for trace in result.traces for row in trace.rows if row.policy == text]
            attained = min(row.mean("slo_attainment") for row in rows)
            cost = math.fsum(row.mean("cost") for row in rows)
            meets = all(row.meets_slo for row in rows)
            tried.append(((False, cost) if meets else (True, -attained), text, guardrails))
    _, text, chosen = min(tried, key=lambda each: each[0])
    return text, chosen


# -- the page -------------------------------------------------------------------------------------


def written_report(path: Path, outcome: Trained, comparison: Comparison | None) -> None:
    """Write the page.

    Raises:
        OutputError: If it cannot be written.
    """
    trace, spec = days_of(outcome.learning[0])[0]
    loads = trace.rates_rps(spec.control_interval_s) / spec.profile.service_rate_rps
    names = ", ".join(dict.fromkeys(each.name for plan in outcome.learning for each in plan.traces))
    if comparison is None:
        remark = "Nothing was compared, so nothing can be said about days it never saw."
    else:
        remark = (
            f"± is the half width of the 95 % confidence interval, over {SEEDS_JUDGED} runs, or over training seeds."
            f" Thresholds and cautions were chosen on the last days of training for {outcome.learning[0].slo}."
        )
    page = TrainingPage(
        title=f"Trained on {names}",
        subtitle=outcome.in_words(),
        round_steps=outcome.settings.round_steps,
        curves={run.seed: run.curve for run in outcome.runs},
        best_seed=outcome.runs[outcome.best].seed,
        actions=action_map(outcome.networks[outcome.best], spec, largest_load=float(loads.max())),
        rows=() if comparison is None else comparison.printed(),
        remark=remark,
    )
    with atomic_writer(path) as file:
        file.write(render(page).encode())
