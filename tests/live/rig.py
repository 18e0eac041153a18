"""A controller with doubles at its ends and a real store, for tests that walk through time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Self

from hindscale.live.clock import WallClock
from hindscale.live.controller import Controller
from hindscale.live.plan import Plan
from hindscale.live.replay import resume
from hindscale.live.store import Store, StoreReader
from live.doubles import FakeSource, ObedientFleet, SteppedTime


class Rig:
    """A controller with everything that it touches."""

    def __init__(self, folder: Path, plan: Plan, load: Callable[[float], dict[str, float] | None], ticks: int) -> None:
        self.folder = folder
        self.time = SteppedTime(ticks)
        self.source = FakeSource(load)
        self.fleet = ObedientFleet()
        self.said: list[str] = []
        self.store = Store(folder)
        reader = StoreReader(folder)
        resumed = resume(reader)
        reader.close()
        begin_s = resumed.time_s if resumed else 0.0
        self.controller = Controller(
            plan,
            source=self.source,
            fleet=self.fleet,
            store=self.store,
            clock=WallClock(begin_s=begin_s, now_s=self.time.now, wait=self.time.wait),
            resumed=resumed,
            begin_with=plan.initial_replicas if resumed is None or resumed.target is None else resumed.target,
            say=self.said.append,
            wall_s=lambda: 1_700_000_000 + self.time.now_s,
        )

    def run(self) -> Self:
        self.controller.run()
        self.store.close()
        return self

    def after(self, tick: int, do: Callable[[Controller], None]) -> Self:
        """Do something between two ticks."""

        def wait_for_it() -> None:
            record = self.controller.board.state.record
            if record is not None and record.number == tick:
                do(self.controller)

        self.time.between.append(wait_for_it)
        return self

    def rows(self, query: str = "SELECT * FROM decisions ORDER BY id") -> list[sqlite3.Row]:
        reader = StoreReader(self.folder)
        rows = reader.rows(query)
        reader.close()
        return rows
