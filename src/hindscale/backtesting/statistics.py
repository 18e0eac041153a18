"""Means over seeds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Estimate", "estimate"]

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


def estimate(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Estimate:
    """Mean and Student-t confidence interval of independent runs; NaN values are left out.

    half width = t_{(1 + confidence) / 2, n - 1} * s / sqrt(n), with s the sample standard deviation.

    >>> round(estimate([1.0, 2.0, 3.0]).half_width, 4)
    2.4841
    """
    known = [value for value in values if not math.isnan(value)]
    count = len(known)
    if count == 0:
        return Estimate(math.nan, math.nan)
    mean = math.fsum(known) / count
    if count == 1:
        return Estimate(mean, math.nan)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (count - 1))
    if deviation == 0:
        return Estimate(mean, 0.0)
    from scipy.special import stdtrit  # slow to import, and not needed before the last run is done

    return Estimate(mean, float(stdtrit(count - 1, (1 + confidence) / 2)) * deviation / math.sqrt(count))
