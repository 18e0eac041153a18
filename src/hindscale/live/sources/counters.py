"""Counters as they are seen from outside: they restart, repeat themselves, arrive late, and sometimes lie."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

__all__ = ["Counters", "quantile_of_buckets", "share_within"]


class Counters:
    """How much each of several counters has grown since it was first seen.

    A first value is only a beginning: what was counted before is not ours. A value below the last one means that the
    counter began again at zero. Values that are not newer than the last are duplicates or late, and change nothing;
    nor does what is no count.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[float, float]] = {}

    def increase(self, at_s: float, values: Mapping[Hashable, float]) -> dict[Hashable, float]:
        """How much each has grown since it was last seen.

        Args:
            at_s: When these values were true, on the clock of their sender.
            values: The counters by any key.

        >>> counters = Counters()
        >>> [counters.increase(at, {"served": value})["served"] for at, value in [(0, 7), (1, 9), (1, 9), (2, 3)]]
        [0.0, 2, 0.0, 3]
        """
        return {key: self._grown(key, at_s, value) for key, value in values.items()}

    def fell(self, values: Mapping[Hashable, float]) -> bool:
        """Whether any value lies below the last one of its counter."""
        return any(key in self._last and value < self._last[key][1] for key, value in values.items())

    def forget(self) -> None:
        """Begin again, as if nothing had been seen."""
        self._last.clear()

    def _grown(self, key: Hashable, at_s: float, value: float) -> float:
        if not math.isfinite(value) or value < 0:
            return 0.0
        if key not in self._last:
            self._last[key] = (at_s, value)
            return 0.0
        before_s, before = self._last[key]
        if at_s <= before_s:
            return 0.0
        self._last[key] = (at_s, value)
        return value - before if value >= before else value


def quantile_of_buckets(counts: Mapping[float, float], share: float) -> float:
    """The value that a share of the entries of a cumulative histogram stays under, interpolated in its bucket.

    Args:
        counts: Entries at or under each upper bound, the last bound infinite.
        share: In (0, 1).

    Returns:
        NaN without entries; the last finite bound for what lies beyond it.

    Source: Prometheus, histogram_quantile.

    >>> quantile_of_buckets({1.0: 50, 2.0: 100, math.inf: 100}, 0.75)
    1.5
    """
    bounds = sorted(counts)
    total = counts[bounds[-1]] if bounds else 0.0
    if not total > 0:
        return math.nan
    rank, low, below = share * total, 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= rank:
            if math.isinf(bound):
                return low
            inside = counts[bound] - below
            return low + (bound - low) * ((rank - below) / inside if inside else 1.0)
        low, below = bound, counts[bound]
    return low


def share_within(counts: Mapping[float, float], bound_s: float) -> float:
    """The share of the entries of a cumulative histogram at or under a bound, interpolated in its bucket.

    Exact where the histogram has a bucket that ends at the bound. NaN without entries.

    >>> share_within({1.0: 50, 2.0: 100, math.inf: 100}, 1.5)
    0.75
    """
    bounds = sorted(counts)
    total = counts[bounds[-1]] if bounds else 0.0
    if not total > 0:
        return math.nan
    low, below = 0.0, 0.0
    for bound in bounds:
        if bound_s <= bound:
            if math.isinf(bound):
                return below / total
            return (below + (counts[bound] - below) * (bound_s - low) / (bound - low)) / total
        low, below = bound, counts[bound]
    return below / total
