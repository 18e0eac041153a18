"""From rates to single arrivals: a seeded non-homogeneous Poisson process, burstier on request.

Arrivals are made in chunks, in order, so that a month of traffic never has to fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import ParameterError
from hindscale.traces.types import RateTrace

__all__ = ["ArrivalProcess", "arrival_chunks"]

Floats = NDArray[np.float64]
CHUNK_REQUESTS = 1 << 17
CHUNK_CELLS = 1 << 20
LINEAR_CELLS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalProcess:
    """How the arrivals inside a window of known count are spread.

    With `burstiness` b > 0 the rate of every `burst_s` seconds is multiplied by an independent gamma
    variable of mean 1 and coefficient of variation b (shape 1/b^2, scale b^2). The counts of such a
    cell are then negative binomial: Var = m + b^2 m^2 instead of the Poisson's m, for mean m.

    Attributes:
        burstiness: Coefficient of variation of the rate from cell to cell; 0 is a Poisson process.
        burst_s: Length of a cell in seconds.
        interpolation: "step" keeps the rate constant inside a window; "linear" runs through the middles
            of windows and keeps each window's total, for recordings with long windows.
    """

    burstiness: float = 0.0
    burst_s: float = 1.0
    interpolation: Literal["step", "linear"] = "step"

    def __post_init__(self) -> None:
        require_nonnegative(burstiness=self.burstiness)
        require_positive(burst_s=self.burst_s)
        if self.interpolation not in ("step", "linear"):
            raise ParameterError(f"interpolation must be 'step' or 'linear', was {self.interpolation!r}")


def arrival_chunks(
    trace: RateTrace,
    rng: np.random.Generator,
    process: ArrivalProcess | None = None,
    *,
    chunk_requests: int = CHUNK_REQUESTS,
) -> Iterator[Floats]:
    """Arrival times in seconds, sorted, in chunks of about `chunk_requests` expected arrivals.

    Given the number of arrivals, those of a Poisson process are independent draws from its intensity:
    so a chunk draws its number, then that many sorted uniforms on the cumulative intensity, and reads
    the times off its inverse.
    """
    process = process or ArrivalProcess()
    trace = _in_parts(trace, process, 8 * chunk_requests)
    cells_per_window = _cells_per_window(trace, process)
    cell_s = trace.window_s / cells_per_window
    bursts = _Bursts(process, cell_s, rng)
    for low, high in _groups(trace.requests, chunk_requests, max(1, CHUNK_CELLS // cells_per_window)):
        expected = _expected_per_cell(trace.requests, low, high, cells_per_window, process)
        if process.burstiness:
            expected *= bursts.factors(low * cells_per_window, high * cells_per_window)
        cumulative = np.concatenate(([0.0], np.cumsum(expected)))
        count = int(rng.poisson(cumulative[-1]))
        if count:
            edges = low * trace.window_s + cell_s * np.arange(len(expected) + 1)
            yield np.interp(_sorted_uniforms(rng, count) * cumulative[-1], cumulative, edges)


def _in_parts(trace: RateTrace, process: ArrivalProcess, limit: int) -> RateTrace:
    """The same rates in shorter windows where one window alone would be a chunk too large for memory."""
    parts = 1 + max(int(trace.requests.max() // limit), _cells_per_window(trace, process) // CHUNK_CELLS)
    if parts == 1:
        return trace
    requests = _expected_per_cell(trace.requests, 0, len(trace.requests), parts, process)
    return replace(trace, window_s=trace.window_s / parts, requests=requests)


def _cells_per_window(trace: RateTrace, process: ArrivalProcess) -> int:
    cells = LINEAR_CELLS if process.interpolation == "linear" else 1
    if process.burstiness:
        cells = max(cells, round(trace.window_s / process.burst_s))
    return cells


def _groups(requests: Floats, chunk_requests: int, most_windows: int) -> Iterator[tuple[int, int]]:
    """Runs of windows [low, high) with about `chunk_requests` requests each, at least one window."""
    cumulative = np.cumsum(requests)
    low = 0
    while low < len(requests):
        done = cumulative[low - 1] if low else 0.0
        high = max(int(np.searchsorted(cumulative, done + chunk_requests, "right")), low + 1)
        high = min(high, low + most_windows)
        yield low, high
        low = high


def _expected_per_cell(requests: Floats, low: int, high: int, cells_per_window: int, process: ArrivalProcess) -> Floats:
    if process.interpolation == "step":
        return np.repeat(requests[low:high] / cells_per_window, cells_per_window)
    middles = np.arange(len(requests)) + 0.5
    centres = low + (np.arange((high - low) * cells_per_window) + 0.5) / cells_per_window
    shape = np.interp(centres, middles, requests).reshape(high - low, cells_per_window)
    totals = shape.sum(axis=1, keepdims=True)
    # A window without requests stays empty even where its neighbours slope into it.
    share = np.divide(shape, totals, out=np.zeros_like(shape), where=totals > 0)
    return np.asarray((share * requests[low:high, None]).ravel())


class _Bursts:
    """One gamma factor a burst, for one chunk after the other; a burst may span several cells, and chunks."""

    def __init__(self, process: ArrivalProcess, cell_s: float, rng: np.random.Generator) -> None:
        self._variance = process.burstiness**2
        self._cells = max(1, round(process.burst_s / cell_s))
        self._rng = rng
        self._last = (-1, 0.0)  # the burst that the chunk before ended in, and its factor

    def factors(self, low: int, high: int) -> Floats:
        """The factors of the cells [low, high)."""
        bursts = np.arange(low, high) // self._cells
        first, end = int(bursts[0]), int(bursts[-1]) + 1
        drawn = self._rng.gamma(1 / self._variance, self._variance, end - first)
        if first == self._last[0]:
            drawn[0] = self._last[1]
        self._last = (end - 1, float(drawn[-1]))
        return np.asarray(drawn[bursts - first])


def _sorted_uniforms(rng: np.random.Generator, count: int) -> Floats:
    """Order statistics of `count` uniforms on [0, 1): partial sums of exponentials over the full sum."""
    sums = np.cumsum(rng.standard_exponential(count + 1))
    return np.asarray(sums[:-1] / sums[-1])
