"""BurstGPT: `Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type`.

From release 1.2 on there are `Session ID` and `Elapsed time` too. `Timestamp` is seconds from the trace's
beginning. Requests that failed (0 response tokens) arrived all the same and are kept. Source:
HPMLL/BurstGPT (CC BY 4.0; Wang et al., KDD 2025).
"""

from __future__ import annotations

import numpy as np

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.requests import request_trace
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace


def _read(source: TraceSource, options: ReadOptions) -> RequestTrace:
    has_elapsed = source.has_columns("Elapsed time")
    wanted = ["Timestamp", "Request tokens", "Response tokens"] + ["Elapsed time"] * has_elapsed
    columns = source.csv_columns(wanted)
    return request_trace(
        source.name,
        options,
        arrival_s=columns["Timestamp"],
        input_tokens=columns["Request tokens"],
        output_tokens=columns["Response tokens"],
        service_s=np.nan_to_num(columns["Elapsed time"]) if has_elapsed else None,
    )


FORMAT = TraceFormat(
    name="burstgpt",
    expects="CSV with Timestamp, Model, Request tokens, Response tokens",
    matches=lambda source: source.has_columns("Timestamp", "Request tokens", "Response tokens"),
    read=_read,
)
