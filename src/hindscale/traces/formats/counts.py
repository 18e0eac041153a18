"""Bare counts a second, separated by white space: the Twitter 2021 workload.

Source: reconfigurable-ml-pipeline/web-service-datasets, from the archive.org Twitter stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.source import BLOCK_BYTES, TraceSource
from hindscale.traces.types import RateTrace


def _matches(source: TraceSource) -> bool:
    # The head may end inside a number, which is still digits.
    return not source.is_parquet and bool(source.head.strip()) and all(part.isdecimal() for part in source.head.split())


def _read(source: TraceSource, _: ReadOptions) -> RateTrace:
    parts: list[NDArray[np.float64]] = []
    with source.unpacked() as file:
        for words in _words(file):
            try:
                parts.append(np.array(words, dtype=np.float64))
            except ValueError:
                place, word = next((i, word) for i, word in enumerate(words, start=1) if not word.isdigit())
                place += sum(map(len, parts))
                found = word[:20].decode("utf-8", errors="replace")
                raise TraceError(f"{source.path}: count {place:,} must be a number, was {found!r}") from None
    return RateTrace(name=source.name, window_s=1.0, requests=np.concatenate(parts))


def _words(file: IO[bytes]) -> Iterator[list[bytes]]:
    """Block by block: the one line of such a file may be of any length."""
    rest = b""
    while block := file.read(BLOCK_BYTES):
        words = (rest + block).split()
        # The last word may go on in the next block, unless it is too long for a number.
        rest = words.pop() if words and not block[-1:].isspace() and len(words[-1]) < 100 else b""
        yield words
    yield [rest] if rest else []


FORMAT = TraceFormat(
    name="counts",
    expects="counts a second, separated by white space",
    matches=_matches,
    read=_read,
)
