"""How samples gain weight with time, relative to a reference that moves when exponents grow beyond 100."""

from __future__ import annotations

import math

__all__ = ["decay_factor", "needs_new_reference", "rounded_reference", "shift_factor"]

MAX_DECAY_EXPONENT = 100
UNIX_EPOCH_S = 62_135_596_800  # since 1 January of the year 1, whence references are counted in half-lives


def decay_factor(time_s: float, reference_s: float | None, half_life_s: float) -> float:
    """2^((time - reference) / half-life); 1 where nothing is forgotten.

    >>> decay_factor(172_800.0, 0.0, 86_400.0), decay_factor(-86_400.0, 0.0, 86_400.0)
    (4.0, 0.5)
    """
    if reference_s is None or math.isinf(half_life_s):
        return 1.0
    return math.exp2((time_s - reference_s) / half_life_s)


def needs_new_reference(time_s: float, reference_s: float | None, half_life_s: float) -> bool:
    """Whether a sample lies more than 100 half-lives after the reference, or there is none yet."""
    if math.isinf(half_life_s):
        return False
    return reference_s is None or time_s > reference_s + half_life_s * MAX_DECAY_EXPONENT


def rounded_reference(time_s: float, half_life_s: float) -> float:
    """A time to the nearest whole number of half-lives since the year 1, halves up.

    >>> rounded_reference(43_199.0, 86_400.0), rounded_reference(43_200.0, 86_400.0)
    (0.0, 86400.0)
    """
    over_s = (time_s % half_life_s + UNIX_EPOCH_S % half_life_s) % half_life_s
    return time_s - over_s if 2 * over_s < half_life_s else time_s + (half_life_s - over_s)


def shift_factor(old_s: float | None, new_s: float, half_life_s: float) -> float:
    """What weights are multiplied by when the reference moves: a whole power of 2.

    Without an old reference it is 0: nothing is there, and the original counts from the year 1, which gives 0 too.

    >>> shift_factor(0.0, 259_200.0, 86_400.0)
    0.125
    """
    if old_s is None:
        return 0.0
    return math.ldexp(1.0, math.floor((old_s - new_s) / half_life_s + 0.5))
