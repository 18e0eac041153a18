"""Reading a recording of five million requests with token counts, from a file that is in memory already."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from _measuring import Figure, wall_s
from hindscale.traces.reading import read_trace, write_trace
from hindscale.traces.types import RequestTrace

__all__ = ["TITLE", "measure"]

TITLE = "Reading a recording, by the clock"
ENDINGS = {"CSV": "csv", "CSV, gzip": "csv.gz", "Parquet": "parquet"}


def measure(*, quick: bool) -> Iterator[Figure]:
    trace = _recording(200_000 if quick else 5_000_000)
    with tempfile.TemporaryDirectory() as folder:
        for name, ending in ENDINGS.items():
            path = Path(folder) / f"recording.{ending}"
            write_trace(trace, path)
            seconds = min(wall_s(partial(read_trace, path)) for _ in range(2 if quick else 5))
            rows, size = len(trace.arrival_s), path.stat().st_size
            note = f"{rows / 1e6:g} M rows of three columns, {size / rows:.0f} bytes a row as {name}."
            yield Figure(name=f"{name}, rows", value=rows / seconds / 1e6, unit="M rows/s", note=note)
            yield Figure(name=f"{name}, bytes", value=size / seconds / 1e6, unit="MB/s")


def _recording(requests: int) -> RequestTrace:
    rng = np.random.default_rng(0)
    return RequestTrace(
        name="recording",
        arrival_s=np.round(np.cumsum(rng.standard_exponential(requests)) / 50, 6),
        input_tokens=np.rint(rng.lognormal(6.5, 1.0, requests)),
        output_tokens=np.rint(rng.lognormal(5.0, 0.8, requests)),
    )
