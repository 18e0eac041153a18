"""Azure Functions 2019: a row a function, `HashOwner,HashApp,HashFunction,Trigger,1..1440` invocations a minute.

The functions of a file are added up to one service. Source: Azure/AzurePublicDataset (CC BY 4.0; Shahrad
et al., Serverless in the Wild, USENIX ATC 2020).
"""

from __future__ import annotations

import numpy as np

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace


def _read(source: TraceSource, _: ReadOptions) -> RateTrace:
    given = {column for column in source.columns if column.isdecimal()}
    minutes = [str(minute) for minute in range(1, len(given) + 1)]
    for minute in minutes:
        if minute not in given:
            raise TraceError(f"{source.path}: line 1: expected a column for each minute, minute {minute} is missing")
    functions, by_minute = 0, np.zeros(len(minutes))
    for batch in source.csv_batches(minutes):
        counts = np.array([batch[minute] for minute in minutes])
        if np.isnan(counts).any():
            minute, row = np.argwhere(np.isnan(counts))[0].tolist()
            raise TraceError(
                f"{source.path}: row {functions + row + 1}: expected a count for minute {minute + 1}, found none"
            )
        functions += counts.shape[1]
        by_minute += counts.sum(axis=1)
    return RateTrace(name=source.name, window_s=60.0, requests=by_minute, details={"functions": str(functions)})


FORMAT = TraceFormat(
    name="azure-functions-2019",
    expects="CSV with HashFunction, Trigger and a column a minute",
    matches=lambda source: source.has_columns("HashFunction", "Trigger", "1"),
    read=_read,
)
