"""How a histogram divides values into buckets: growing by a ratio (what the recommender uses), or equally wide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from hindscale.autoscalers.vpa.powers import power
from hindscale.core.checks import require_positive
from hindscale.core.errors import ParameterError

__all__ = ["CPU_BUCKETS", "EPSILON", "MEMORY_BUCKETS", "Buckets", "ExponentialBuckets", "LinearBuckets"]

EPSILON = 1e-4  # a thousandth of the least weight of a CPU sample


class Buckets(Protocol):
    """A division of values >= 0 into numbered buckets; the last one has no end."""

    @property
    def epsilon(self) -> float:
        """Weight from which on a bucket counts as used."""

    @property
    def count(self) -> int:
        """Number of buckets."""

    def start(self, bucket: int) -> float:
        """Least value of a bucket."""

    def find(self, value: float) -> int:
        """The bucket that a value falls into, the nearest one if it is out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialBuckets:
    """Buckets whose widths grow by a ratio r: bucket b starts at first (r^b - 1) / (r - 1), first r^b wide.

    Attributes:
        first_bucket: Width of bucket 0; > 0.
        maximum: The last bucket starts at or above it; > 0.
        ratio: Growth r of the width; > 1.
        epsilon: Weight from which on a bucket counts as used; > 0.

    Source: VPA `pkg/recommender/util/histogram_options.go`.

    >>> buckets = ExponentialBuckets(first_bucket=1.0, maximum=7.0, ratio=2.0)
    >>> buckets.count, [buckets.start(b) for b in range(4)], [buckets.find(v) for v in (0.9, 1.0, 2.9, 3.0, 99.0)]
    (4, [0.0, 1.0, 3.0, 7.0], [0, 1, 1, 2, 3])
    """

    first_bucket: float
    maximum: float
    ratio: float = 1.05
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        require_positive(first_bucket=self.first_bucket, maximum=self.maximum, epsilon=self.epsilon)
        if not 1 < self.ratio < math.inf:
            raise ParameterError(f"ratio must be a number > 1, was {self.ratio!r}")

    @property
    def count(self) -> int:
        return math.ceil(self._position(self.maximum)) + 1

    def start(self, bucket: int) -> float:
        _require_bucket(bucket, self.count)
        if bucket == 0:
            return 0.0
        return self.first_bucket * (power(self.ratio, bucket) - 1) / (self.ratio - 1)

    def find(self, value: float) -> int:
        if value < self.first_bucket:
            return 0
        return min(int(self._position(value)), self.count - 1)

    def _position(self, value: float) -> float:
        # A quotient of logarithms in this order of operations, so that a value on a bucket's edge falls where the
        # original puts it: of the CPU buckets' starts, all but those of 0 and 1 lie in the bucket below.
        return math.log(value * (self.ratio - 1) / self.first_bucket + 1) / math.log(self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearBuckets:
    """Buckets of one width: bucket b starts at b width; ceil(maximum / width) + 1 of them.

    Attributes:
        bucket_size: The width; > 0.
        maximum: The last bucket starts at or above it; > 0.
        epsilon: Weight from which on a bucket counts as used; > 0.

    Source: VPA `pkg/recommender/util/histogram_options.go`.

    >>> buckets = LinearBuckets(bucket_size=1.0, maximum=10.0)
    >>> buckets.count, buckets.find(2.5), buckets.start(3), buckets.find(1e9)
    (11, 2, 3.0, 10)
    """

    bucket_size: float
    maximum: float
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        require_positive(bucket_size=self.bucket_size, maximum=self.maximum, epsilon=self.epsilon)

    @property
    def count(self) -> int:
        return math.ceil(self.maximum / self.bucket_size) + 1

    def start(self, bucket: int) -> float:
        _require_bucket(bucket, self.count)
        return bucket * self.bucket_size

    def find(self, value: float) -> int:
        return max(0, min(int(value / self.bucket_size), self.count - 1))


def _require_bucket(bucket: int, count: int) -> None:
    if not 0 <= bucket < count:
        raise ParameterError(f"bucket must be in 0..{count - 1}, was {bucket}")


CPU_BUCKETS = ExponentialBuckets(first_bucket=0.01, maximum=1000.0)  # cores
MEMORY_BUCKETS = ExponentialBuckets(first_bucket=1e7, maximum=1e12)  # bytes
