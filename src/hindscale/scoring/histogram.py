"""Latencies as counts in logarithmic buckets: constant memory for any number of requests.

A bucket is the exponent and the first six bits of the mantissa of the latency in nanoseconds as a
double, so that finding it is one shift. Each octave has 64 buckets: a quantile read from the histogram
is in the same bucket as the exact one, so at most 1.6 % away and mostly under 0.8 %. The first bucket
begins at 1.024 us and takes everything below; the last one ends at 2^46 ns, about 19.5 hours, and takes
everything above. (The idea is HdrHistogram's.)
"""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_fraction

__all__ = ["BASE", "BUCKETS", "MANTISSA_SHIFT", "bucket_edges_s", "bucket_of", "quantile_s"]

MANTISSA_BITS = 6
MANTISSA_SHIFT = 52 - MANTISSA_BITS
FIRST_OCTAVE, LAST_OCTAVE = 10, 46
BASE = (1023 + FIRST_OCTAVE) << MANTISSA_BITS
BUCKETS = (LAST_OCTAVE - FIRST_OCTAVE) << MANTISSA_BITS


def bucket_of(latency_ns: int) -> int:
    """The bucket of one latency: this is the readable twin of what the fast engine computes.

    >>> bucket_of(1_000_000), bucket_of(0), bucket_of(1 << 60) == BUCKETS - 1
    (634, 0, True)
    """
    bits: int = struct.unpack("<q", struct.pack("<d", float(latency_ns)))[0]
    return min(max((bits >> MANTISSA_SHIFT) - BASE, 0), BUCKETS - 1)


def bucket_edges_s() -> NDArray[np.float64]:
    """Where buckets begin, in seconds, and where the last one ends; shape (BUCKETS + 1,)."""
    bits = (np.arange(BUCKETS + 1, dtype=np.int64) + BASE) << MANTISSA_SHIFT
    return np.asarray(bits.view(np.float64) * 1e-9)


def quantile_s(counts: NDArray[np.integer], share: float) -> float:
    """The latency that a `share` of the counted requests stay at or under, in seconds.

    It is that of request number k = ⌈share * n⌉; the requests of a bucket are taken to be spread evenly
    over it. NaN when nothing was counted.

    Args:
        counts: Requests in each bucket, shape (BUCKETS,).
        share: In (0, 1].
    """
    require_fraction(share=share)
    cumulative = np.cumsum(counts)
    total = int(cumulative[-1])
    if total == 0:
        return float("nan")
    # The slack: 0.99 * 100 is 99.00000000000001 in doubles, and still the 99th.
    number = max(math.ceil(share * total - 1e-9 * total), 1)
    bucket = int(np.searchsorted(cumulative, number))
    below = int(cumulative[bucket - 1]) if bucket else 0
    edges = bucket_edges_s()
    inside = (number - below - 0.5) / int(counts[bucket])
    return float(edges[bucket] + inside * (edges[bucket + 1] - edges[bucket]))
