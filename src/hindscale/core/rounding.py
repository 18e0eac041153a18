"""Rounding that means what the formula means."""

from __future__ import annotations

import math

_SLACK = 1e-9


def ceil(value: float) -> int:
    """Round up, but not for the sake of the last bits of a product.

    10 replicas * 0.84 / 0.7 are 12, in doubles 12.000000000000002: a plain ceiling would order a 13th.

    >>> ceil(10 * 0.84 / 0.7), math.ceil(10 * 0.84 / 0.7)
    (12, 13)
    """
    return math.ceil(value - _SLACK * max(1.0, abs(value)))


def floor(value: float) -> int:
    """Round down, but not for the sake of the last bits of a product."""
    return math.floor(value + _SLACK * max(1.0, abs(value)))


def nearest(value: float) -> int:
    """Round to the nearest whole number, halves up."""
    return math.floor(value + 0.5)
