"""ServeGen client chunks: no header; window start (s), rate (1/s), CV, arrival family, two parameters.

Requests in a window are rate times window length. Source: alibaba/ServeGen (Apache-2.0; Xiang et al., 2025).
"""

from __future__ import annotations

import numpy as np

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace
from hindscale.traces.windows import on_grid

_HEADER = ("time_s", "rate_rps", "cv", "family", "parameter_1", "parameter_2")


def _matches(source: TraceSource) -> bool:
    cells = source.columns
    return len(cells) == len(_HEADER) and all(_is_number(cells[i]) for i in (0, 1, 2))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read(source: TraceSource, options: ReadOptions) -> RateTrace:
    columns = source.csv_columns(["time_s", "rate_rps"], header=_HEADER)
    window_s, rate_rps, _ = on_grid(source.name, columns["time_s"], columns["rate_rps"], fill=options.fill)
    return RateTrace(name=source.name, window_s=window_s, requests=np.asarray(rate_rps * window_s))


FORMAT = TraceFormat(
    name="servegen",
    expects="CSV without header: window start, rate, CV, family, two parameters",
    matches=_matches,
    read=_read,
)
