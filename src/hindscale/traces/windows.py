"""From timestamps to windows of equal length."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hindscale.core.errors import ParameterError, TraceError
from hindscale.core.units import format_duration
from hindscale.traces._checks import require_one_unit

__all__ = ["Fill", "as_fill", "instants", "on_grid", "window_of"]

Floats = NDArray[np.float64]
Fill = Literal["zero", "interpolate"]
MOST_FILLED = 1_000_000
"""Windows that may be filled in however few rows there are: two years of minutes."""


def as_fill(text: str | None) -> Fill | None:
    """The choice a text stands for.

    Raises:
        ParameterError: If it is neither "zero" nor "interpolate".
    """
    known: dict[str | None, Fill | None] = {None: None, "zero": "zero", "interpolate": "interpolate"}
    if text in known:
        return known[text]
    raise ParameterError(f"fill must be zero or interpolate, was {text!r}")


def instants(name: str, column: str, stamps: NDArray[np.datetime64]) -> tuple[Floats, datetime]:
    """Clock times as seconds since the earliest one, and that one.

    Raises:
        TraceError: If a timestamp is missing.
    """
    missing = np.isnat(stamps)
    if missing.any():
        raise TraceError(f"{name}: {column} must be a timestamp, but row {int(np.argmax(missing)) + 1} has none")
    nanoseconds = stamps.astype("datetime64[ns]").astype(np.int64)
    first = int(nanoseconds.min())
    start = datetime.fromtimestamp(first / 1e9, tz=UTC)
    return (nanoseconds - first) / 1e9, start


def window_of(name: str, time_s: Floats) -> float:
    """The window length of a series of window starts: its most common step.

    Raises:
        TraceError: If there are fewer than two rows.
    """
    if len(time_s) < 2:
        raise TraceError(f"{name}: at least two windows are needed to know their length, found {len(time_s)}")
    steps = np.diff(time_s)
    rounded = np.round(steps, 6)
    lengths, often = np.unique(rounded, return_counts=True)
    common = float(lengths[np.argmax(often)])
    # A third of a second has no end: the mean of its steps knows more digits than the rounded one.
    exact = float(steps[rounded == common].mean())
    return common if math.isclose(common, exact, rel_tol=1e-9) else exact


def _require_rising(name: str, time_s: Floats) -> None:
    steps = np.diff(time_s)
    if (steps > 1e-6).all():
        return
    row = int(np.argmin(steps > 1e-6)) + 1
    if steps[row - 1] >= 0:
        raise TraceError(
            f"{name}: time_s must rise, but row {row + 1} has {time_s[row]:.15g} again; keep one of the two"
        )
    raise TraceError(
        f"{name}: time_s must rise, but row {row + 1} has {time_s[row]:.15g} after {time_s[row - 1]:.15g};"
        " sort the file, or read it with --sort"
    )


def on_grid(
    name: str, time_s: Floats, values: Floats, *, fill: Fill | None, window_s: float | None = None
) -> tuple[float, Floats, int]:
    """Values at equally spaced window starts.

    Args:
        time_s: Window starts, rising; steps are whole multiples of the window.
        values: One value a window.
        fill: What stands in for windows without a row; None refuses gaps.
        window_s: Length of a window, where the file states it; the most common step by default.

    Returns:
        Window length in seconds, the values without gaps, and how many were filled in.

    Raises:
        TraceError: If times do not rise, a row is off the grid, or a window is missing and `fill` is None.
    """
    _require_rising(name, time_s)
    window_s = window_s or window_of(name, time_s)
    require_one_unit(name, "time_s", time_s - time_s[0])
    position = (time_s - time_s[0]) / window_s
    slot = np.round(position).astype(np.int64)
    # Rows that share a slot are windows shorter than the others.
    off = (np.abs(position - slot) > 0.01) | (np.diff(slot, prepend=-1) == 0)
    if off.any():
        row = int(np.argmax(off))
        raise TraceError(
            f"{name}: time_s must advance by whole windows of {format_duration(window_s)}, but row {row + 1} advances"
            f" by {time_s[row] - time_s[row - 1]:g} s; are units or window lengths mixed?"
        )
    windows = int(slot[-1]) + 1
    filled = windows - len(slot)
    if filled == 0:
        return window_s, values, 0
    if fill is None:
        row = int(np.argmax(np.diff(slot) > 1)) + 1
        way_out = "read it with --fill zero or --fill interpolate"
        if slot[row] - slot[row - 1] >= 1000:
            way_out = f"are units mixed? if not, {way_out}"
        raise TraceError(
            f"{name}: time_s must advance by one window ({format_duration(window_s)}), but row {row + 1} advances by"
            f" {time_s[row] - time_s[row - 1]:g} s; {way_out}"
        )
    if windows > max(MOST_FILLED, 1000 * len(slot)):
        raise TraceError(
            f"{name}: time_s must hold more than one in 1000 of its windows ({format_duration(window_s)}), has"
            f" {len(slot):,} in {windows:,}; are units mixed?"
        )
    if fill == "interpolate":
        return window_s, np.interp(np.arange(windows), slot, values), filled
    grid = np.zeros(windows)
    grid[slot] = values
    return window_s, grid, filled
