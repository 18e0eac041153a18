"""The recommender's memory: a histogram of usage that forgets half of what it knows with every half-life.

Instead of fading what is there, newer samples weigh more: a sample at time t is added with its weight times
2^((t - reference) / half-life). Only relative weights matter to a percentile, so nothing is ever rescaled
but the reference, when the exponents grow beyond 100.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hindscale.autoscalers.vpa.buckets import Buckets
from hindscale.autoscalers.vpa.decay import decay_factor, needs_new_reference, rounded_reference, shift_factor
from hindscale.core.checks import require_nonnegative
from hindscale.core.errors import ParameterError
from hindscale.core.state import from_plain, to_plain

__all__ = [
    "Histogram",
    "add_sample",
    "add_samples",
    "empty_histogram",
    "merge_histograms",
    "percentile",
    "read_only",
    "same_distribution",
    "subtract_sample",
]

EQUALITY_TOLERANCE = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Weights of buckets, fading by half with every half-life.

    Attributes:
        buckets: The division of values.
        half_life_s: Seconds after which a sample weighs half; infinite for a histogram that forgets nothing.
        weights: Weight of every bucket, relative to the reference time; shape (buckets.count,), read-only.
        total_weight: Kept apart from the sum of `weights`, as the original does; the two differ by roundings.
        first_used: Lowest bucket of weight >= epsilon; the last bucket of all while there is none.
        last_used: Highest bucket of weight >= epsilon; 0 while there is none.
        reference_s: Time at which a sample is added with its own weight; None before the first sample.
    """

    buckets: Buckets
    half_life_s: float
    weights: NDArray[np.float64]
    total_weight: float
    first_used: int
    last_used: int
    reference_s: float | None

    @property
    def is_empty(self) -> bool:
        """Whether no bucket is used."""
        return bool(self.weights[self.first_used] < self.buckets.epsilon)

    def __eq__(self, other: object) -> bool:
        """Whether the two are the same to the last bit; `same_distribution` is the original's comparison."""
        return isinstance(other, Histogram) and self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        return hash((self.total_weight, self.first_used, self.last_used, self.reference_s))

    def to_plain(self) -> Any:
        """The histogram as plain values, buckets of weight 0 left out; `from_plain` reverses it exactly."""
        used = np.flatnonzero(self.weights)
        sparse = tuple((int(bucket), float(self.weights[bucket])) for bucket in used)
        rest = (self.total_weight, self.first_used, self.last_used, self.reference_s)
        return to_plain((self.buckets, self.half_life_s, sparse, *rest))

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """The histogram that `to_plain` wrote down."""
        buckets, half_life_s, sparse, total_weight, first_used, last_used, reference_s = from_plain(plain)
        weights = np.zeros(buckets.count)
        for bucket, weight in sparse:
            weights[bucket] = weight
        return cls(
            buckets=buckets,
            half_life_s=half_life_s,
            weights=read_only(weights),
            total_weight=total_weight,
            first_used=first_used,
            last_used=last_used,
            reference_s=reference_s,
        )


