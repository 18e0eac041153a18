"""Making a decision again from what was written down, and going on where a run stopped.

A decision follows from the plan, the state before it and the observation. States are written down now and then; those
in between follow from the observations, since policies and guardrails are pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hindscale.core.control import ControlState, control_step
from hindscale.core.errors import InputError
from hindscale.core.values import Observation, Target
from hindscale.live.plan import Plan
from hindscale.live.records import observation_of, state_from_plain
from hindscale.live.store import Row, StoreReader

__all__ = ["Replayed", "Resumed", "replay", "resume"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A decision, made again.

    Attributes:
        row: The tick as it was written down.
        plan: What decided.
        observation: What was seen; None where not even the number of replicas was known.
        target: What comes out now; None likewise.
        before: What was remembered before it.
        state: What is remembered after it.
        steps: Decisions that were made again to get there.
        agrees: Whether it is what was written down.
    """

    row: Mapping[str, Any]
    plan: Plan
    observation: Observation | None
    target: Target | None
    before: ControlState
    state: ControlState
    steps: int
    agrees: bool


def replay(reader: StoreReader, tick: int) -> Replayed:
    """Make the decision of a tick again.

    Raises:
        InputError: If the store does not hold what is needed for it.
    """
    row = reader.row("SELECT * FROM decisions WHERE id = ?", tick)
    if row is None:
        raise InputError(f"{reader.path}: there is no tick {tick}")
    planned = reader.plan(row["plan"])
    plan = Plan.from_dict(json.loads(planned["plan"]))
    last, state = _state_before(reader, tick, planned)
    rows = reader.rows("SELECT * FROM decisions WHERE id > ? AND id <= ? ORDER BY id", (last, tick))
    if len(rows) != tick - last:
        raise InputError(
            f"{reader.path}: tick {tick} cannot be made again, {tick - last - len(rows)} ticks before it are missing"
        )
    policy, limits = plan.build(plan.policy), plan.limits(plan.policy)
    target, before = None, state
    for each in rows:
        seen, target, before = observation_of(each), None, state
        if seen is not None:
            target, state = control_step(policy, limits, seen, state, max_age_s=plan.oldest_s)
    return Replayed(
        row=dict(row),
        plan=plan,
        observation=observation_of(row),
        target=target,
        before=before,
        state=state,
        steps=len(rows),
        agrees=_as_written(target) == (row["target"], row["desired"], row["limited_by"])
        and (target is None or target.decision.reason == row["reason"]),
    )


def _as_written(target: Target | None) -> tuple[int | None, int | None, str]:
    if target is None:
        return None, None, ""
    return target.replicas, target.decision.desired_replicas, ",".join(target.limited_by)


def _state_before(reader: StoreReader, tick: int, planned: Row) -> tuple[int, ControlState]:
    """The newest state written down before a tick under the same plan, and the tick that it follows."""
    written = reader.states_before(tick)
    if written is not None and written["tick"] >= planned["first_tick"]:
        return written["tick"], state_from_plain(json.loads(written["state"])["acting"])
    return planned["first_tick"] - 1, state_from_plain(json.loads(planned["state"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Where a run stopped.

    Attributes:
        number: Its last tick.
        time_s: The run's time there.
        wall_s: The time of day there.
        plan: What decided.
        plan_number: The plan's number in the store.
        configured: What the service file said then.
        previous: The policy that decided before the last promotion; None if there was none.
        target: What the fleet was last asked for; None if it never was.
        state: What the deciding policy and its guardrails remembered; None if that cannot be restored.
        trouble: Why not; empty when all is well.
        twins: What the other policies remembered when it was last written down, and the sizes of their fleets.
    """

    number: int
    time_s: float
    wall_s: float
    plan: Plan
    plan_number: int
    configured: Plan
    previous: str | None
    target: int | None
    state: ControlState | None
    trouble: str
    twins: Mapping[str, tuple[ControlState, int]]


def resume(reader: StoreReader) -> Resumed | None:
    """Where the run of a store stopped; None if it has not had a tick.

    Raises:
        InputError: If the store cannot be read.
    """
    planned, last = reader.last_plan(), reader.last_tick()
    if planned is None or last is None:
        return None
    state, twins, trouble = None, {}, ""
    try:
        state = _state_after(reader, last, planned)
        twins = _twins(reader, last["id"])
    except InputError as error:
        trouble = str(error)
    acted = reader.row("SELECT target FROM ticks WHERE acted ORDER BY id DESC LIMIT 1")
    configured = reader.row("SELECT * FROM plans WHERE configured ORDER BY id DESC LIMIT 1") or planned
    promoted = "SELECT policy FROM plans WHERE id >= ? AND policy != ? ORDER BY id DESC LIMIT 1"
    previous = reader.row(promoted, configured["id"], planned["policy"])
    return Resumed(
        number=last["id"],
        time_s=last["time_s"],
        wall_s=last["wall_s"],
        plan=Plan.from_dict(json.loads(planned["plan"])),
        plan_number=planned["id"],
        configured=Plan.from_dict(json.loads(configured["plan"])),
        previous=None if previous is None or planned["why"].startswith("rollback") else previous["policy"],
        target=None if acted is None else acted["target"],
        state=state,
        trouble=trouble,
        twins=twins,
    )


def _state_after(reader: StoreReader, last: Row, planned: Row) -> ControlState:
    """What was remembered after the last tick; where a new plan has not had one yet, what it begins with."""
    if last["plan"] != planned["id"]:
        return state_from_plain(json.loads(planned["state"]))
    found = replay(reader, last["id"])
    if not found.agrees:
        raise InputError(f"{reader.path}: the last decision comes out otherwise today; it was made by another version")
    return found.state


def _twins(reader: StoreReader, tick: int) -> dict[str, tuple[ControlState, int]]:
    written = reader.states_before(tick + 1)
    if written is None:
        return {}
    plain = json.loads(written["state"])["twins"]
    return {text: (state_from_plain(each["state"]), each["replicas"]) for text, each in plain.items()}
