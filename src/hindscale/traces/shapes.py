"""Building blocks of synthetic traffic: daily and weekly shapes, spikes, and noise.

All functions take hours (of a day, or since the beginning) and give factors, so that shapes multiply and
add like the formulas one would write on paper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bump", "is_weekend", "noise", "plateau", "spike", "times"]

Floats = NDArray[np.float64]


def times(days: float, window_s: float) -> tuple[Floats, Floats]:
    """Hours since the beginning (a Monday, 00:00) and hour of the day, at the middle of each window."""
    count = max(1, round(days * 86400 / window_s))
    hours = (np.arange(count) + 0.5) * window_s / 3600
    return hours, hours % 24


def bump(hour: Floats, centre: float, width: float) -> Floats:
    """A bell around an hour of the day, height 1, standard deviation `width` hours, across midnight too."""
    distance = (hour - centre + 12) % 24 - 12
    return np.exp(-0.5 * (distance / width) ** 2)


def plateau(hour: Floats, begin: float, end: float, ramp: float) -> Floats:
    """Near 1 from `begin` to `end`, near 0 outside, with logistic edges about `ramp` hours wide."""
    return 1 / (1 + np.exp(-(hour - begin) / (ramp / 4))) - 1 / (1 + np.exp(-(hour - end) / (ramp / 4)))


def is_weekend(hours: Floats) -> NDArray[np.bool_]:
    """Saturday or Sunday, counted from a Monday 00:00."""
    return (hours // 24) % 7 >= 5


def spike(hours: Floats, at: float, *, rise_h: float, decay_h: float) -> Floats:
    """0 before `at`, up to 1 within `rise_h`, then an exponential decay."""
    since = hours - at
    rising = np.clip(since / rise_h, 0, 1)
    return np.where(since < 0, 0.0, rising * np.exp(-np.maximum(since - rise_h, 0) / decay_h))


def noise(rng: np.random.Generator, count: int, *, cv: float, memory: float) -> Floats:
    """Lognormal factors of mean 1 that wander: an AR(1) in the logarithm.

    Args:
        cv: Coefficient of variation of a factor.
        memory: Correlation of neighbouring factors, in [0, 1).
    """
    sigma = np.sqrt(np.log1p(cv * cv))
    steps = rng.standard_normal(count) * np.sqrt(1 - memory * memory)
    log = np.empty(count)
    state = rng.standard_normal()
    for i, step in enumerate(steps.tolist()):
        state = memory * state + step
        log[i] = state
    return np.asarray(np.exp(sigma * log - sigma * sigma / 2))
