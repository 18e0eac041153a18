"""What is known of a run right now, for whoever looks at it from another thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hindscale.live.plan import Plan
from hindscale.live.records import Score, TickRecord

__all__ = ["Board", "State"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The run at one moment.

    Attributes:
        plan: What decides.
        record: The last tick; None before the first.
        totals: Measured since this process began.
        held_ticks: Ticks at which the fleet was held, since then.
        ticks: All of them.
        cold_starts_s: Cold starts measured by the fleet, newest last.
        unwritten: Ticks that wait for room on the disk.
        store_failure: Why nothing can be written; empty while all is well.
        fleet_failure: Why the last target could not be carried out; empty likewise.
        tick_s: Time that the last tick took, without the measuring.
    """

    plan: Plan
    record: TickRecord | None = None
    totals: Score = field(default_factory=Score)
    held_ticks: int = 0
    ticks: int = 0
    cold_starts_s: Sequence[float] = ()
    unwritten: int = 0
    store_failure: str = ""
    fleet_failure: str = ""
    tick_s: float = 0.0


class Board:
    """Hands the latest state from the controller's thread to others."""

    def __init__(self, plan: Plan) -> None:
        self._changed = threading.Condition()
        self._state = State(plan=plan)

    @property
    def state(self) -> State:
        """The latest."""
        return self._state

    def show(self, **changes: Any) -> None:
        """Put up a new state that differs in these."""
        with self._changed:
            self._state = replace(self._state, **changes)
            self._changed.notify_all()

    def wait_for_tick(self, after: int, timeout_s: float) -> State:
        """The state once there is a tick later than this, or when the time is up."""

        def is_newer() -> bool:
            return self._state.record is not None and self._state.record.number > after

        with self._changed:
            self._changed.wait_for(is_newer, timeout_s)
            return self._state
