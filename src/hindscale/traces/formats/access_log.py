"""Access logs in the Common and Combined Log Formats, as Apache, nginx and most proxies write them.

`host ident user [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326`, with or without more in front.
Arrival times have the resolution of one second; the requests of a second are spread evenly over it, since
they did not all arrive at its first instant. Lines are written when a request ends, so they are sorted.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace

_STAMP = re.compile(r"\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]")
_LINE = re.compile(rf'\S+ .*?{_STAMP.pattern} "')


def _read(source: TraceSource, _: ReadOptions) -> RequestTrace:
    known: dict[str, float] = {}  # logs repeat a second many times, and parsing it is the slow part
    seconds = []
    for number, line in enumerate(source.text_lines(), start=1):
        if not line.strip():
            continue
        match = _STAMP.search(line)
        stamp = match[1] if match else ""
        if stamp not in known:
            try:
                known[stamp] = datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z").timestamp()
            except ValueError:
                raise TraceError(
                    f"{source.path}: line {number}: expected a time such as [31/Jan/2026:23:59:59 +0000],"
                    f" was {(stamp or line[:60])!r}"
                ) from None
        seconds.append(known[stamp])
    clock = np.sort(np.array(seconds))
    start = datetime.fromtimestamp(clock[0], tz=UTC)
    return RequestTrace(name=source.name, arrival_s=_spread(clock - clock[0]), start=start)


def _spread(second: np.ndarray) -> np.ndarray:
    """The k-th of n requests in a second arrives (k + 0.5) / n into it."""
    _, first, count = np.unique(second, return_index=True, return_counts=True)
    rank = np.arange(len(second)) - np.repeat(first, count)
    return np.asarray(second + (rank + 0.5) / np.repeat(count, count))


FORMAT = TraceFormat(
    name="access-log",
    expects="Common or Combined Log Format lines",
    matches=lambda source: bool(source.lines) and _LINE.match(source.lines[0]) is not None,
    read=_read,
)
