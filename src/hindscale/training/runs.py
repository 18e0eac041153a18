"""Training runs: rounds of a trainer for several seeds at once, with early stop, checkpoints, and going on from them.

A round follows from the learner, the seed and the round's number alone. So the same seed gives the same weights, and
a run that was interrupted and resumed ends with the weights of one that never stopped.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hindscale.core.errors import InputError
from hindscale.policies._dqn_network import Network
from hindscale.training.dqn import DqnSettings, Learner, Trainer
from hindscale.training.episodes import Course
from hindscale.training.files import read_checkpoint, write_checkpoint

__all__ = ["Run", "train"]

ROUNDS_PER_CHECKPOINT = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Where the training of one seed stands.

    Attributes:
        seed: The seed.
        learner: All that changes.
        best: The learner as it was after the best round so far; rounds count once exploration has fallen.
        curve: Mean validation reward after each round.
        best_round: Number of the best round; -1 before there is one.
        wall_s: Seconds that its rounds took, others beside it.
    """

    seed: int
    learner: Learner
    best: Learner
    curve: tuple[float, ...] = ()
    best_round: int = -1
    wall_s: float = 0.0

    def is_over(self, settings: DqnSettings) -> bool:
        """Whether all rounds are done, or the best is too long ago."""
        waited = len(self.curve) - 1 - self.best_round
        return len(self.curve) >= settings.rounds or (self.best_round >= 0 and waited >= settings.patience)

    def after(self, learner: Learner, worth: float, wall_s: float, settings: DqnSettings) -> Run:
        """With one more round."""
        number = len(self.curve)
        explores = number + 1 < settings.exploring_share * settings.rounds
        is_best = not explores and (self.best_round < 0 or worth > self.curve[self.best_round])
        return replace(
            self,
            learner=learner,
            best=learner if is_best else self.best,
            best_round=number if is_best else self.best_round,
            curve=(*self.curve, worth),
            wall_s=self.wall_s + wall_s,
        )


def train(
    courses: Sequence[Course],
    settings: DqnSettings,
    seeds: Sequence[int],
    *,
    start: Network | None = None,
    checkpoints: Path | None = None,
    fingerprint: str = "",
    resume: bool = False,
    jobs: int | None = None,
    on_round: Callable[[Run], None] = lambda _: None,
) -> tuple[Run, ...]:
    """Train a network for each seed, as many at once as there are cores.

    Args:
        courses: What to learn from.
        settings: How.
        seeds: One network each.
        start: A trained network to go on from, with its scale of the features.
        checkpoints: Folder to keep learners in while training lasts.
        fingerprint: Of the courses; a checkpoint of others is refused.
        resume: Go on from the checkpoints that are there.
        jobs: Seeds at a time; None for one a core.
        on_round: Called with each seed's run after each of its rounds, from the thread that trains it.

    Raises:
        InputError: If a checkpoint cannot be gone on from.
    """
    trainer = Trainer(courses, settings)
    facts = {"settings": settings.to_dict(), "fingerprint": fingerprint}
    stopped = threading.Event()

    def trained(seed: int) -> Run:
        run = Run(seed=seed, learner=(learner := trainer.initial(seed, start)), best=learner)
        path = None if checkpoints is None else checkpoints / f"seed-{seed}.checkpoint"
        if resume and path is not None and path.exists():
            run = _restored(path, run, facts)
        while not run.is_over(settings) and not stopped.is_set():
            run = _next_round(trainer, run)
            on_round(run)
            if path is not None and (len(run.curve) % ROUNDS_PER_CHECKPOINT == 0 or stopped.is_set()):
                _save(path, run, facts)
        return run

    # Compiled code lets other threads run: a core for each seed needs no processes.
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count()) as threads:
        try:
            return tuple(threads.map(trained, seeds))
        except BaseException:
            # Ctrl-C, or an error of one seed: the others end their round and leave a checkpoint.
            stopped.set()
            raise


def _next_round(trainer: Trainer, run: Run) -> Run:
    begin = time.perf_counter()
    learner, _ = trainer.round(run.learner, run.seed, len(run.curve))
    worth = float(trainer.checked(learner))
    return run.after(learner, worth, time.perf_counter() - begin, trainer.settings)


def _save(path: Path, run: Run, facts: dict[str, Any]) -> None:
    place = {"seed": run.seed, "curve": run.curve, "best_round": run.best_round, "wall_s": run.wall_s}
    # Of the best round only what the policy needs is kept: its memory is nobody's any more.
    best = run.best._replace(memory=run.best.memory[:0], moments=())
    write_checkpoint(path, (run.learner, best), facts | place)


def _restored(path: Path, run: Run, facts: dict[str, Any]) -> Run:
    best = run.best._replace(memory=run.best.memory[:0], moments=())
    (learner, best), found = read_checkpoint(path, (run.learner, best))
    for name, what in (("fingerprint", "another trace or service"), ("settings", "other settings")):
        if found[name] != _as_read(facts[name]):
            raise InputError(f"{path}: is of a training with {what}; give the same again, or delete it")
    return replace(
        run,
        learner=learner,
        best=best,
        curve=tuple(found["curve"]),
        best_round=found["best_round"],
        wall_s=found["wall_s"],
    )


def _as_read(value: Any) -> Any:
    """As JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {key: _as_read(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
