"""World Cup 1998 counts: `period,count`, a minute in one or several rows, silent minutes left out.

Source: nimamahmoudi/worldcup98-dataset (Internet Traffic Archive; Arlitt and Jin, 1998).
"""

from __future__ import annotations

import numpy as np

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace
from hindscale.traces.windows import instants, on_grid


def _read(source: TraceSource, options: ReadOptions) -> RateTrace:
    columns = source.csv_columns(["count"], timestamps=["period"])
    time_s, start = instants(source.name, "period", columns["period"])
    minutes, inverse = np.unique(time_s, return_inverse=True)
    counts = np.bincount(inverse, weights=columns["count"]).astype(np.float64)
    window_s, requests, filled = on_grid(source.name, minutes, counts, fill=options.fill or "zero")
    details = {"filled_windows": str(filled)} if filled else {}
    return RateTrace(name=source.name, window_s=window_s, requests=requests, start=start, details=details)


FORMAT = TraceFormat(
    name="worldcup98",
    expects="CSV with period, count",
    matches=lambda source: source.has_columns("period", "count"),
    read=_read,
)
