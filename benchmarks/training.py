"""Training speed: hindscale's DQN against Stable-Baselines3's, on the same environment at the same updates.

Stable-Baselines3 brings PyTorch along, which nothing else here needs. So it gets a virtual environment of its own: name
its Python in HINDSCALE_SB3_PYTHON, or leave it to this benchmark to make one in a temporary folder (minutes, 1 GB).
Without network the comparison is left out, and the table says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from _measuring import HERE, Figure, in_fresh_process

__all__ = ["TITLE", "measure"]

TITLE = "Training a DQN, one update of 64 transitions for every 4 environment steps"
PACKAGES = ("torch==2.13.0", "stable-baselines3==2.9.2", "gymnasium>=1.0")
NOTE = "Environment steps per CPU second, validation included, compilation left out; network of 64 + 64, batch 64."


def measure(*, quick: bool) -> Iterator[Figure]:
    rounds = 2 if quick else 8
    ours = in_fresh_process("training", "our_steps_per_cpu_s", rounds)
    yield Figure(name="hindscale (JAX)", value=ours, unit="steps/s", at_least=40_000, note=NOTE)
    theirs = _sb3_steps_per_cpu_s(quick=quick)
    yield Figure(name="Stable-Baselines3", value=theirs, unit="steps/s", note=NOTE)
    yield Figure(name="ratio", value=ours / theirs, unit="x", at_least=20)


def our_steps_per_cpu_s(rounds: int) -> float:
    """One seed on the environment's default course."""
    from hindscale.training.dqn import DqnSettings, Trainer
    from hindscale.training.environment import AutoscalingEnv

    settings = DqnSettings()
    trainer = Trainer([AutoscalingEnv().course], settings)
    learner = trainer.initial(0)
    learner, _ = trainer.round(learner, 0, 0)
    float(trainer.checked(learner))
    begin = process_time()
    for number in range(1, rounds + 1):
        learner, _ = trainer.round(learner, 0, number)
        float(trainer.checked(learner))
    return rounds * settings.round_steps / (process_time() - begin)


def _sb3_steps_per_cpu_s(*, quick: bool) -> float:
    """NaN where it cannot be installed, or where there is no time for that."""
    given, steps = os.environ.get("HINDSCALE_SB3_PYTHON"), 4_000 if quick else 20_000
    if given:
        return _run_sb3(given, steps)
    if quick:
        return float("nan")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        # What hindscale itself needs is taken from here: only PyTorch and what is on top of it are new.
        done = subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=False)
        return _run_sb3(python, steps) if done.returncode == 0 else float("nan")


def _run_sb3(python: str, steps: int) -> float:
    paths = [str(HERE.parent / "src"), *(path for path in sys.path if path.endswith("site-packages"))]
    script = str(HERE / "_in_sb3.py")
    environment = os.environ | {"HINDSCALE_PATHS": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([python, script, str(steps)], env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))
