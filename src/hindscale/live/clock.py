"""The clock of a live run: decisions at whole multiples of the interval, whatever the time of day does.

Time of day jumps: somebody sets it, a server corrects it, a laptop sleeps. The run's own time therefore comes from a
clock that only ever goes forward. Time of day is asked for only to write it beside a decision.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from hindscale.core.checks import require_nonnegative, require_positive

__all__ = ["WallClock", "elapsed_s"]

_SLACK = 1e-9


def elapsed_s() -> float:
    """Seconds on a clock that never goes back and, where the system has one, goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class WallClock:
    """Ticks when they are due; those that were slept through are left out, never made up for.

    Args:
        begin_s: The run's time now: 0, or where a run that goes on had got to.
        now_s: Where time comes from.
        wait: Waits for so many seconds; true when the run is to end.
    """

    def __init__(
        self,
        *,
        begin_s: float = 0.0,
        now_s: Callable[[], float] = elapsed_s,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        require_nonnegative(begin_s=begin_s)
        self._end = threading.Event()
        self._wait = wait or self._end.wait
        self._now_s = now_s
        self._offset_s = begin_s - now_s()

    @property
    def run_s(self) -> float:
        """Seconds since the run began."""
        return self._offset_s + self._now_s()

    def stop(self) -> None:
        """No more ticks; one that is being waited for does not come."""
        self._end.set()

    def every(self, interval_s: float) -> Ticks:
        """This clock at one pace."""
        require_positive(interval_s=interval_s)
        return Ticks(self, interval_s)

    def ticks(self, interval_s: float) -> Iterator[float]:
        """Decision times, each yielded when it is due."""
        number = math.floor(self.run_s / interval_s + _SLACK)
        while not self._end.is_set():
            number = max(number, math.floor(self.run_s / interval_s + _SLACK) - 1) + 1
            if self._wait(max(number * interval_s - self.run_s, 0.0)):
                return
            yield number * interval_s


class Ticks:
    """A clock at one pace, as the control loop wants it."""

    def __init__(self, clock: WallClock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s

    def ticks(self) -> Iterator[float]:
        return self._clock.ticks(self._interval_s)
