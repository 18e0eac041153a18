"""Every decision with its inputs, in one SQLite file that a crash does not harm.

The write-ahead log makes a commit whole or absent whatever kills the process. What the loop remembers is written down
every `CHECKPOINT_TICKS` ticks; in between it follows from the observations, since policies are pure. So a restart goes
on with the very state it had, and any decision can be made again and compared.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.core.control import ControlState
from hindscale.core.errors import InputError, OutputError
from hindscale.core.files import make_folder
from hindscale.live.plan import Plan
from hindscale.live.records import Score, TickRecord, state_to_plain

__all__ = ["CHECKPOINT_TICKS", "MEASURED", "PlanEntry", "Row", "Store", "StoreReader"]

Row = sqlite3.Row

FILE = "decisions.sqlite"
VERSION = 1
CHECKPOINT_TICKS = 60
MOST_UNWRITTEN = 3600
MINUTE_S = 60
MEASURED = "measured"
"""The name under which the real fleet's score is kept beside those of the policies."""

_SCHEMA = """
BEGIN;
CREATE TABLE plans (
  id INTEGER PRIMARY KEY, wall_s REAL NOT NULL, first_tick INTEGER NOT NULL, configured INTEGER NOT NULL,
  why TEXT NOT NULL, policy TEXT NOT NULL, plan TEXT NOT NULL, state TEXT NOT NULL
);
-- Figures that are drawn are apart from texts that are read one by one, so that a day of them is read at once.
CREATE TABLE ticks (
  id INTEGER PRIMARY KEY, time_s REAL NOT NULL, wall_s REAL NOT NULL, plan INTEGER NOT NULL,
  rate_rps REAL, queued REAL, ready INTEGER, starting INTEGER, provisioning INTEGER, draining INTEGER,
  desired INTEGER, target INTEGER, before INTEGER, changed INTEGER NOT NULL, held INTEGER NOT NULL,
  acted INTEGER NOT NULL,
  arrived REAL NOT NULL, gone REAL NOT NULL, met REAL NOT NULL, replica_s REAL NOT NULL,
  p50_s REAL, p95_s REAL, p99_s REAL
);
CREATE INDEX ticks_by_wall ON ticks (wall_s);
CREATE INDEX ticks_that_changed ON ticks (id) WHERE changed;
CREATE TABLE texts (
  tick INTEGER PRIMARY KEY, observation TEXT, limited_by TEXT NOT NULL, reason TEXT NOT NULL, trouble TEXT NOT NULL,
  shadows TEXT NOT NULL
);
CREATE VIEW decisions AS SELECT * FROM ticks JOIN texts ON tick = id;
CREATE TABLE states (tick INTEGER PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE scores (
  minute INTEGER NOT NULL, policy TEXT NOT NULL,
  arrived REAL NOT NULL, gone REAL NOT NULL, met REAL NOT NULL, replica_s REAL NOT NULL,
  PRIMARY KEY (minute, policy)
) WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
"""
_TEXTS = ("observation", "limited_by", "reason", "trouble", "shadows")
_ADD_SCORE = """
INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (minute, policy) DO UPDATE SET
  arrived = arrived + excluded.arrived, gone = gone + excluded.gone, met = met + excluded.met,
  replica_s = replica_s + excluded.replica_s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry:
    """A plan as it is written down.

    Attributes:
        number: Counted from 1.
        wall_s: Unix time.
        first_tick: The first tick that it decides.
        is_configured: Whether it is what the service file says; else an operator or probation changed it since.
        why: What changed it.
        plan: What decides.
        state: What the deciding policy and its guardrails remember at its beginning.
    """

    number: int
    wall_s: float
    first_tick: int
    is_configured: bool
    why: str
    plan: Plan
    state: ControlState

    def to_row(self) -> dict[str, Any]:
        """A row of the table of plans."""
        return {
            "id": self.number,
            "wall_s": self.wall_s,
            "first_tick": self.first_tick,
            "configured": int(self.is_configured),
            "why": self.why,
            "policy": self.plan.policy,
            "plan": json.dumps(self.plan.to_dict()),
            "state": json.dumps(state_to_plain(self.state)),
        }


class Store:
    """Writes a run down. One process at a time, which its lease sees to.

    A disk that is full does not stop the control loop: ticks are kept in memory, the last `MOST_UNWRITTEN` of them,
    and written when there is room again.

    Attributes:
        failing_since_s: Unix time since which nothing could be written; None while all is well.
        failure: Why, in words.
        lost: Ticks that were given up because there were too many of them.
    """

    def __init__(self, folder: str | Path, *, keep_s: float | None = None) -> None:
        self.path = make_folder(folder) / FILE
        self.failing_since_s: float | None = None
        self.failure = ""
        self.lost = 0
        self._keep_s = keep_s
        self._plans: list[PlanEntry] = []
        self._ticks: deque[tuple[TickRecord, Mapping[str, Score]]] = deque()
        self._needs_states = False
        with _as_output_error(self.path):
            self._database = sqlite3.connect(self.path, isolation_level=None, timeout=5.0, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            # A commit survives the death of this process; after a power cut the last second may be missing.
            self._database.execute("PRAGMA synchronous = NORMAL")
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._database.executescript(_SCHEMA)
            elif version != VERSION:
                raise InputError(
                    f"{self.path}: was written in format {version}, this hindscale writes {VERSION}; use another folder"
                )

    def add_plan(self, entry: PlanEntry) -> None:
        """Write down what decides from a tick on. Never raises."""
        self._plans.append(entry)
        self._flush()

    def add(self, record: TickRecord, scores: Mapping[str, Score]) -> None:
        """Write down a tick and what the policies' fleets did since the one before. Never raises."""
        self._ticks.append((record, scores))
        if len(self._ticks) > MOST_UNWRITTEN:
            self._ticks.popleft()
            self.lost += 1
            self._needs_states = True
        self._flush()

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    @property
    def unwritten(self) -> int:
        """Ticks that wait for room on the disk."""
        return len(self._ticks)

    def _flush(self) -> None:
        """Write down what waits, all of it or nothing."""
        try:
            with _as_output_error(self.path):
                self._write()
        except OutputError as error:
            self.failure = str(error)
            if self.failing_since_s is None:
                self.failing_since_s = time.time()
            return
        self._plans.clear()
        if self._ticks:
            self._needs_states = False  # what was lost is bridged by the states just written
        self._ticks.clear()
        self.failing_since_s, self.failure = None, ""

    def _write(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for entry in self._plans:
                self._insert("plans", entry.to_row())
            for position, (record, scores) in enumerate(self._ticks):
                self._write_tick(record, scores, with_states=position == 0 and self._needs_states)
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        names = ", ".join(f":{name}" for name in row)
        self._database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})", row)  # noqa: S608

    def _write_tick(self, record: TickRecord, scores: Mapping[str, Score], *, with_states: bool) -> None:
        row = record.to_row()
        texts = {name: row.pop(name) for name in _TEXTS}
        self._insert("ticks", row)
        self._insert("texts", {"tick": record.number, **texts})
        if with_states or record.number % CHECKPOINT_TICKS == 0:
            state = json.dumps(record.states_to_plain())
            self._database.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (record.number, state))
            self._forget_before(record.wall_s)
        minute = int(record.wall_s // MINUTE_S)
        for policy, score in {MEASURED: record.score, **scores}.items():
            amounts = (score.arrived, score.left, score.met, score.replica_s)
            self._database.execute(_ADD_SCORE, (minute, policy, *amounts))

    def _forget_before(self, wall_s: float) -> None:
        """Leave out what is older than it has to be kept."""
        if self._keep_s is None:
            return
        oldest_s = wall_s - self._keep_s
        self._database.execute("DELETE FROM ticks WHERE wall_s < ?", (oldest_s,))
        for table in ("states", "texts"):
            self._database.execute(f"DELETE FROM {table} WHERE tick < (SELECT min(id) FROM ticks)")  # noqa: S608
        self._database.execute("DELETE FROM scores WHERE minute < ?", (int(oldest_s // MINUTE_S),))


class StoreReader:
    """Reads a run, also while it is being written, from any thread that makes one of its own."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        if not self.path.exists():
            raise InputError(f"{folder}: holds no decisions; name the folder that `hindscale run --state` wrote")
        self._database = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5.0, check_same_thread=False)
        self._database.row_factory = sqlite3.Row

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query.

        Raises:
            InputError: If the file cannot be read.
        """
        try:
            return self._database.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: cannot be read: {error}") from error

    def row(self, query: str, *parameters: Any) -> sqlite3.Row | None:
        """The first row of a query, if there is one."""
        return next(iter(self.rows(query, parameters)), None)

    def last_tick(self) -> sqlite3.Row | None:
        """The newest tick."""
        return self.row("SELECT * FROM decisions ORDER BY id DESC LIMIT 1")

    def tick_at(self, wall_s: float) -> sqlite3.Row | None:
        """The last tick at or before a time of day; the first one for times before it."""
        found = self.row("SELECT * FROM decisions WHERE wall_s <= ? ORDER BY wall_s DESC, id DESC LIMIT 1", wall_s)
        return found or self.row("SELECT * FROM decisions ORDER BY id LIMIT 1")

    def plan(self, number: int) -> sqlite3.Row:
        """A plan by its number."""
        row = self.row("SELECT * FROM plans WHERE id = ?", number)
        if row is None:
            raise InputError(f"{self.path}: there is no plan {number}")
        return row

    def last_plan(self) -> sqlite3.Row | None:
        """The newest plan."""
        return self.row("SELECT * FROM plans ORDER BY id DESC LIMIT 1")

    def states_before(self, tick: int) -> sqlite3.Row | None:
        """The last states written down before a tick."""
        return self.row("SELECT * FROM states WHERE tick < ? ORDER BY tick DESC LIMIT 1", tick)

    def scores_since(self, wall_s: float) -> dict[str, Score]:
        """What each policy came to since a time of day, in whole minutes."""
        query = (
            "SELECT policy, sum(arrived) AS arrived, sum(gone) AS gone, sum(met) AS met, sum(replica_s) AS replica_s"
            " FROM scores WHERE minute >= ? GROUP BY policy"
        )
        return {
            row["policy"]: Score(arrived=row["arrived"], left=row["gone"], met=row["met"], replica_s=row["replica_s"])
            for row in self.rows(query, (int(wall_s // MINUTE_S),))
        }


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
