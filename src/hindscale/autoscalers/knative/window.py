"""Averages over a sliding window of one-second buckets, as the KPA keeps them for its stable and panic windows.

A window is an explicit, immutable value: a ring of buckets, their running total, and the first and the last
bucket that was written. Recording gives a new window; nothing in it grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.core.checks import require_positive
from hindscale.core.errors import ParameterError

__all__ = [
    "MIN_EXPONENT",
    "PRECISION",
    "WEIGHT_PRECISION",
    "Window",
    "is_empty",
    "linear_average",
    "new_window",
    "record",
    "resized",
    "round_to_digits",
    "smoothing_coefficient",
    "weighted_average",
]

MIN_EXPONENT = 0.2
WEIGHT_PRECISION = 0.9999
PRECISION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was recorded in the last `window_s` seconds.

    Attributes:
        window_s: Its length in seconds.
        granularity_s: Length of a bucket in seconds.
        buckets: A ring: what was recorded in bucket number i is at i modulo its length.
        total: Running sum of the ring, kept as the original keeps it: with its rounding errors.
        first_write: Number of the first bucket written since the window was last empty; None for never.
        last_write: Number of the latest bucket written; None for never.
    """

    window_s: float
    granularity_s: float = 1.0
    buckets: tuple[float, ...]
    total: float = 0.0
    first_write: int | None = None
    last_write: int | None = None


def new_window(window_s: float, granularity_s: float = 1.0) -> Window:
    """An empty window of ⌈window / granularity⌉ buckets.

    Args:
        window_s: Its length in seconds; >= `granularity_s`.
        granularity_s: Length of a bucket in seconds; > 0.

    Raises:
        ParameterError: If the window holds not even one bucket.

    >>> len(new_window(60.0).buckets), len(new_window(5.0, 2.0).buckets)
    (60, 3)
    """
    require_positive(granularity_s=granularity_s)
    if not window_s >= granularity_s:
        raise ParameterError(f"window_s must be >= granularity_s ({granularity_s:g}), was {window_s!r}")
    count = math.ceil(window_s / granularity_s)
    return Window(window_s=window_s, granularity_s=granularity_s, buckets=(0.0,) * count)


def record(window: Window, time_s: float, value: float) -> Window:
    """Add a value to the bucket of its time.

    Values of one bucket add up. Buckets that were skipped since the last write become 0; a whole window
    without a write forgets everything; a value older than a window before the last write is dropped.

    Args:
        window: What was recorded before.
        time_s: When it was measured, in seconds.
        value: What was measured, summed over the pods.

    Source: `pkg/autoscaler/aggregation/bucketing.go`, Record.

    >>> window = record(record(new_window(60.0), 10.2, 3.0), 10.9, 4.0)
    >>> window.total, linear_average(window, 10.0)
    (7.0, 7.0)
    """
    bucket = _bucket(window, time_s)
    last, first = window.last_write, window.first_write
    if last is None or first is None or (bucket - last) * window.granularity_s >= window.window_s:
        emptied = (0.0,) * len(window.buckets)
        window = replace(window, buckets=emptied, total=0.0, first_write=bucket, last_write=bucket)
    elif bucket > last:
        window = _cleared(window, last, bucket)
    elif (last - bucket) * window.granularity_s >= window.window_s:
        return window
    elif bucket < first:
        window = replace(window, first_write=bucket)
    index = bucket % len(window.buckets)
    ring = window.buckets
    ring = (*ring[:index], ring[index] + value, *ring[index + 1 :])
    return replace(window, buckets=ring, total=window.total + value)


def is_empty(window: Window, now_s: float) -> bool:
    """Whether nothing was recorded for more than the window's length.

    >>> window = record(new_window(6.0), 0.0, 1.0)
    >>> is_empty(window, 6.0), is_empty(window, 7.0)
    (False, True)
    """
    if window.last_write is None:
        return True
    return (_bucket(window, now_s) - window.last_write) * window.granularity_s > window.window_s


