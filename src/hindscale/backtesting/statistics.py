"""Means over seeds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Estimate", "estimate", "mean_of"]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the half width of its confidence interval; NaN half width from a single value."""

    mean: float
    half_width: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values for JSON; NaN becomes None."""
        return {
            "mean": None if math.isnan(self.mean) else self.mean,
            "half_width": None if math.isnan(self.half_width) else self.half_width,
        }


def mean_of(values: Sequence[float]) -> float:
    """Mean of independent runs; NaN values are left out, and NaN is the mean of nothing.

    >>> mean_of([1.0, 3.0, float("nan")])
    2.0
    """
    known = _known(values)
    return math.fsum(known) / len(known) if known else math.nan


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def estimate(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Mean and Student-t confidence interval of independent runs; NaN values are left out.

    half width = t_{(1 + confidence) / 2, n - 1} * s / sqrt(n), with s the sample standard deviation.

    >>> round(estimate([1.0, 2.0, 3.0]).half_width, 4)
    2.4841
    """
    known = _known(values)
    count, mean = len(known), mean_of(known)
    if count < 2:
        return Estimate(mean, math.nan)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    if deviation == 0:
        return Estimate(mean, 0.0)
    from scipy.special import stdtrit  # slow to import, and not needed before the last run is done

    return Estimate(mean, float(stdtrit(count - 1, (1 + confidence) / 2)) * deviation / math.sqrt(count))
