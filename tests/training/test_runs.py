from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

jax = pytest.importorskip("jax", reason="needs the extra `train`")
pytest.importorskip("safetensors", reason="needs the extra `train`")

from courses import wave_course
from hindscale.core import InputError
from hindscale.training import runs
from hindscale.training.dqn import DqnSettings
from hindscale.training.runs import Run, train

SETTINGS = DqnSettings(
    steps=9_600, environments=16, round_steps=1_600, memory=4_800, hidden=(8,), episode_steps=60, patience=50
)


def run_of(curve: list[float], settings: DqnSettings) -> Run:
    run = Run(seed=0, learner=None, best=None)  # type: ignore[arg-type]
    for number, worth in enumerate(curve):
        if not run.is_over(settings):
            run = run.after(number, worth, 1.0, settings)  # type: ignore[arg-type]
    return run


def test_training_stops_when_nothing_has_got_better_for_long() -> None:
    settings = replace(SETTINGS, steps=160_000, patience=3, exploring_share=0.05)  # 100 rounds, 5 of them exploring
    run = run_of([9.0, 0, 0, 0, 1.0, 2.0, 4.0, 3.0, 3.0, 3.0, 9.0], settings)
    assert (len(run.curve), run.best_round, run.best) == (10, 6, 6)


def test_rounds_that_explore_are_not_kept() -> None:
    run = run_of([9.0, 8.0, 1.0, 2.0, 1.5, 1.0], replace(SETTINGS, exploring_share=0.5))
    assert run.best_round == 3


class StoppedError(Exception):
    pass


def test_an_interrupted_run_ends_with_the_weights_of_one_that_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ROUNDS_PER_CHECKPOINT", 2)
    (straight,) = train([wave_course()], SETTINGS, (3,))

    def stop(run: Run) -> None:
        if len(run.curve) == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        train([wave_course()], SETTINGS, (3,), checkpoints=tmp_path, on_round=stop)
    rounds: list[int] = []
    (resumed,) = train(
        [wave_course()],
        SETTINGS,
        (3,),
        checkpoints=tmp_path,
        resume=True,
        on_round=lambda run: rounds.append(len(run.curve)),
    )
    assert rounds == [5, 6]  # the checkpoint after round 4 was gone on from
    assert resumed.curve == straight.curve
    assert resumed.best_round == straight.best_round
    for one, other in zip(jax.tree.leaves(straight.best.weights), jax.tree.leaves(resumed.best.weights), strict=True):
        assert (one == other).all()


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ROUNDS_PER_CHECKPOINT", 1)
    short = replace(SETTINGS, steps=1_600)
    train([wave_course()], short, (0,), checkpoints=tmp_path, fingerprint="a")
    with pytest.raises(InputError, match="of a training with another trace or service"):
        train([wave_course()], short, (0,), checkpoints=tmp_path, fingerprint="b", resume=True)
    with pytest.raises(InputError, match="of a training with other settings"):
        train([wave_course()], replace(short, churn=0.5), (0,), checkpoints=tmp_path, fingerprint="a", resume=True)
    with pytest.raises(InputError, match="of a training of other dimensions"):
        train([wave_course()], replace(short, hidden=(4,)), (0,), checkpoints=tmp_path, fingerprint="a", resume=True)
    path = tmp_path / "seed-0.checkpoint"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be resumed from"):
        train([wave_course()], short, (0,), checkpoints=tmp_path, fingerprint="a", resume=True)


def test_seeds_are_trained_side_by_side_as_alone() -> None:
    short = replace(SETTINGS, steps=3_200)
    both = train([wave_course()], short, (0, 1), jobs=2)
    (alone,) = train([wave_course()], short, (1,))
    assert both[1].curve == alone.curve
    assert both[0].curve != both[1].curve


def test_an_error_in_one_seed_leaves_a_checkpoint_of_the_other(tmp_path: Path) -> None:
    is_at_work = threading.Event()

    def on_round(run: Run) -> None:
        if run.seed == 1:
            is_at_work.set()
        elif is_at_work.wait(timeout=120):
            raise StoppedError

    with pytest.raises(StoppedError):
        train(
            [wave_course()], replace(SETTINGS, steps=1_600_000), (0, 1), checkpoints=tmp_path, jobs=2, on_round=on_round
        )
    assert (tmp_path / "seed-1.checkpoint").exists()
