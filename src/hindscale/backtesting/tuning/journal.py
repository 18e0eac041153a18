"""The runs of a search, kept line by line, so that a search that was interrupted goes on where it stopped.

A search is a pure function of what its runs come to. So nothing of the search itself is kept: it is begun anew,
and a run that is in the journal is read instead of done. The result is the same as if it had never stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hindscale.backtesting.tuning.executors import Executor, Task
from hindscale.core.errors import InputError, OutputError
from hindscale.core.interrupts import interrupts_deferred
from hindscale.scoring import Scores

__all__ = ["Journal", "identity", "open_journal"]

_FIGURES = tuple(each.name for each in dataclasses.fields(Scores))


class Journal:
    """Runs that were done, and where each new one is written.

    Args:
        done: Scores of the runs that are known.
        file: Where new ones are added; None for memory alone.
    """

    def __init__(self, done: dict[Task, Scores] | None = None, file: IO[str] | None = None) -> None:
        self._done = {} if done is None else done
        self._file = file

    @property
    def known_runs(self) -> int:
        """How many runs need not be done any more."""
        return len(self._done)

    def perform(self, executor: Executor, tasks: Sequence[Task]) -> dict[Task, Scores]:
        """The scores of runs, of which only those are done that are not known.

        Raises:
            OutputError: If the journal cannot be written.
        """
        missing = [task for task in dict.fromkeys(tasks) if task not in self._done]
        for task, scores in executor.perform(missing) if missing else ():
            with interrupts_deferred():
                self._add(task, scores)
        return {task: self._done[task] for task in tasks}

    def _add(self, task: Task, scores: Scores) -> None:
        self._done[task] = scores
        if self._file is not None:
            _write_line(self._file, {"policy": task.entry, "seed": task.seed, "scores": scores.to_dict()})


def identity(values: Mapping[str, Any]) -> str:
    """A short name for everything that determines what a run comes to."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def open_journal(path: Path, *, key: str) -> Iterator[Journal]:
    """The journal in a file, begun or gone on with.

    Args:
        path: The file; it is made if it is not there.
        key: `identity` of what determines the runs.

    Raises:
        InputError: If the file holds runs of something else, or is no journal.
        OutputError: If it cannot be written.
    """
    done, whole_bytes = _read(path, key)
    try:
        with path.open("r+" if path.exists() else "w", encoding="utf-8") as file:
            file.truncate(whole_bytes)  # a line that was cut short by a crash
            file.seek(0, os.SEEK_END)
            if not whole_bytes:
                _write_line(file, {"journal": key})
            yield Journal(done, file)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _read(path: Path, key: str) -> tuple[dict[Task, Scores], int]:
    """The runs of a journal, and the length of its whole lines in bytes."""
    if not path.exists():
        return {}, 0
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.decode("utf-8", errors="replace").splitlines()
    try:
        rows = [json.loads(line) for line in lines]
        if rows and rows[0]["journal"] != key:
            raise InputError(
                f"{path}: holds runs of another trace, service or version; choose another folder, or remove it"
            )
        return {Task(row["policy"], row["seed"]): _scores(row["scores"]) for row in rows[1:]}, len(whole)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a journal of a tuning, line by line in JSON; remove it") from error


def _scores(values: Mapping[str, Any]) -> Scores:
    """What `Scores.to_dict` made; a figure that was not a number is one again."""
    figures: dict[str, Any] = {name: math.nan if values[name] is None else values[name] for name in _FIGURES}
    return Scores(**figures)


def _write_line(file: IO[str], values: Mapping[str, Any]) -> None:
    try:
        file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
    except OSError as error:
        raise OutputError(f"{file.name}: cannot be written: {error.strerror or error}") from error
