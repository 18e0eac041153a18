"""How Ray Serve turns samples of running and queued requests into one number.

By default every handle and replica averages its own samples over the look-back and the controller adds the
reports up (simple mode). With `RAY_SERVE_AGGREGATE_METRICS_AT_CONTROLLER` the controller merges the raw
series into one step function and averages that over time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["handle_metrics_timeout_s", "merge_instantaneous_total", "time_weighted_average", "window_average"]

Point = tuple[float, float]
"""Time in seconds and value."""

MIN_HANDLE_METRICS_TIMEOUT_S = 10.0


def window_average(points: Sequence[Point], *, window_start_s: float) -> float | None:
    """The plain mean of the samples after the window's start; None if there are none.

    A sample exactly at the start is already outside.

    Source: Ray Serve `_private/metrics_utils.py`.

    >>> window_average([(0.0, 9.0), (10.0, 2.0), (20.0, 4.0)], window_start_s=0.0)
    3.0
    """
    values = [value for time_s, value in points if time_s > window_start_s]
    return sum(values) / len(values) if values else None


def handle_metrics_timeout_s(metrics_interval_s: float) -> float:
    """Age at which a handle's report is dropped: twice the reporting interval, but at least 10 s.

    A report exactly that old is dropped too.

    Source: Ray Serve `_private/autoscaling_state.py`.
    """
    return max(2 * metrics_interval_s, MIN_HANDLE_METRICS_TIMEOUT_S)


def merge_instantaneous_total(series: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """The sum of gauges at every instant at which one of them changed.

    Each series is a step function that holds a value from its time on; before its first point it is 0.
    Points that leave the total as it was are dropped.

    Source: Ray Serve `_private/metrics_utils.py`.

    >>> merge_instantaneous_total([[(1.0, 5.0), (3.0, 7.0)], [(2.0, 3.0)]])
    ((1.0, 5.0), (2.0, 8.0), (3.0, 10.0))
    """
    changes: dict[float, float] = {}
    for one in series:
        before = 0.0
        for time_s, value in one:
            changes[time_s] = changes.get(time_s, 0.0) + value - before
            before = value
    total = 0.0
    merged: list[Point] = []
    for time_s in sorted(changes):
        if changes[time_s] != 0 or not merged:
            total += changes[time_s]
            merged.append((time_s, total))
    return tuple(merged)


def time_weighted_average(
    steps: Sequence[Point],
    *,
    window_start_s: float | None = None,
    window_end_s: float | None = None,
    last_window_s: float = 1.0,
) -> float | None:
    """The mean of a step function over time, each value weighted with how long it held.

    Args:
        steps: Times and values, in order of time; a value holds until the next.
        window_start_s: Where the mean begins; by default at the first step.
        window_end_s: Where it ends; by default `last_window_s` after the last step.
        last_window_s: How long the last value is taken to hold.

    Returns:
        The mean; None without steps or without any time in the window.

    Source: Ray Serve `_private/metrics_utils.py`.

    >>> time_weighted_average([(0.0, 2.0), (6.0, 5.0)], last_window_s=3.0)  # (2 * 6 + 5 * 3) / 9
    3.0
    """
    if not steps:
        return None
    start_s = steps[0][0] if window_start_s is None else window_start_s
    end_s = steps[-1][0] + last_window_s if window_end_s is None else window_end_s
    ends = [time_s for time_s, _ in steps[1:]] + [math.inf]
    weighted = duration_s = 0.0
    for (from_s, value), to_s in zip(steps, ends, strict=True):
        held_s = min(to_s, end_s) - max(from_s, start_s)
        if held_s > 0:
            weighted += value * held_s
            duration_s += held_s
    return weighted / duration_s if duration_s > 0 else None
