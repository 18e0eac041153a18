"""Range checks for parameters, with one wording for all of them.

Values are passed by keyword, so that the message carries the name the caller used:

>>> require_fraction(target_utilization=70)
Traceback (most recent call last):
    ...
hindscale.core.errors.ParameterError: target_utilization must be in (0, 1], was 70; did you mean 0.7?
"""

from __future__ import annotations

import math
from itertools import pairwise

from hindscale.core.errors import ParameterError

__all__ = [
    "require_at_least",
    "require_count",
    "require_finite",
    "require_fraction",
    "require_nonnegative",
    "require_ordered",
    "require_positive",
    "require_share",
]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reject(name: str, expected: str, value: object, way_out: str = "") -> None:
    hint = f"; {way_out}" if way_out else ""
    raise ParameterError(f"{name} must be {expected}, was {value!r}{hint}")


def require_finite(**values: float) -> None:
    """Each value is a number, neither NaN nor infinite."""
    for name, value in values.items():
        if not _is_number(value) or not math.isfinite(value):
            _reject(name, "a finite number", value)


def require_positive(**values: float) -> None:
    """Each value is finite and > 0."""
    for name, value in values.items():
        if not _is_number(value) or not math.isfinite(value) or value <= 0:
            _reject(name, "a number > 0", value)


def require_nonnegative(**values: float) -> None:
    """Each value is finite and >= 0."""
    for name, value in values.items():
        if not _is_number(value) or not math.isfinite(value) or value < 0:
            _reject(name, "a number >= 0", value)


def require_fraction(**values: float) -> None:
    """Each value lies in (0, 1]."""
    for name, value in values.items():
        if not _is_number(value) or not 0 < value <= 1:
            _reject(name, "in (0, 1]", value, _as_fraction(value))


def require_share(**values: float) -> None:
    """Each value lies in [0, 1)."""
    for name, value in values.items():
        if not _is_number(value) or not 0 <= value < 1:
            _reject(name, "in [0, 1)", value, _as_fraction(value))


def _as_fraction(value: object) -> str:
    """People write 70 for 0.7 more often than anything else."""
    if isinstance(value, (int, float)) and 1 < value <= 100:
        return f"did you mean {value / 100:g}?"
    return ""


def require_at_least(bound: int, **values: int) -> None:
    """Each value is a whole number >= `bound`."""
    for name, value in values.items():
        if not _is_whole(value) or value < bound:
            _reject(name, f"a whole number >= {bound}", value)


def require_count(**values: int) -> None:
    """Each value is a whole number >= 0."""
    require_at_least(0, **values)


def require_ordered(**values: float) -> None:
    """The values, in the order given, do not fall.

    >>> require_ordered(min_replicas=4, max_replicas=2)
    Traceback (most recent call last):
        ...
    hindscale.core.errors.ParameterError: min_replicas must be <= max_replicas, but 4 > 2
    """
    pairs = list(values.items())
    for (low_name, low), (high_name, high) in pairwise(pairs):
        if low > high:
            raise ParameterError(f"{low_name} must be <= {high_name}, but {low!r} > {high!r}")
