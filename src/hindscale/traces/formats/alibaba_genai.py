"""Alibaba GenAI request log: `gmt_create,...,exec_time_seconds,...`, text-to-image requests with their run time.

Requests that never ran (no run time) arrived all the same and are kept. Source: alibaba/clusterdata,
cluster-trace-v2026-GenAI (Lin et al., SoCC 2025).
"""

from __future__ import annotations

import numpy as np

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.requests import request_trace
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace
from hindscale.traces.windows import instants


def _read(source: TraceSource, options: ReadOptions) -> RequestTrace:
    columns = source.csv_columns(["exec_time_seconds"], timestamps=["gmt_create"])
    arrival_s, start = instants(source.name, "gmt_create", columns["gmt_create"])
    return request_trace(
        source.name,
        options,
        arrival_s=arrival_s,
        service_s=np.nan_to_num(columns["exec_time_seconds"]),
        start=start,
        always_sort=True,
    )


FORMAT = TraceFormat(
    name="alibaba-genai",
    expects="CSV with gmt_create, exec_time_seconds",
    matches=lambda source: source.has_columns("gmt_create", "exec_time_seconds"),
    read=_read,
)
