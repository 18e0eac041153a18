"""A live run from its beginning to its end: the lease, the store, the fleet, the controller, the dashboard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hindscale.live.clock import WallClock
from hindscale.live.controller import Controller
from hindscale.live.fleet import Fleet
from hindscale.live.lease import Lease
from hindscale.live.metrics import Counts
from hindscale.live.plan import Plan
from hindscale.live.replay import Resumed, resume
from hindscale.live.sources.measured import Source
from hindscale.live.store import Store, StoreReader

__all__ = ["Ends", "LiveRun", "Service", "begin_s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What a run has at its two ends.

    Attributes:
        source: Where measurements come from.
        fleet: What is scaled, or who knows the replicas that somebody else scales.
        is_ours: Whether the fleet's replicas are there because of this run.
    """

    source: Source
    fleet: Fleet | Counts
    is_ours: bool


class Service(Protocol):
    """Makes the ends of a run, once it is this run's turn."""

    def open(self, plan: Plan, stack: ExitStack) -> Ends:
        """Start what has to be started; what must be closed goes on the stack."""


class LiveRun:
    """One run of a plan.

    Args:
        plan: What decides, as the service file says it.
        folder: Where its state is kept.
        service: What it decides for.
        keep_s: Decisions older than this are forgotten; None keeps all.
        say: Told of what an operator should know, in one line.
    """

    def __init__(
        self, plan: Plan, folder: Path, service: Service, *, keep_s: float | None, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._service = service
        self._keep_s = keep_s
        self._say = say
        self._clock: WallClock | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End it, at the next moment that is not in the middle of a tick."""
        self._stopped.set()
        if self._clock is not None:
            self._clock.stop()

    def run(
        self, serve: Callable[[Controller, ExitStack], None] = lambda *_: None, *, for_s: float | None = None
    ) -> None:
        """Wait for the lease, then control the fleet until stopped.

        Args:
            serve: Given the controller before its first tick, such as to put a dashboard beside it.
            for_s: Stop by itself after so long.

        Raises:
            HindscaleError: If the fleet, its metrics or the store cannot be had.
        """
        with ExitStack() as stack:
            lease = stack.enter_context(Lease(self._folder))
            if not lease.acquire(wait=self._stopped.wait, say=self._say):
                return
            store = Store(self._folder, keep_s=self._keep_s)
            stack.callback(store.close)
            resumed = self._resumed()
            plan = self._plan if resumed is None or resumed.configured != self._plan else resumed.plan
            self._clock = self._clock_after(resumed)
            ends = self._service.open(plan, stack)
            begin_with = None
            if ends.is_ours:
                begin_with = plan.initial_replicas if resumed is None or resumed.target is None else resumed.target
            controller = Controller(
                plan,
                source=ends.source,
                fleet=ends.fleet,
                store=store,
                clock=self._clock,
                resumed=resumed,
                begin_with=begin_with,
                say=self._say,
            )
            serve(controller, stack)
            self._run_controller(controller, for_s)

    def _clock_after(self, resumed: Resumed | None) -> WallClock:
        if resumed is None:
            return WallClock()
        return WallClock(begin_s=begin_s(last_s=resumed.time_s, last_wall_s=resumed.wall_s, now_s=time.time()))

    def _run_controller(self, controller: Controller, for_s: float | None) -> None:
        timer = None
        if for_s is not None:
            timer = threading.Timer(for_s, self.stop)
            timer.daemon = True
            timer.start()
        try:
            if not self._stopped.is_set():
                controller.run()
        finally:
            if timer is not None:
                timer.cancel()

    def _resumed(self) -> Resumed | None:
        """Where an earlier run stopped. What cannot be restored is said, and the policies begin with fresh states."""
        reader = StoreReader(self._folder)
        try:
            resumed = resume(reader)
        finally:
            reader.close()
        if resumed is not None:
            fresh = f" with fresh states: {resumed.trouble}" if resumed.trouble else ""
            self._say(f"going on after decision {resumed.number}{fresh}")
        return resumed


def begin_s(*, last_s: float, last_wall_s: float, now_s: float) -> float:
    """The run's time after a restart: where it had got to, and the time of day since, unless that went back.

    >>> begin_s(last_s=100.0, last_wall_s=5000.0, now_s=5010.0)
    110.0
    """
    return last_s + max(now_s - last_wall_s, 0.0)
