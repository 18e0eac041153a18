"""What every trace is checked for, when it is made and before its rows are put in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hindscale.core.errors import TraceError

__all__ = ["CLOCK_MS", "CLOCK_S", "as_numbers", "require_length", "require_not_falling", "require_one_unit"]

Floats = NDArray[np.float64]
CLOCK_S = 1e8
"""An offset above three years is a clock time, not the time since a trace began."""
CLOCK_MS = 1e11
"""A clock time in seconds stays below this until the year 5138; above, it counts milliseconds."""
BLOCK = 1 << 20


def as_numbers(name: str, column: str, values: Floats) -> Floats:
    """Float64, one-dimensional, not empty, finite and >= 0; the first offender is named by its row."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise TraceError(f"{name}: {column} must have one dimension, has {array.ndim}")
    if not len(array):
        raise TraceError(f"{name}: {column} must hold at least one value, was empty")
    # min() and max() are NaN if any value is: one pass each, no temporary array of the whole trace.
    if not (array.min() >= 0 and array.max() < np.inf):
        row = int(np.flatnonzero(~((array >= 0) & (array < np.inf)))[0])
        raise TraceError(f"{name}: {column} must be a number >= 0, but row {row + 1} has {array[row]:g}")
    return array


def require_length(name: str, column: str, values: Floats, expected: int) -> None:
    if len(values) != expected:
        raise TraceError(f"{name}: {column} must have one value a request ({expected}), has {len(values)}")


def require_not_falling(name: str, arrival_s: Floats) -> None:
    """Arrivals in order, on a clock that starts with the trace and keeps its unit."""
    if arrival_s[0] > CLOCK_S:
        unit, way_out = "", "subtract the first value"
        if arrival_s[0] > CLOCK_MS:
            unit, way_out = " in milliseconds", "subtract the first value and divide by 1000"
        raise TraceError(
            f"{name}: arrival_s must count seconds from the trace's beginning, but begins at {arrival_s[0]:.0f},"
            f" which looks like a clock time{unit}; {way_out}"
        )
    # In blocks: a trace of 100 million requests must not need its own size again in temporary arrays.
    for begin in range(0, len(arrival_s) - 1, BLOCK):
        after = arrival_s[begin + 1 : begin + BLOCK + 1]
        falls = after < arrival_s[begin : begin + len(after)]
        if falls.any():
            row = begin + int(np.argmax(falls))
            raise TraceError(
                f"{name}: arrival_s must not fall, but row {row + 2} has {arrival_s[row + 1]:.15g} after"
                f" {arrival_s[row]:.15g}; sort the file, or read it with --sort"
            )
    require_one_unit(name, "arrival_s", arrival_s)


def require_one_unit(name: str, column: str, times: Floats) -> None:
    """No change from seconds to milliseconds on the way; `times` do not fall.

    At the change the time jumps to a thousand times its last value, and from then on the steps are a thousand
    times longer, too. A long silence makes such a jump but leaves the steps as they were.
    """
    for row in _thousandfold(times):
        step_before = (times[row] - times[0]) / row
        step_after = (times[-1] - times[row + 1]) / (len(times) - row - 2)
        if 100 * step_before < step_after < 10_000 * step_before:
            raise TraceError(
                f"{name}: {column} must be in seconds throughout, but row {row + 2} jumps from"
                f" {times[row]:g} to {times[row + 1]:g}; are seconds and milliseconds mixed?"
            )


def _thousandfold(times: Floats) -> Iterator[int]:
    """Rows before a jump to about a thousand times their value, with steps enough on both sides to compare."""
    for begin in range(10, len(times) - 2, BLOCK):
        before = times[begin : min(begin + BLOCK, len(times) - 2)]
        after = times[begin + 1 : begin + 1 + len(before)]
        yield from (begin + np.flatnonzero((after > 900 * before) & (after < 1100 * before) & (before > 1))).tolist()
