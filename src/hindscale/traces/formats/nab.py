"""Numenta Anomaly Benchmark: `timestamp,value`, five minutes or so apart.

The files do not say what a value is. Whole numbers are counts of requests; fractions between 0 and 100
are a utilization in percent (between 0 and 1: a fraction). Missing samples are interpolated. Source:
numenta/NAB (MIT).
"""

from __future__ import annotations

import numpy as np

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace, UtilizationTrace
from hindscale.traces.windows import instants, on_grid


def _read(source: TraceSource, options: ReadOptions) -> RateTrace | UtilizationTrace:
    columns = source.csv_columns(["value"], timestamps=["timestamp"])
    time_s, start = instants(source.name, "timestamp", columns["timestamp"])
    value = columns["value"]
    if not np.isfinite(value).all():
        row = int(np.argmax(~np.isfinite(value)))
        raise TraceError(f"{source.path}: value must be a number, but row {row + 1} has {value[row]:g}")
    if options.sort:
        order = np.argsort(time_s, kind="stable")
        time_s, value = time_s[order], value[order]
    is_count = bool((value == np.round(value)).all())
    window_s, series, filled = on_grid(source.name, time_s, value, fill=options.fill or "interpolate")
    details = {"filled_windows": str(filled)} if filled else {}
    if is_count or series.max() > 100:
        return RateTrace(name=source.name, window_s=window_s, requests=series, start=start, details=details)
    utilization = series if series.max() <= 1 else series / 100
    return UtilizationTrace(name=source.name, window_s=window_s, utilization=utilization, start=start, details=details)


FORMAT = TraceFormat(
    name="nab",
    expects="CSV with timestamp, value",
    matches=lambda source: source.has_columns("timestamp", "value"),
    read=_read,
)
