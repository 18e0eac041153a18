"""What `hindscale train` does between reading the traces and printing: cut, train, calibrate, judge, report."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hindscale.backtesting.backtest import OPTIMUM, Backtest, Outcome, policy_entries
from hindscale.backtesting.folder import fingerprint, versions
from hindscale.backtesting.result import BacktestResult, Row
from hindscale.backtesting.statistics import Estimate, estimate
from hindscale.backtesting.workers import perform_all
from hindscale.core.files import atomic_writer, make_folder
from hindscale.core.service import ServiceSpec
from hindscale.core.units import format_amount, format_duration, percent
from hindscale.guardrails.stabilization import Stabilization
from hindscale.policies._dqn_network import Network, read_network
from hindscale.traces.types import RateTrace, RequestTrace, UtilizationTrace
from hindscale.training.action_map import action_map
from hindscale.training.calibration import Calibration, calibrated
from hindscale.training.dqn import DqnSettings, network_of
from hindscale.training.episodes import Course
from hindscale.training.files import write_network
from hindscale.training.report import ComparedRow, TrainingPage, render
from hindscale.training.runs import Run, train

__all__ = ["Compared", "Comparison", "Trained", "judged", "trained", "written_report"]

Days = list[tuple[RateTrace | RequestTrace, ServiceSpec]]
CALIBRATION_S = 2 * 86_400.0
SEEDS_JUDGED = 3
UPPER = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
LOWER_OF_UPPER = (0.6, 0.75, 0.88)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training came to.

    Attributes:
        output: The file with the network that was kept.
        settings: How it was trained.
        runs: One a seed.
        networks: One a seed, its caution calibrated.
        calibrations: What that came to on the days it was done on.
        best: Number of the run that was kept.
        learning: The parts of the traces that were learned from, by service.
        calibrating: The end of them, on which cautions and thresholds were chosen.
        held_out: The parts that nobody has seen.
    """

    output: Path
    settings: DqnSettings
    runs: tuple[Run, ...]
    networks: tuple[Network, ...]
    calibrations: tuple[Calibration, ...]
    best: int
    learning: tuple[Backtest, ...]
    calibrating: tuple[Backtest, ...]
    held_out: tuple[Backtest, ...]

    def in_words(self) -> str:
        """One line: how long it took, which seed was kept, whether it kept the SLO."""
        run, found = self.runs[self.best], self.calibrations[self.best]
        kept = "kept the SLO" if found.meets_slo else "did not keep the SLO at any caution"
        return (
            f"{self.output}: seed {run.seed} of {len(self.runs)}, {len(run.curve) * self.settings.round_steps:,} steps"
            f" in {format_duration(run.wall_s)}, best after round {run.best_round + 1}; on the last days of"
            f" training it {kept} ({percent(found.slo_attainment)}) at caution {found.caution:.3g}"
            f" for {format_amount(found.cost)}"
        )


def trained(
    plans: Sequence[Backtest],
    settings: DqnSettings,
    output: Path,
    *,
    seeds: tuple[int, ...],
    hold_out: float,
    start: Path | None,
    resume: bool,
    jobs: int | None,
    on_round: Callable[[Run], None],
) -> Trained:
    """Train, calibrate, and write the best network.

    Raises:
        InputError: If a trace is too short, or a file cannot be gone on from.
    """
    learning = tuple(_part(plan, 0.0, 1 - hold_out) for plan in plans)
    calibrating = tuple(_end(plan, CALIBRATION_S) for plan in learning)
    courses = [
        Course.of(trace, spec, episode_steps=settings.episode_steps) for plan in learning for trace, spec in _days(plan)
    ]
    prints = [fingerprint(trace) for plan in learning for trace, _ in _days(plan)]
    known = hashlib.sha256(repr([*prints, *(course.spec for course in courses)]).encode()).hexdigest()
    folder = make_folder(output.with_name(f"{output.name}.training"))
    runs = train(
        courses,
        settings,
        seeds,
        start=None if start is None else read_network(start),
        checkpoints=folder,
        fingerprint=known,
        resume=resume,
        jobs=jobs,
        on_round=on_round,
    )
    facts = {
        "traces": {course.name: print_ for course, print_ in zip(courses, prints, strict=True)},
        "settings": settings.to_dict(),
        "versions": versions(),
    }
    networks, calibrations = zip(*(_calibrated(run, settings, calibrating, facts) for run in runs), strict=True)
    best = max(range(len(runs)), key=lambda number: _rank(runs[number], calibrations[number]))
    write_network(output, networks[best])
    for seed in seeds:
        (folder / f"seed-{seed}.checkpoint").unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return Trained(
        output=output,
        settings=settings,
        runs=runs,
        networks=networks,
        calibrations=calibrations,
        best=best,
        learning=learning,
        calibrating=calibrating,
        held_out=tuple(_part(plan, 1 - hold_out, 1.0) for plan in plans) if hold_out else (),
    )


def _rank(run: Run, found: Calibration) -> tuple[bool, float]:
    """Whoever keeps the SLO comes first, then the best over all validation episodes.

    Not the cheapest of the calibration: of many networks that would be the one that was luckiest on those days.
    """
    return found.meets_slo, run.curve[run.best_round]


def _days(plan: Backtest) -> Days:
    return [(trace, spec) for trace, spec in plan.prepared.values() if not isinstance(trace, UtilizationTrace)]


def _part(plan: Backtest, first: float, last: float) -> Backtest:
    """The comparison on a part of every trace, given as shares of its length."""
    parts = []
    for trace in plan.traces:
        assert not isinstance(trace, UtilizationTrace)
        until = None if last == 1 else last * trace.duration_s
        parts.append(trace.between(first * trace.duration_s, until))
    return replace(plan, traces=tuple(parts))


def _end(plan: Backtest, seconds: float) -> Backtest:
    """The comparison on the validation days of every trace, the last of them."""
    shortest = [max(0.8, 1 - seconds / trace.duration_s) for trace in plan.traces if trace.duration_s]
    return _part(plan, min(shortest), 1.0)


def _calibrated(
    run: Run, settings: DqnSettings, calibrating: Sequence[Backtest], facts: dict[str, Any]
) -> tuple[Network, Calibration]:
    days = [each for plan in calibrating for each in _days(plan)]
    interval_s = days[0][1].control_interval_s
    training = facts | {"seed": run.seed, "rounds": len(run.curve), "validation_reward": run.curve[run.best_round]}
    network = network_of(run.best, interval_s=interval_s, caution=settings.most_caution, training=training)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        write_network(path, network)
        found = calibrated(path, days, least=settings.least_caution, most=settings.most_caution)
    scores = {"slo_attainment": found.slo_attainment, "cost": found.cost, "meets_slo": found.meets_slo}
    return replace(network, caution=found.caution, training=training | {"calibration": scores}), found


# -- judging --------------------------------------------------------------------------------------


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
    training_seeds: int

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
    return Comparison(rows=tuple(rows), training_seeds=len(outcome.runs))


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
    trace, spec = _days(outcome.learning[0])[0]
    loads = trace.rates_rps(spec.control_interval_s) / spec.profile.service_rate_rps
    names = ", ".join(dict.fromkeys(each.name for plan in outcome.learning for each in plan.traces))
    if comparison is None:
        remark = "Nothing was held out, so nothing can be said about days it never saw."
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
