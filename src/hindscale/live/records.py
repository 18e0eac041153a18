"""What is written down of a live run, one record a tick: what was seen, what was wanted, what was done."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any

from hindscale.core.control import ControlState, Tick
from hindscale.core.state import from_plain, to_plain
from hindscale.core.values import Observation
from hindscale.live.sources.measured import LATENCY_SHARES, Measured, Totals

__all__ = [
    "Score",
    "ShadowTick",
    "TickRecord",
    "observation_of",
    "score_since",
    "shadows_of",
    "state_from_plain",
    "state_to_plain",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What an interval cost and what it was worth, measured or simulated.

    Attributes:
        arrived: Requests that came.
        left: Requests that are gone, answered or not.
        met: Of those, how many were answered within the SLO's bound.
        replica_s: Replica seconds paid for.
    """

    arrived: float = 0.0
    left: float = 0.0
    met: float = 0.0
    replica_s: float = 0.0

    @property
    def attainment(self) -> float:
        """The share of requests that left and met the SLO; NaN without any."""
        return self.met / self.left if self.left > 0 else math.nan

    def plus(self, other: Score) -> Score:
        """Both intervals."""
        return Score(
            arrived=self.arrived + other.arrived,
            left=self.left + other.left,
            met=self.met + other.met,
            replica_s=self.replica_s + other.replica_s,
        )

    def cost(self, price_per_replica_hour: float) -> float:
        """Money."""
        return self.replica_s / 3600 * price_per_replica_hour

    @classmethod
    def measured(cls, totals: Totals, replica_s: float) -> Score:
        """What a source counted, and what was paid."""
        return cls(arrived=totals.arrived, left=totals.left, met=totals.met, replica_s=replica_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTick:
    """What a policy would have done at a tick, with a fleet of its own, had it decided all along.

    Attributes:
        policy: Its text.
        ready: Ready replicas of its fleet.
        desired: What it wanted.
        target: What it asked its fleet for.
        reason: Its words.
    """

    policy: str
    ready: int
    desired: int
    target: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """One tick of a live run.

    Attributes:
        number: Counted from 1 over the whole run, restarts included.
        wall_s: Unix time at which it was written down; may jump.
        plan: Number of the plan that it was decided by.
        tick: What the control loop gave.
        acted: Whether the target was carried out.
        before: The target of the tick before; None where there was none.
        changed: Whether the target is another one, or whether the fleet begins or ceases to be held.
        score: What was measured since the tick before.
        latency_s: Latency percentiles of the interval, by share.
        trouble: What was wrong with the measurements, in words.
        shadows: What the other policies would have done.
        shadow_states: States of all policies' twins, by text; not written down at every tick.
    """

    number: int
    wall_s: float
    plan: int
    tick: Tick
    acted: bool
    before: int | None = None
    changed: bool = False
    score: Score = field(default_factory=Score)
    latency_s: Mapping[float, float] = field(default_factory=dict)
    trouble: str = ""
    shadows: Sequence[ShadowTick] = ()
    shadow_states: Mapping[str, tuple[ControlState, int]] = field(default_factory=dict)

    @property
    def target(self) -> int | None:
        """What the fleet is asked for; None where nothing was known."""
        return None if self.tick.target is None else self.tick.target.replicas

    @property
    def is_held(self) -> bool:
        """Whether the policy was not asked."""
        return self.tick.target is None or self.tick.target.held

    def to_row(self) -> dict[str, Any]:
        """A row of the table of ticks: the whole observation as JSON, and beside it the figures that are drawn."""
        seen, target = self.tick.observation, self.tick.target
        latencies = {f"p{share * 100:g}_s": _number(self.latency_s.get(share, math.nan)) for share in LATENCY_SHARES}
        return {
            "id": self.number,
            "time_s": self.tick.time_s,
            "wall_s": self.wall_s,
            "plan": self.plan,
            "observation": None if seen is None else json.dumps(seen.to_dict()),
            "rate_rps": None if seen is None else _number(seen.arrival_rate_rps),
            "queued": None if seen is None else _number(seen.queued_requests),
            "ready": None if seen is None else seen.ready_replicas,
            "starting": None if seen is None else seen.starting_replicas,
            "provisioning": None if seen is None else seen.provisioning_replicas,
            "draining": None if seen is None else seen.draining_replicas,
            "desired": None if target is None else target.decision.desired_replicas,
            "target": None if target is None else target.replicas,
            "before": self.before,
            "changed": int(self.changed),
            "held": int(self.is_held),
            "acted": int(self.acted),
            "limited_by": "" if target is None else ",".join(target.limited_by),
            "reason": self.tick.held_because if target is None else target.decision.reason,
            "trouble": self.trouble,
            "arrived": self.score.arrived,
            "gone": self.score.left,
            "met": self.score.met,
            "replica_s": self.score.replica_s,
            **latencies,
            "shadows": json.dumps([astuple(each) for each in self.shadows]),
        }

    def states_to_plain(self) -> dict[str, Any]:
        """Every state after this tick, as JSON can hold it."""
        twins = {
            text: {"state": state_to_plain(state), "replicas": replicas}
            for text, (state, replicas) in self.shadow_states.items()
        }
        return {"acting": state_to_plain(self.tick.state), "twins": twins}


def state_to_plain(state: ControlState) -> dict[str, Any]:
    """All that a loop remembers, as JSON can hold it."""
    return {"policy": to_plain(state.policy), "guardrails": to_plain(state.guardrails)}


def state_from_plain(plain: Mapping[str, Any]) -> ControlState:
    """The state that `state_to_plain` wrote down.

    Raises:
        InputError: If it cannot be restored.
    """
    return ControlState(policy=from_plain(plain["policy"]), guardrails=from_plain(plain["guardrails"]))


def shadows_of(row: sqlite3.Row) -> list[ShadowTick]:
    """What the policies' twins did, from a row of the table of ticks."""
    names = [each.name for each in fields(ShadowTick)]
    return [ShadowTick(**dict(zip(names, values, strict=True))) for values in json.loads(row["shadows"])]


def observation_of(row: sqlite3.Row) -> Observation | None:
    """The observation that a row of the table of ticks holds."""
    return None if row["observation"] is None else Observation.from_dict(json.loads(row["observation"]))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def score_since(measured: Measured, before: Totals, replica_s: float) -> Score:
    """What came since another moment's totals."""
    return Score.measured(measured.totals.since(before), replica_s)
