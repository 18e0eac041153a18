"""Time windows of a metric: one value a second, averaged."""

from __future__ import annotations

import math

__all__ = ["GRANULARITY_S", "Buckets", "recorded", "window_average"]

GRANULARITY_S = 1.0
Buckets = tuple[tuple[int, float], ...]
"""Number of a second and the value recorded in it, in order of time."""


def recorded(buckets: Buckets, value: float, *, now_s: float, window_s: float) -> Buckets:
    """The window with one more value: the latest of a second counts, and what is older than the window goes.

    A bucket exactly as old as the window stays.

    Args:
        buckets: The window before.
        value: The mean over pods.
        now_s: When it was taken.
        window_s: Length of the window; > 0.

    Source: AIBrix `pkg/controller/podautoscaler/types/metrics.go`, TimeWindow.

    >>> window = recorded((), 4.0, now_s=0.0, window_s=60.0)
    >>> window = recorded(window, 8.0, now_s=60.0, window_s=60.0)
    >>> recorded(window, 9.0, now_s=60.5, window_s=60.0)
    ((0, 4.0), (60, 9.0))
    """
    bucket = math.floor(now_s / GRANULARITY_S)
    oldest = math.floor((now_s - window_s) / GRANULARITY_S)
    kept = tuple(one for one in buckets if one[0] >= oldest and one[0] != bucket)
    return tuple(sorted((*kept, (bucket, value))))


def window_average(buckets: Buckets) -> float:
    """The mean of the recorded values; 0 without any.

    Source: AIBrix `pkg/controller/podautoscaler/types/metrics.go`, TimeWindow.
    """
    return sum(value for _, value in buckets) / len(buckets) if buckets else 0.0
