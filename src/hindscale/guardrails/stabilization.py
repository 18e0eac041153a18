"""Follow a signal only when it has lasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.core.checks import require_nonnegative
from hindscale.core.values import Observation

__all__ = ["Recommendations", "Stabilization"]

Entry = tuple[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendations:
    """The wishes within each window that can still decide, oldest first.

    For the largest wish of a window, a wish that is followed by one at least as large can never be the
    answer again and is dropped; so the log stays short however long the window is.
    """

    largest: tuple[Entry, ...] = ()
    smallest: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilization:
    """Shrink to the largest wish of the last while, grow to the smallest one.

    A wish w at time t enters both windows. With `up` the smallest wish of the growth window and `down`
    the largest one of the shrink window, the fleet goes to `up` if it is smaller, to `down` if it is
    larger, and stays if it lies between. Source: Kubernetes HPA, behavior.stabilizationWindowSeconds.

    Attributes:
        up_window_s: A wish to grow must have lasted this long; 0 grows at once.
        down_window_s: A wish to shrink must have lasted this long.
    """

    name: ClassVar[str] = "stabilization"
    order: ClassVar[int] = 20
    up_window_s: float = 0.0
    down_window_s: float = 300.0

    def __post_init__(self) -> None:
        require_nonnegative(up_window_s=self.up_window_s, down_window_s=self.down_window_s)

    def initial_state(self) -> Recommendations:
        return Recommendations()

    def limit(self, replicas: int, observation: Observation, state: Recommendations) -> tuple[int, Recommendations]:
        now_s, current = observation.time_s, observation.requested_replicas
        if not state.largest:
            # The fleet's own size is the wish before the first one: a restart must not shrink it at once.
            state = Recommendations(largest=((now_s, current),), smallest=((now_s, current),))
        largest = _kept(state.largest, now_s - self.down_window_s)
        while largest and largest[-1][1] <= replicas:
            largest = largest[:-1]
        smallest = _kept(state.smallest, now_s - self.up_window_s)
        while smallest and smallest[-1][1] >= replicas:
            smallest = smallest[:-1]
        entry = (now_s, replicas)
        log = Recommendations(largest=(*largest, entry), smallest=(*smallest, entry))
        up, down = log.smallest[0][1], log.largest[0][1]
        return min(max(current, up), down), log


def _kept(entries: tuple[Entry, ...], after_s: float) -> tuple[Entry, ...]:
    for position, (time_s, _) in enumerate(entries):
        if time_s > after_s:
            return entries[position:]
    return ()
