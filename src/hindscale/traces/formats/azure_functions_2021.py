"""Azure Functions 2021: `app,func,end_timestamp,duration` in seconds; a request began at end - duration.

Rows need not be in order of arrival and are sorted. Source: Azure/AzurePublicDataset (CC BY 4.0; Zhang et
al., Faster and Cheaper Serverless Computing on Harvested Resources, SOSP 2021).
"""

from __future__ import annotations

import numpy as np

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.requests import request_trace
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace


def _read(source: TraceSource, options: ReadOptions) -> RequestTrace:
    columns = source.csv_columns(["end_timestamp", "duration"])
    # A request that was running when recording began would start a hair before second 0.
    arrival_s = np.maximum(columns["end_timestamp"] - columns["duration"], 0.0)
    return request_trace(source.name, options, arrival_s=arrival_s, service_s=columns["duration"], always_sort=True)


FORMAT = TraceFormat(
    name="azure-functions-2021",
    expects="CSV with app, func, end_timestamp, duration",
    matches=lambda source: source.has_columns("app", "func", "end_timestamp", "duration"),
    read=_read,
)
