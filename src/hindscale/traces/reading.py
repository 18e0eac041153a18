"""Read a trace in any known format, write one in hindscale's own."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from hindscale.core.errors import InputError, ParameterError, TraceError
from hindscale.core.files import atomic_writer
from hindscale.traces.columns import columns_of, is_canonical, rename_hint
from hindscale.traces.formats import ReadOptions, TraceFormat, known_formats
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace, Trace, UtilizationTrace
from hindscale.traces.windows import Fill

__all__ = ["read_trace", "recognise", "write_trace"]


def recognise(source: TraceSource) -> TraceFormat:
    """The format of a file, judged by its content.

    Raises:
        TraceError: If no known format claims it.
    """
    for candidate in known_formats():
        if candidate.matches(source):
            return candidate
    first = source.lines[0]
    found = "bytes that are not UTF-8" if "\ufffd" in first else repr(first[:80])
    raise TraceError(f"{source.path}: expected a known trace format, found {found}; {_way_out(source)}")


def _way_out(source: TraceSource) -> str:
    first = source.lines[0]
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if separator in first and is_canonical([cell.strip(' "') for cell in first.split(separator)]):
            return f"separate the cells by commas, not {word}"
    return f"{rename_hint(source.columns)}, or see `hindscale traces formats`"


def read_trace(path: str | Path, *, name: str | None = None, sort: bool = False, fill: Fill | None = None) -> Trace:
    """Read recorded traffic; the format is recognised by content, compressed or not.

    Args:
        path: The file.
        name: What to call the trace; the file's name up to its first dot by default.
        sort: Put requests in order of arrival instead of refusing a file that is not.
        fill: What stands in for missing windows of a rate: "zero" or "interpolate"; None refuses them,
            except in formats that are known to leave windows out.

    Raises:
        TraceError: In one line: the file, where in it (a line counts from the top of the file, a row from the
            first request or window), what was expected and what came.
        ParameterError: If `fill` is something else.
    """
    options = ReadOptions(sort=sort, fill=fill)
    source = TraceSource.open(path, name=name)
    found = recognise(source)
    try:
        return found.read(source, options)
    except InputError as error:
        # A trace names itself in its errors; who reads a file looks for the file.
        what = str(error).removeprefix(f"{source.path}: ").removeprefix(f"{source.name}: ")
        raise TraceError(f"{source.path}: {what}") from error


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write a trace in hindscale's columns, as Parquet or CSV by the file's ending (`.csv.gz` too).

    The file appears whole or not at all. Parquet keeps start and details too, CSV the columns alone.

    Raises:
        ParameterError: If the ending is none of `.parquet`, `.csv`, `.csv.gz`, or a single window is written
            as CSV, which cannot tell how long it is.
        OutputError: If it cannot be written.
    """
    path = Path(path)
    table = pa.table(columns_of(trace)).replace_schema_metadata(_metadata(trace))
    if path.name.endswith(".parquet"):
        with atomic_writer(path) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
    elif path.name.endswith((".csv", ".csv.gz")):
        if table.column_names[0] == "time_s" and table.num_rows == 1:
            raise ParameterError(f"{path}: CSV cannot tell how long a single window is; write it as .parquet")
        with atomic_writer(path) as file:
            if path.name.endswith(".gz"):
                # mtime=0: the same trace gives the same file. The wrapper leaves `file` itself open.
                with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                    csv.write_csv(table, packed)
            else:
                csv.write_csv(table, file)
    else:
        raise ParameterError(f"{path}: a trace is written as .parquet, .csv or .csv.gz; name the file accordingly")


def _metadata(trace: Trace) -> Mapping[str, str]:
    metadata = dict(trace.details)
    if isinstance(trace, (RateTrace, UtilizationTrace)):
        metadata["window_s"] = repr(trace.window_s)
    if trace.start is not None:
        metadata["start"] = trace.start.isoformat()
    return metadata
