"""What `hindscale train` does with traces: cut them, train, calibrate, and keep the best network."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hindscale.backtesting.backtest import Backtest
from hindscale.backtesting.folder import fingerprint, versions
from hindscale.core.files import make_folder
from hindscale.core.service import ServiceSpec
from hindscale.core.units import format_amount, format_duration, percent
from hindscale.policies._dqn_network import Network, read_network
from hindscale.traces.types import RateTrace, RequestTrace, UtilizationTrace
from hindscale.training.calibration import Calibration, calibrated
from hindscale.training.dqn import DqnSettings, network_of
from hindscale.training.episodes import Course
from hindscale.training.files import write_network
from hindscale.training.runs import Run, train

__all__ = ["Trained", "days_of", "trained"]

Days = list[tuple[RateTrace | RequestTrace, ServiceSpec]]
CALIBRATION_S = 2 * 86_400.0
"""Cautions are found on the last fifth of what was learned from, but on no more than this."""


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
    held_out = tuple(_part(plan, 1 - hold_out, 1.0) for plan in plans) if hold_out else ()
    learning = tuple(_part(plan, 0.0, 1 - hold_out) for plan in plans)
    calibrating = tuple(_end(plan, CALIBRATION_S) for plan in learning)
    courses = [
        Course.of(trace, spec, episode_steps=settings.episode_steps)
        for plan in learning
        for trace, spec in days_of(plan)
    ]
    prints = [fingerprint(trace) for plan in learning for trace, _ in days_of(plan)]
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
        held_out=held_out,
    )


def _rank(run: Run, found: Calibration) -> tuple[bool, float]:
    """Whoever keeps the SLO comes first, then the best over all validation episodes.

    Not the cheapest of the calibration: of many networks that would be the one that was luckiest on those days.
    """
    return found.meets_slo, run.curve[run.best_round]


def days_of(plan: Backtest) -> Days:
    """The traces of a comparison, each with its service."""
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
    days = [each for plan in calibrating for each in days_of(plan)]
    interval_s = days[0][1].control_interval_s
    training = facts | {"seed": run.seed, "rounds": len(run.curve), "validation_reward": run.curve[run.best_round]}
    network = network_of(run.best, interval_s=interval_s, caution=settings.most_caution, training=training)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        write_network(path, network)
        found = calibrated(path, days, least=settings.least_caution, most=settings.most_caution)
    scores = {"slo_attainment": found.slo_attainment, "cost": found.cost, "meets_slo": found.meets_slo}
    return replace(network, caution=found.caution, training=training | {"calibration": scores}), found
