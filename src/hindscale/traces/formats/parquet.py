"""hindscale's own columns in Parquet, read one row group at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hindscale.core.checks import require_positive
from hindscale.core.errors import TraceError
from hindscale.traces.columns import COLUMNS, is_canonical, rename_hint, trace_from_columns
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import Trace

BATCH_ROWS = 1 << 20
_SPACE_BEFORE_ZONE = re.compile(r" (?=[+-]\d\d:?\d\d$)")


def _read(source: TraceSource, options: ReadOptions) -> Trace:
    with source.errors_named(), pq.ParquetFile(source.path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        if not is_canonical(names):
            raise TraceError(
                f"{source.path}: expected a trace, found the columns {', '.join(names)[:80]}; {rename_hint(names)}"
            )
        columns = _columns(file, [name for name in COLUMNS if name in names], source)
        details = _details(file)
    window_s, start = _window_s(details, source), _start(details)
    # What the trace itself says is not said twice; a start in words stays.
    known = {"kind", "window_s"} if start is None else {"kind", "window_s", "start"}
    return trace_from_columns(
        source.name,
        columns,
        options,
        window_s=window_s,
        start=start,
        details={key: text for key, text in details.items() if key not in known},
    )


def _columns(file: pq.ParquetFile, names: list[str], source: TraceSource) -> dict[str, NDArray[np.float64]]:
    """Filled in place, batch by batch, so that a large file is never in memory twice."""
    schema = file.schema_arrow
    for name in names:
        if len(schema.get_all_field_indices(name)) > 1:
            raise TraceError(f"{source.path}: expected each column once, found {name} again")
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise TraceError(f"{source.path}: {name} must hold numbers, holds {kind}")
    columns = {name: np.empty(file.metadata.num_rows) for name in names}
    begin = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
        for name in names:
            values = batch.column(name).cast(pa.float64(), safe=False)
            columns[name][begin : begin + batch.num_rows] = values.to_numpy(zero_copy_only=False)
        begin += batch.num_rows
    return columns


def _details(file: pq.ParquetFile) -> dict[str, str]:
    metadata: Mapping[bytes, bytes] = file.schema_arrow.metadata or {}
    return {
        key.decode(): value.decode("utf-8", "replace")
        for key, value in metadata.items()
        if key not in (b"ARROW:schema", b"pandas")
    }


def _window_s(details: Mapping[str, str], source: TraceSource) -> float | None:
    text = details.get("window_s")
    if text is None:
        return None
    try:
        window_s = float(text)
        require_positive(window_s=window_s)
    except ValueError as error:
        raise TraceError(f"{source.path}: window_s in its metadata must be a number > 0, was {text!r}") from error
    return window_s


def _start(details: Mapping[str, str]) -> datetime | None:
    """The wall-clock start, if the file states one that says more than a note in words."""
    text = details.get("start", "").split(" (")[0].replace(" UTC", "+00:00").replace(" GMT", "+00:00")
    try:
        return datetime.fromisoformat(_SPACE_BEFORE_ZONE.sub("", text))
    except ValueError:
        return None


FORMAT = TraceFormat(
    name="parquet",
    expects="Parquet with arrival_s, or time_s and requests, or time_s and utilization",
    matches=lambda source: source.is_parquet,
    read=_read,
)
