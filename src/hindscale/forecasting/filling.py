"""Ticks into windows: the mean rate of each window, as it fills."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["FillingWindow"]

_EPSILON_S = 1e-6
_MOST_SKIPPED = 100_000
"""Windows that a long silence is filled up with; no forecaster remembers more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillingWindow:
    """The window that is being filled.

    Attributes:
        number: Which one it is, from the beginning of the run.
        sum_rps: Sum of the rates of its ticks so far.
        samples: How many ticks these were.
    """

    number: int = 0
    sum_rps: float = 0.0
    samples: int = 0

    def taken(self, rate_rps: float, *, time_s: float, window_s: float) -> tuple[FillingWindow, tuple[float, ...]]:
        """The window after a tick at `time_s`, and the rates of all windows that ended with it or before.

        A window without a tick is NaN: nothing is known of it.

        >>> window, closed = FillingWindow().taken(4.0, time_s=30.0, window_s=60.0)
        >>> window.taken(6.0, time_s=60.0, window_s=60.0)[1]
        (5.0,)
        """
        ended = (time_s + _EPSILON_S) / window_s
        # A tick at the very end of a window still belongs to it.
        number = max(math.ceil(ended - 2 * _EPSILON_S / window_s) - 1, 0)
        window, before = self._closed_before(number)
        window = replace(window, sum_rps=window.sum_rps + rate_rps, samples=window.samples + 1)
        if ended < number + 1:
            return window, before
        window, last = window._closed_before(number + 1)
        return window, (*before, *last)

    def _closed_before(self, number: int) -> tuple[FillingWindow, tuple[float, ...]]:
        if number <= self.number:
            return self, ()
        mean = self.sum_rps / self.samples if self.samples else math.nan
        skipped = min(number - self.number - 1, _MOST_SKIPPED)
        return FillingWindow(number=number), (mean, *(math.nan,) * skipped)