def read_only(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The array itself, closed to writing: states share it."""
    weights.flags.writeable = False
    return weights


def empty_histogram(buckets: Buckets, half_life_s: float = math.inf) -> Histogram:
    """A histogram of nothing.

    Args:
        buckets: How to divide values.
        half_life_s: > 0; infinite to forget nothing.
    """
    if not half_life_s > 0:
        raise ParameterError(f"half_life_s must be > 0, was {half_life_s!r}")
    return Histogram(
        buckets=buckets,
        half_life_s=half_life_s,
        weights=read_only(np.zeros(buckets.count)),
        total_weight=0.0,
        first_used=buckets.count - 1,
        last_used=0,
        reference_s=None,
    )


def add_sample(histogram: Histogram, value: float, weight: float, time_s: float) -> Histogram:
    """The histogram with one more sample: weight 2^((t - reference) / half-life) in the value's bucket.

    When t > reference + 100 half-lives, the reference moves to t first.

    Args:
        histogram: Before.
        value: Usage; below the first bucket's end it falls there, above the maximum into the last one.
        weight: >= 0.
        time_s: When; Unix seconds, though only whole half-lives matter to the reference.

    Source: VPA `pkg/recommender/util/decaying_histogram.go`.
    """
    return add_samples(histogram, (value,), (weight,), (time_s,))


def add_samples(
    histogram: Histogram, values: Sequence[float], weights: Sequence[float], times_s: Sequence[float]
) -> Histogram:
    """The same as adding the samples one by one, in one pass over the arrays.

    Args:
        histogram: Before.
        values: As in `add_sample`; all three of one length.
        weights: >= 0.
        times_s: In any order.
    """
    if not len(values) == len(weights) == len(times_s):
        raise ParameterError(f"got {len(values)} values, {len(weights)} weights and {len(times_s)} times")
    start = 0
    while start < len(values):
        # All samples up to the next move of the reference share one reference.
        histogram = _with_reference_for(histogram, times_s[start])
        end = start + 1
        while end < len(values) and not needs_new_reference(times_s[end], histogram.reference_s, histogram.half_life_s):
            end += 1
        histogram = _added(histogram, values[start:end], weights[start:end], times_s[start:end])
        start = end
    return histogram


def _added(
    histogram: Histogram, values: Sequence[float], weights: Sequence[float], times_s: Sequence[float]
) -> Histogram:
    added = []
    for weight, time_s in zip(weights, times_s, strict=True):
        require_nonnegative(weight=weight)
        added.append(weight * decay_factor(time_s, histogram.reference_s, histogram.half_life_s))
    buckets = [histogram.buckets.find(value) for value in values]
    summed = histogram.weights.copy()
    np.add.at(summed, buckets, added)  # adds in order, so that the sums round as one by one
    used = [bucket for bucket in buckets if summed[bucket] >= histogram.buckets.epsilon]
    return replace(
        histogram,
        weights=read_only(summed),
        total_weight=float(np.cumsum([histogram.total_weight, *added])[-1]),
        first_used=min([histogram.first_used, *used]),
        last_used=max([histogram.last_used, *used]),
    )


def subtract_sample(histogram: Histogram, value: float, weight: float, time_s: float) -> Histogram:
    """The histogram without a sample that was added before; a bucket left with less than epsilon becomes 0.

    Args:
        histogram: Before.
        value: As it was added.
        weight: As it was added; >= 0.
        time_s: As it was added.

    Source: VPA `pkg/recommender/util/histogram.go`.
    """
    require_nonnegative(weight=weight)
    histogram = _with_reference_for(histogram, time_s)
    bucket = histogram.buckets.find(value)
    there = float(histogram.weights[bucket])
    removed = weight * decay_factor(time_s, histogram.reference_s, histogram.half_life_s)
    if removed > there - histogram.buckets.epsilon:
        removed = there
    weights = histogram.weights.copy()
    weights[bucket] -= removed
    return _narrowed(replace(histogram, weights=read_only(weights), total_weight=histogram.total_weight - removed))


def merge_histograms(one: Histogram, other: Histogram) -> Histogram:
    """Both histograms in one; the older reference first moves to the younger.

    Buckets of the other below epsilon and outside its used range are lost, though not from the total weight.

    Raises:
        ParameterError: If they differ in buckets or half-life.
    """
    if (one.buckets, one.half_life_s) != (other.buckets, other.half_life_s):
        raise ParameterError("histograms of different buckets or half-lives cannot be merged")
    one, other = _moved_up_to(one, other.reference_s), _moved_up_to(other, one.reference_s)
    weights = one.weights.copy()
    used = slice(other.first_used, other.last_used + 1)
    weights[used] += other.weights[used]
    return replace(
        one,
        weights=read_only(weights),
        total_weight=one.total_weight + other.total_weight,
        first_used=min(one.first_used, other.first_used),
        last_used=max(one.last_used, other.last_used),
    )


def same_distribution(one: Histogram, other: Histogram) -> bool:
    """Whether the original takes two histograms for equal: used buckets within 1e-15, total weights aside.

    Buckets, half-life, reference and the range of used buckets must be the same.

    Source: VPA `pkg/recommender/util/{histogram,decaying_histogram}.go`.
    """
    kept = ("buckets", "half_life_s", "reference_s", "first_used", "last_used")
    if any(getattr(one, name) != getattr(other, name) for name in kept):
        return False
    used = slice(one.first_used, one.last_used + 1)
    return bool(np.all(np.abs(one.weights[used] - other.weights[used]) <= EQUALITY_TOLERANCE))


def percentile(histogram: Histogram, share: float) -> float:
    """The end of the first bucket at which the summed weights reach share x total weight.

    The walk goes from the lowest used bucket to the highest and stops there at the latest. The last bucket of
    all has no end and gives its start. So results lie on the buckets' grid, above the data.

    Args:
        histogram: Of which.
        share: Such as 0.9 for the 90th percentile; in [0, 1].

    Returns:
        A value >= 0; 0 if the histogram is empty.

    Source: VPA `pkg/recommender/util/histogram.go`.

    >>> from hindscale.autoscalers.vpa.buckets import LinearBuckets
    >>> ones = add_sample(empty_histogram(LinearBuckets(bucket_size=1.0, maximum=10.0)), 1.5, 1.0, 0.0)
    >>> percentile(ones, 0.9)
    2.0
    """
    if histogram.is_empty:
        return 0.0
    sums = np.cumsum(histogram.weights[histogram.first_used : histogram.last_used])
    bucket = histogram.first_used + int(np.searchsorted(sums, share * histogram.total_weight))
    return histogram.buckets.start(min(bucket + 1, histogram.buckets.count - 1))


def _with_reference_for(histogram: Histogram, time_s: float) -> Histogram:
    out_of_range = needs_new_reference(time_s, histogram.reference_s, histogram.half_life_s)
    return _shifted(histogram, time_s) if out_of_range else histogram


def _moved_up_to(histogram: Histogram, reference_s: float | None) -> Histogram:
    """The histogram with that reference, if its own is older."""
    if reference_s is None or (histogram.reference_s is not None and histogram.reference_s >= reference_s):
        return histogram
    return _shifted(histogram, reference_s)


def _shifted(histogram: Histogram, time_s: float) -> Histogram:
    """The reference moved to a time, rounded to half-lives, and all weights scaled to match."""
    reference_s = rounded_reference(time_s, histogram.half_life_s)
    factor = shift_factor(histogram.reference_s, reference_s, histogram.half_life_s)
    weights = histogram.weights.copy()
    weights[histogram.first_used : histogram.last_used + 1] *= factor
    total_weight = histogram.total_weight * factor
    return _narrowed(replace(histogram, weights=read_only(weights), total_weight=total_weight, reference_s=reference_s))


def _narrowed(histogram: Histogram) -> Histogram:
    """The range of used buckets, drawn in after weights fell."""
    first, last, epsilon = histogram.first_used, histogram.last_used, histogram.buckets.epsilon
    while histogram.weights[first] < epsilon and first < histogram.buckets.count - 1:
        first += 1
    while histogram.weights[last] < epsilon and last > 0:
        last -= 1
    return replace(histogram, first_used=first, last_used=last)
