"""hindscale's own columns, in CSV: `arrival_s` for requests, `time_s` with `requests` or `utilization`."""

from __future__ import annotations

from hindscale.traces.columns import COLUMNS, is_canonical, trace_from_columns
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import Trace


def _read(source: TraceSource, options: ReadOptions) -> Trace:
    wanted = [column for column in COLUMNS if column in source.columns]
    return trace_from_columns(source.name, source.csv_columns(wanted), options)


FORMAT = TraceFormat(
    name="csv",
    expects="CSV with arrival_s, or time_s and requests, or time_s and utilization",
    matches=lambda source: not source.is_parquet and is_canonical(source.columns),
    read=_read,
)