def linear_average(window: Window, now_s: float) -> float:
    """The mean of the buckets since the first write, without those that have aged out; 6 decimals.

    * up to the last write: total / min(buckets since the first write, buckets of the window);
    * within a window after it, e buckets later: the sum that has not aged out
      / min(buckets since the first write, buckets of the window - e);
    * later: 0.

    Gaps between writes count as 0; the time before the first write and after the last one does not count.

    Args:
        window: What was recorded.
        now_s: The time of the question, in seconds.

    Source: `pkg/autoscaler/aggregation/bucketing.go`, WindowAverage.

    >>> window = new_window(4.0)
    >>> for second, value in ((0, 2.0), (1, 4.0)):
    ...     window = record(window, second, value)
    >>> linear_average(window, 1), linear_average(window, 3), linear_average(window, 5)
    (3.0, 3.0, 0.0)
    """
    last, first = window.last_write, window.first_write
    if last is None or first is None:
        return 0.0
    elapsed = _bucket(window, now_s) - last
    count = len(window.buckets)
    written = last - first + 1
    if elapsed <= 0:
        return round_to_digits(window.total / min(written, count))
    if elapsed * window.granularity_s < window.window_s:
        kept = window.total
        for bucket in range(last + 1, last + elapsed + 1):
            kept -= window.buckets[bucket % count]
        return round_to_digits(kept / min(written, count - elapsed))
    return 0.0


def weighted_average(window: Window, now_s: float) -> float:
    """Σ c (1 - c)^i · bucket i, counted back from now: recent seconds weigh more; not rounded.

    c is `smoothing_coefficient`. Buckets without a write count as 0, and the weights are not normalized, so a
    window that has just begun gives less than what was measured.

    Args:
        window: What was recorded.
        now_s: The time of the question, in seconds.

    Source: `pkg/autoscaler/aggregation/bucketing.go`, WeightedFloat64Buckets.

    >>> weighted_average(record(new_window(60.0), 0.0, 10.0), 0.0)
    2.0
    """
    if window.last_write is None or is_empty(window, now_s):
        return 0.0
    count = len(window.buckets)
    coefficient = smoothing_coefficient(count)
    elapsed = max(0, _bucket(window, now_s) - window.last_write)
    weight = coefficient * (1 - coefficient) ** elapsed if elapsed else coefficient
    highest, lowest = max(window.buckets), min(window.buckets)
    average, largest = 0.0, max(highest, -lowest)
    for back in range(count - elapsed):
        # What is below half of the sum's last bit leaves it as it is, and so does all that is older.
        if weight * largest < abs(average) * 2.0**-54:
            break
        average += window.buckets[(window.last_write - back) % count] * weight
        weight *= 1 - coefficient
    return average


def smoothing_coefficient(buckets: int) -> float:
    """The decay c = max(1 - (1 - 0.9999)^(1 / buckets), 0.2).

    At least 0.9999 of the weight lies in the window, and a second counts no less than 0.2 of what is left.

    >>> round(smoothing_coefficient(6), 4), smoothing_coefficient(60)
    (0.7846, 0.2)
    """
    inferred: float = 1 - (1 - WEIGHT_PRECISION) ** (1 / buckets)
    return max(inferred, MIN_EXPONENT)


def resized(window: Window, window_s: float, now_s: float) -> Window:
    """The window with another length, as after a change of the annotation; the latest buckets are kept.

    Source: `pkg/autoscaler/aggregation/bucketing.go`, ResizeWindow.

    >>> window = record(record(new_window(6.0), 0, 1.0), 1, 2.0)
    >>> resized(window, 10.0, 1.0).total
    3.0
    """
    if window_s == window.window_s:
        return window
    wider = new_window(window_s, window.granularity_s)
    if window.last_write is None or is_empty(window, now_s):
        return replace(wider, last_write=window.last_write)
    old, new = len(window.buckets), len(wider.buckets)
    ring, total = [0.0] * new, 0.0
    for bucket in range(window.last_write, window.last_write - min(old, new), -1):
        ring[bucket % new] = window.buckets[bucket % old]
        total += window.buckets[bucket % old]
    first = window.last_write - (old - 1)
    return replace(wider, buckets=tuple(ring), total=total, first_write=first, last_write=window.last_write)


def round_to_digits(value: float, digits: int = PRECISION) -> float:
    """Round to decimals, halves away from zero. Rests of a running total, such as -3.6e-17, become 0.

    >>> round_to_digits(2.0000005), round_to_digits(-3.6e-17) == 0
    (2.000001, True)
    """
    scaled = value * 10.0**digits
    whole = math.trunc(scaled)
    if abs(scaled - whole) >= 0.5:
        whole += 1 if scaled > 0 else -1
    return whole / 10.0**digits


def _bucket(window: Window, time_s: float) -> int:
    return math.floor(time_s / window.granularity_s)


def _cleared(window: Window, last: int, bucket: int) -> Window:
    """The window moved on to a new bucket; those between were not written, and their old content has aged out."""
    ring, total, count = list(window.buckets), window.total, len(window.buckets)
    for number in range(last + 1, bucket + 1):
        total -= ring[number % count]
        ring[number % count] = 0.0
    return replace(window, buckets=tuple(ring), total=total, last_write=bucket)
