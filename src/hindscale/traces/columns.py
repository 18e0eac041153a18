"""The canonical columns, shared by the CSV and Parquet formats and by the writer."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from hindscale.core.errors import TraceError
from hindscale.traces._checks import CLOCK_MS, CLOCK_S, as_numbers
from hindscale.traces.formats import ReadOptions
from hindscale.traces.requests import request_trace
from hindscale.traces.types import RateTrace, RequestTrace, Trace, UtilizationTrace
from hindscale.traces.windows import on_grid

__all__ = ["COLUMNS", "columns_of", "is_canonical", "rename_hint", "trace_from_columns"]

Floats = NDArray[np.float64]
REQUEST_COLUMNS = ("arrival_s", "input_tokens", "output_tokens", "service_s", "exec_s")
KEY_COLUMNS = ("arrival_s", "time_s", "requests", "utilization")
COLUMNS = (*REQUEST_COLUMNS, "time_s", "requests", "utilization")


def is_canonical(columns: Collection[str]) -> bool:
    """Whether a table with these columns is a trace; further columns do no harm."""
    names = set(columns)
    return "arrival_s" in names or ("time_s" in names and bool({"requests", "utilization"} & names))


def rename_hint(columns: Sequence[str]) -> str:
    """The way out for a table whose columns are not a trace's."""
    near = {column: difflib.get_close_matches(column.lower(), KEY_COLUMNS, n=1, cutoff=0.75) for column in columns}
    wrong = [f"{column!r} to {found[0]!r}" for column, found in near.items() if found and found != [column]]
    if wrong:
        return f"rename {' and '.join(wrong)}"
    return "name the columns arrival_s (seconds since the beginning), or time_s with requests or utilization"


def trace_from_columns(
    name: str,
    columns: Mapping[str, Floats],
    options: ReadOptions,
    *,
    window_s: float | None = None,
    start: datetime | None = None,
    details: Mapping[str, str] | None = None,
) -> Trace:
    """The trace that canonical columns hold; `exec_s` is read as `service_s`.

    Args:
        window_s: Length of a window, where the file states it.
        start: Wall-clock time of second 0, where the file states it.
    """
    if "arrival_s" in columns:
        return request_trace(
            name,
            options,
            arrival_s=columns["arrival_s"],
            input_tokens=columns.get("input_tokens"),
            output_tokens=columns.get("output_tokens"),
            service_s=columns.get("service_s", columns.get("exec_s")),
            start=start,
            details=details,
        )
    return _windows_from_columns(name, columns, options, window_s, start, details or {})


def _windows_from_columns(
    name: str,
    columns: Mapping[str, Floats],
    options: ReadOptions,
    window_s: float | None,
    start: datetime | None,
    details: Mapping[str, str],
) -> RateTrace | UtilizationTrace:
    kind = "requests" if "requests" in columns else "utilization"
    time_s, values = as_numbers(name, "time_s", columns["time_s"]), as_numbers(name, kind, columns[kind])
    if options.sort:
        order = np.argsort(time_s, kind="stable")
        time_s, values = time_s[order], values[order]
    window_s, values, filled = on_grid(name, time_s, values, fill=options.fill, window_s=window_s)
    start = _start_at(name, time_s[0], start)
    if filled:
        details = {**details, "filled_windows": str(filled)}
    if kind == "requests":
        return RateTrace(name=name, window_s=window_s, requests=values, start=start, details=details)
    return UtilizationTrace(name=name, window_s=window_s, utilization=values, start=start, details=details)


def _start_at(name: str, first_s: float, start: datetime | None) -> datetime | None:
    """When the first window begins: a large `time_s` is a clock time, a small one counts from `start`."""
    if first_s > CLOCK_MS:
        raise TraceError(
            f"{name}: time_s must be in seconds, but begins at {first_s:.0f}, which looks like a clock time in"
            " milliseconds; divide by 1000"
        )
    if first_s > CLOCK_S:
        return datetime.fromtimestamp(first_s, tz=UTC)
    return None if start is None else start + timedelta(seconds=first_s)


def columns_of(trace: Trace) -> dict[str, Floats]:
    """The canonical columns of a trace, in the order they are written."""
    if isinstance(trace, RequestTrace):
        columns = {
            "arrival_s": trace.arrival_s,
            "input_tokens": trace.input_tokens,
            "output_tokens": trace.output_tokens,
            "service_s": trace.service_s,
        }
        return {name: values for name, values in columns.items() if values is not None}
    kind, values = ("requests", trace.requests) if isinstance(trace, RateTrace) else ("utilization", trace.utilization)
    return {"time_s": np.asarray(np.arange(len(values)) * trace.window_s, np.float64), kind: values}
