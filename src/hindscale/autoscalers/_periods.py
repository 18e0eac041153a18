"""Datapoints of a cloud's monitoring: samples gathered into periods of equal length, aligned to the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["STATISTICS", "Periods", "add_sample"]

STATISTICS = ("Average", "Minimum", "Maximum")
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The datapoints of the latest periods, and the one that is being gathered.

    Attributes:
        number: Of the period being gathered, counted from time 0; -1 before the first sample.
        samples: How many samples it has.
        total: Their sum.
        least: Their minimum.
        most: Their maximum.
        closed: Datapoints of the periods before, newest last; None where a period had no sample.
    """

    number: int = -1
    samples: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    closed: tuple[float | None, ...] = ()

    def datapoint(self, statistic: str) -> float | None:
        """What the samples so far come to; None without any."""
        if not self.samples:
            return None
        if statistic == "Average":
            return self.total / self.samples
        return self.least if statistic == "Minimum" else self.most


def add_sample(
    periods: Periods, value: float | None, *, now_s: float, period_s: float, keep: int, statistic: str = "Average"
) -> tuple[Periods, int]:
    """One more sample; a period is closed by a sample at its very end, or by the first one after it.

    Args:
        periods: What was gathered before.
        value: The sample; None for nothing measured.
        now_s: When it was taken; a sample at the end of a period belongs to it.
        period_s: Length of a period; > 0.
        keep: How many closed periods are remembered; >= 1.
        statistic: How a period's samples become its datapoint: Average, Minimum or Maximum.

    Returns:
        The periods, and how many were closed.

    >>> gathered = Periods()
    >>> for now_s, value in ((20.0, 1.0), (40.0, 2.0), (60.0, 6.0)):
    ...     gathered, closed = add_sample(gathered, value, now_s=now_s, period_s=60.0, keep=3)
    >>> gathered.closed, closed
    ((3.0,), 1)
    """
    number = max(math.ceil(now_s / period_s - _EPSILON) - 1, 0)
    before = max(number - periods.number, 0) if periods.number >= 0 else 0
    if before:
        # Of periods in between nothing was measured; no more of them than are remembered.
        gaps = (None,) * min(before - 1, keep)
        closed = (*periods.closed, periods.datapoint(statistic), *gaps)[-keep:]
        periods = Periods(number=number, closed=closed)
    elif periods.number < 0:
        periods = replace(periods, number=number)
    if value is not None:
        periods = replace(
            periods,
            samples=periods.samples + 1,
            total=periods.total + value,
            least=min(periods.least, value),
            most=max(periods.most, value),
        )
    if now_s / period_s < number + 1 - _EPSILON:
        return periods, before
    closed = (*periods.closed, periods.datapoint(statistic))[-keep:]
    return Periods(number=number + 1, closed=closed), before + 1
