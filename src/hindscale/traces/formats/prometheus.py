"""A Prometheus range result: the JSON that `/api/v1/query_range` answers with.

Values are taken as requests per second, as `sum(rate(http_requests_total[1m]))` gives them; several series
are added up. A raw counter is refused: `rate` takes the name away, so a series that is called `..._total`
is one, and so is a series of whole numbers that only ever rises.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RateTrace
from hindscale.traces.windows import on_grid, window_of

_COUNTER_ENDINGS = ("_total", "_count", "_sum", "_bucket")


MOST_BYTES = 1 << 28  # JSON takes many times its size in memory
Samples = list[tuple[float, float]]


def _read(source: TraceSource, options: ReadOptions) -> RateTrace:
    total: dict[float, float] = {}
    for name, samples in _series(source):
        _refuse_counter(source, name, [value for _, value in samples])
        for stamp, value in samples:
            total[stamp] = total.get(stamp, 0.0) + value
    if not total:
        raise TraceError(f"{source.path}: expected at least one series with values, the result is empty")
    stamps = np.array(sorted(total))
    rate_rps = np.array([total[stamp] for stamp in stamps])
    known = np.isfinite(rate_rps)  # 0/0 in a query answers NaN: no measurement, the same as no sample
    if not known.any():
        raise TraceError(f"{source.path}: expected numbers, every value is NaN")
    window_s = window_of(source.name, stamps)
    stamps, rate_rps = stamps[known], rate_rps[known]
    window_s, rate_rps, filled = on_grid(
        source.name, stamps - stamps[0], rate_rps, fill=options.fill, window_s=window_s
    )
    return RateTrace(
        name=source.name,
        window_s=window_s,
        requests=np.asarray(rate_rps * window_s),
        start=datetime.fromtimestamp(stamps[0], tz=UTC),
        details={"filled_windows": str(filled)} if filled else {},
    )


def _series(source: TraceSource) -> list[tuple[str, Samples]]:
    """Name and samples of each series in the answer."""
    try:
        with source.unpacked() as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise TraceError(f"{source.path}: expected at most {MOST_BYTES:,} bytes; query the sum of the series")
        answer = json.loads(text)
        failure = _failure(answer)
        series = [] if failure else [_samples(each) for each in answer.get("data", answer)["result"]]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, TraceError):
            raise
        raise TraceError(
            f'{source.path}: expected a Prometheus range result, {{"data": {{"result": [{{"values": ...}}]}}}}: {error}'
        ) from error
    if failure:
        raise TraceError(f"{source.path}: expected a successful range query (resultType matrix), got {failure}")
    return series


def _failure(answer: Any) -> str:
    """What the answer is instead of a range result, if it says so itself."""
    if answer.get("status", "success") != "success":
        return " ".join(f"an error: {answer.get('error', 'unnamed')}".split())
    kind = answer.get("data", answer).get("resultType", "matrix")
    return "" if kind == "matrix" else f"a {kind} result"


def _samples(series: Any) -> tuple[str, Samples]:
    samples = [(float(stamp), float(value)) for stamp, value in series["values"]]
    return str(series.get("metric", {}).get("__name__", "")), samples


def _refuse_counter(source: TraceSource, name: str, values: list[float]) -> None:
    known = [value for value in values if np.isfinite(value)]
    is_rising = len(known) >= 10 and known == sorted(known) and len(set(known)) > len(known) / 2
    if name.endswith(_COUNTER_ENDINGS) or (is_rising and all(value.is_integer() for value in known)):
        way_out = f"query sum(rate({name or 'name_of_the_counter'}[1m]))"
        raise TraceError(f"{source.path}: expected rates, {name or 'a series'} is a raw counter; {way_out}")


FORMAT = TraceFormat(
    name="prometheus",
    expects="the JSON of a Prometheus range query",
    matches=lambda source: (
        source.head.lstrip().startswith("{") and any(f'"{key}"' in source.head for key in ("result", "errorType"))
    ),
    read=_read,
)
