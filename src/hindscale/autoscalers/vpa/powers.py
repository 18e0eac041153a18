"""Powers that round as the original's do, to the last bit."""

from __future__ import annotations

import math

__all__ = ["power"]


def power(base: float, exponent: float) -> float:
    """base^exponent, a whole exponent by repeated squaring, each step rounded.

    The original's language computes whole powers so, where C rounds once. The last digits differ, and as they
    come out low, most starts of buckets lie in the bucket below.

    Args:
        base: > 0; infinite is allowed.
        exponent: Any; one that is not whole goes to C's pow.

    >>> power(1.05, 4), 1.05**4
    (1.21550625, 1.2155062500000002)
    >>> power(2.0, -2.0), power(math.inf, -2.0)
    (0.25, 0.0)
    """
    if exponent != int(exponent):
        return math.pow(base, exponent)
    result, square, left = 1.0, base, abs(int(exponent))
    while left:
        if left % 2:
            result *= square
        square *= square
        left //= 2
    return 1.0 / result if exponent < 0 else result
