"""A tuning on disk.

| file | holds |
|---|---|
| `run.json` | the configuration, what was asked of tuning, fingerprints, versions: enough to repeat it exactly |
| `trials.jsonl` | every run of the search, line by line as they came; an interrupted tuning goes on from it |
| `tuned.json` | what came out: `best` is the text for `--policy`, and every trial of every policy |
| `judged/` | the comparison on the rest, as a backtest's folder |
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hindscale.backtesting.backtest import Backtest
from hindscale.backtesting.folder import fingerprint, versions, write_json, write_result
from hindscale.backtesting.tuning.journal import identity
from hindscale.backtesting.tuning.tuning import Tuning
from hindscale.core.files import make_folder

__all__ = ["JOURNAL", "journal_key", "write_tuning"]

JOURNAL = "trials.jsonl"
_NOT_OF_A_RUN = ("traces", "policies", "set", "seeds", "first_seed")
"""What may change without changing a run: the journal's lines say policy and seed themselves."""


def journal_key(plan: Backtest, config: Mapping[str, Any], train_s: float) -> str:
    """What a journal's runs belong to: the training part, the service and all else that determines them.

    Args:
        plan: What is tuned.
        config: The configuration as plain values, nothing left to defaults.
        train_s: Where the training part ends.
    """
    return identity(
        {
            "config": {key: value for key, value in config.items() if key not in _NOT_OF_A_RUN},
            "traces": [fingerprint(trace) for trace in plan.traces],
            "train_s": train_s,
            "versions": versions(),
        }
    )


def write_tuning(folder: Path, tuning: Tuning, config: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Write everything but the journal.

    Args:
        folder: Where to; it is made if it is not there.
        tuning: What came out.
        config: The configuration as plain values.
        asked: What was asked of tuning.

    Raises:
        OutputError: If a file cannot be written.
    """
    make_folder(folder)
    plan = tuning.split.judge
    traces = {trace.name: fingerprint(trace) for trace in plan.traces}
    known = {**versions(), "optuna": version("optuna")}
    write_json(folder / "run.json", {"config": config, "tuning": asked, "traces": traces, "versions": known})
    write_json(folder / "tuned.json", tuning.to_dict())
    if tuning.judged is not None:
        judged = tuning.judged.backtest
        texts = [entry.text for entry in judged.policies]
        warm_up_s = judged.settings.warm_up_s
        write_result(folder / "judged", tuning.judged, {**config, "policies": texts, "set": {}, "warm_up_s": warm_up_s})
