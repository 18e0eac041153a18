"""Why the fleet was asked for what it was asked for, in words, from a decision that is made again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hindscale.core.errors import InputError
from hindscale.core.units import format_duration, percent
from hindscale.core.values import UPPER_BOUND, DataState, Observation
from hindscale.live.records import ShadowTick, shadows_of
from hindscale.live.replay import Replayed, replay
from hindscale.live.sources.measured import READINGS
from hindscale.live.store import StoreReader

__all__ = ["Explanation", "Limit", "explain"]

_WORDS = {
    "arrival_rate_rps": ("arrivals", "/s"),
    "completion_rate_rps": ("answers", "/s"),
    "ongoing_requests": ("in service", ""),
    "queued_requests": ("waiting", ""),
    "slo_attainment": ("within SLO", "%"),
    "cpu_utilization": ("CPU", "%"),
    "memory_utilization": ("memory", "%"),
    "accelerator_utilization": ("accelerator", "%"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A guardrail that changed the number.

    Attributes:
        name: Which.
        wanted: What it was given.
        allowed: What it made of it.
    """

    name: str
    wanted: int
    allowed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One decision, explained.

    Attributes:
        replayed: The decision, made again.
        why_plan: What brought the policy to decide.
        limits: The guardrails that changed the number, in order.
        shadows: What the policies' twins did at that time.
    """

    replayed: Replayed
    why_plan: str
    limits: Sequence[Limit]
    shadows: Sequence[ShadowTick]

    @property
    def text(self) -> str:
        """All of it, a line for each part."""
        parts = [
            ("measured", self._measured()),
            ("wanted", self._wanted()),
            ("limited by", [f"{each.name}: {_count(each.wanted)} → {each.allowed}" for each in self.limits]),
            ("asked for", [self._asked()]),
            ("others", [_shadow(each) for each in self.shadows if each.policy != self.replayed.plan.policy]),
            ("its twin", [_shadow(each) for each in self.shadows if each.policy == self.replayed.plan.policy]),
            ("made again", [self._checked()]),
        ]
        lines = [self._headline()]
        for name, said in parts:
            lines += [f"{name if not i else '':<11} {line}" for i, line in enumerate(said)]
        return "\n".join(lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        row, seen = self.replayed.row, self.replayed.observation
        return {
            "tick": row["id"],
            "wall_s": row["wall_s"],
            "policy": self.replayed.plan.policy,
            "because": self.why_plan,
            "observation": None if seen is None else seen.to_dict(),
            "states": {} if seen is None else {name: str(self._state(seen, name)) for name in READINGS},
            "trouble": row["trouble"],
            "held": bool(row["held"]),
            "desired": row["desired"],
            "reason": row["reason"],
            "limits": [{"name": each.name, "wanted": each.wanted, "allowed": each.allowed} for each in self.limits],
            "target": row["target"],
            "acted": bool(row["acted"]),
            "shadows": [
                {"policy": each.policy, "ready": each.ready, "target": each.target, "reason": each.reason}
                for each in self.shadows
            ],
            "agrees": self.replayed.agrees,
            "text": self.text,
        }

    # -- words ------------------------------------------------------------------------------------

    def _headline(self) -> str:
        row, seen = self.replayed.row, self.replayed.observation
        at = datetime.fromtimestamp(row["wall_s"]).astimezone().isoformat(sep=" ", timespec="seconds")
        size = (
            "the fleet's size is not known" if seen is None else f"{seen.requested_replicas} → {row['target']} replicas"
        )
        return f"{at}, decision {row['id']} of {self.replayed.plan.name}: {size}"

    def _measured(self) -> list[str]:
        seen, row = self.replayed.observation, self.replayed.row
        if seen is None:
            return [row["reason"]]
        good = (DataState.FRESH, DataState.TRUE_ZERO)
        states = {name: self._state(seen, name) for name in READINGS}
        figures = [_figure(name, seen) for name in READINGS if states[name] in good]
        if row["p99_s"] is not None:
            figures.append(f"p99 {format_duration(row['p99_s'])}")
        replicas = f"{seen.ready_replicas} ready, {seen.starting_replicas} starting"
        if seen.provisioning_replicas:
            replicas += f", {seen.provisioning_replicas} on their way"
        age_s = seen.time_s - seen.measured_at_s
        lines = [", ".join(figures) + f"; {format_duration(age_s)} old" if figures else "nothing usable", replicas]
        reads = self.replayed.plan.build(self.replayed.plan.policy).reads
        bad = [f"{name} is {states[name]}" for name in reads if states[name] not in good]
        return lines + ([", ".join(bad)] if bad else []) + ([row["trouble"]] if row["trouble"] else [])

    def _state(self, seen: Observation, reading: str) -> DataState:
        return seen.state_of(reading, max_age_s=self.replayed.plan.oldest_s)

    def _wanted(self) -> list[str]:
        row = self.replayed.row
        if row["desired"] is None:
            return []
        who = "held, policy not asked" if row["held"] else f"{self.replayed.plan.policy} ({self.why_plan})"
        return [f"{_count(row['desired'])} replicas, {who}: {row['reason']}"]

    def _asked(self) -> str:
        row = self.replayed.row
        if row["target"] is None:
            return "nothing: the fleet was left as it is"
        if row["acted"]:
            return f"{row['target']} replicas, carried out"
        why = "paused" if self.replayed.plan.is_paused else "in shadow"
        return f"{row['target']} replicas, only written down ({why})"

    def _checked(self) -> str:
        result = "the same result" if self.replayed.agrees else "ANOTHER result; was it made by another version?"
        return f"{result}, over {self.replayed.steps} decisions since the last written state"


def explain(reader: StoreReader, wall_s: float) -> Explanation:
    """The decision at a time of day: the last one at or before it.

    Raises:
        InputError: If there is none, or it cannot be made again.
    """
    row = reader.tick_at(wall_s)
    if row is None:
        raise InputError(f"{reader.path}: no decision has been made yet")
    found = replay(reader, row["id"])
    return Explanation(
        replayed=found,
        why_plan=reader.plan(row["plan"])["why"],
        limits=_limits(found),
        shadows=shadows_of(row),
    )


def _limits(found: Replayed) -> list[Limit]:
    """What each guardrail did, one after the other."""
    if found.target is None or found.observation is None:
        return []
    replicas, limits = found.target.decision.desired_replicas, []
    for guardrail, state in zip(found.plan.limits(found.plan.policy), found.before.guardrails, strict=True):
        allowed, _ = guardrail.limit(replicas, found.observation, state)
        if allowed != replicas:
            limits.append(Limit(name=guardrail.name, wanted=replicas, allowed=allowed))
        replicas = allowed
    return limits


def _figure(reading: str, seen: Observation) -> str:
    name, unit = _WORDS[reading]
    value: float = getattr(seen, reading)
    return f"{name} {percent(value)}" if unit == "%" and not math.isnan(value) else f"{name} {value:.4g}{unit}"


def _shadow(tick: ShadowTick) -> str:
    return f"{tick.policy}: has {tick.ready} ready, asks for {tick.target}: {tick.reason}"


def _count(replicas: int) -> str:
    return "all there may be" if replicas >= UPPER_BOUND else str(replicas)
