"""A comparison on disk: what was asked, what came out, every tick, and a page to look at.

| file | holds |
|---|---|
| `run.json` | the configuration, fingerprints of the traces, versions: enough to repeat the run to the last digit |
| `scores.json` | the figures of every run and their summary |
| `ticks.parquet` | one row a tick of every run |
| `report.html` | the page |

Files appear whole or not at all. An interrupted comparison leaves the runs that were finished.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hindscale.backtesting.backtest import Backtest, Outcome, Run
from hindscale.backtesting.result import BacktestResult
from hindscale.core.files import atomic_writer, make_folder
from hindscale.scoring import TickLog
from hindscale.traces.columns import columns_of
from hindscale.traces.types import Trace

__all__ = ["TickWriter", "fingerprint", "tick_table", "tick_writer", "versions", "write_json", "write_result"]

_TEXT = pa.dictionary(pa.int32(), pa.string())


@contextmanager
def tick_writer(backtest: Backtest, path: Path) -> Iterator[TickWriter]:
    """A Parquet file of tick logs that appears when the block ends.

    After an interruption it holds the runs that were finished, and the interruption goes on; after an error
    there is no file.

    Raises:
        OutputError: If it cannot be written.
    """
    interruption: KeyboardInterrupt | None = None
    with atomic_writer(path) as file:
        writer = TickWriter(backtest, file)
        try:
            yield writer
        except KeyboardInterrupt as error:
            interruption = error
        except BaseException:
            writer.abandon()
            raise
        writer.finish()
    if interruption is not None:
        raise interruption


class TickWriter:
    """Writes tick logs in the order of the comparison's runs, whatever order they come in."""

    def __init__(self, backtest: Backtest, file: IO[bytes]) -> None:
        self._backtest = backtest
        self._file = file
        self._waiting: dict[Run, Outcome] = {}
        self._order = iter(backtest.runs)
        self._next = next(self._order, None)
        self._writer: pq.ParquetWriter | None = None

    def add(self, outcome: Outcome) -> None:
        """Take in one run's log; it is written when all runs before it are."""
        self._waiting[outcome.run] = outcome
        while self._next is not None and self._next in self._waiting:
            self._write(self._waiting.pop(self._next))
            self._next = next(self._order, None)

    def finish(self) -> None:
        """Write what still waits for runs that never came, and complete the file."""
        for run in self._backtest.runs:
            if run in self._waiting:
                self._write(self._waiting.pop(run))
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """Let go of a file that will not be kept."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()

    def _write(self, outcome: Outcome) -> None:
        assert outcome.ticks is not None
        table = tick_table(self._backtest, outcome.run, outcome.ticks)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)


def tick_table(backtest: Backtest, run: Run, ticks: TickLog) -> pa.Table:
    """A run's tick log with the columns that say which run it was; what was not simulated has no column."""
    count = len(ticks)
    columns: dict[str, Any] = {
        "trace": pa.array([backtest.traces[run.trace].name] * count).cast(_TEXT),
        "policy": pa.array([backtest.policies[run.entry].label] * count).cast(_TEXT),
        "seed": pa.array(np.full(count, run.seed, np.int64)),
    }
    for field in dataclasses.fields(ticks):
        values = getattr(ticks, field.name)
        if values is None:
            continue
        columns[field.name] = pa.array(values) if isinstance(values, np.ndarray) else pa.array(values).cast(_TEXT)
    return pa.table(columns)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values as indented JSON.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_writer(path) as file:
        file.write(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def fingerprint(trace: Trace) -> str:
    """SHA-256 of a trace's columns: the same traffic has the same fingerprint, whatever file it was read from."""
    digest = hashlib.sha256()
    for name, values in columns_of(trace).items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of everything that can change a result."""
    found = {"python": platform.python_version()}
    for package in ("hindscale", "numpy", "numba", "scipy", "pyarrow", "optuna", "statsforecast", "jax", "optax"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_result(folder: Path, result: BacktestResult, config: Mapping[str, Any]) -> None:
    """Write everything but the tick log.

    Args:
        config: The configuration as plain values.

    Raises:
        OutputError: If a file cannot be written.
    """
    make_folder(folder)
    traces = {trace.name: fingerprint(trace) for trace in result.backtest.traces}
    write_json(folder / "run.json", {"config": config, "traces": traces, "versions": versions()})
    write_json(folder / "scores.json", result.to_dict())
    result.write_report(folder / "report.html")
