"""What the dashboard shows, as plain values: read from the board and the store, no web in it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import hindscale
from hindscale.live.board import State
from hindscale.live.plan import Plan
from hindscale.live.records import Score, TickRecord
from hindscale.live.store import MEASURED, MINUTE_S, StoreReader

__all__ = ["MOST_POINTS", "arrivals_view", "decisions_view", "scores_view", "series_view", "status_view", "tick_view"]

MOST_POINTS = 2000
HOUR_S = 3600.0
STEPS = 180
_LATENCIES = {0.5: "p50_s", 0.95: "p95_s", 0.99: "p99_s"}

_DRAWN = ("rate_rps", "queued", "ready", "starting", "provisioning", "draining", "target", "held", *_LATENCIES.values())

_SERIES = """
SELECT CAST((wall_s - :from_s) / :step_s AS INTEGER) AS bucket,
  avg(rate_rps) AS rate_rps, max(queued) AS queued,
  avg(ready) AS ready, avg(starting) AS starting, avg(provisioning) AS provisioning, avg(draining) AS draining,
  max(target) AS target, max(p50_s) AS p50_s, max(p95_s) AS p95_s, max(p99_s) AS p99_s,
  sum(gone) AS gone, sum(met) AS met, sum(replica_s) AS replica_s, max(held) AS held
FROM ticks WHERE wall_s >= :from_s AND wall_s < :to_s GROUP BY bucket ORDER BY bucket
"""
_CHANGES = """
SELECT id, wall_s, desired, target, before, held, acted, limited_by, reason
FROM ticks JOIN texts ON tick = id WHERE changed ORDER BY id DESC LIMIT ?
"""
_MINUTES = "SELECT minute, arrived FROM scores WHERE policy = ? AND minute >= ? ORDER BY minute"


def status_view(state: State) -> dict[str, Any]:
    """The run now."""
    plan, record = state.plan, state.record
    price = plan.profile.price_per_replica_hour
    return {
        "name": plan.name,
        "version": hindscale.__version__,
        "mode": _mode(plan),
        "policy": plan.policy,
        "shadows": list(plan.shadows),
        "slo": {"text": str(plan.slo), "latency_s": plan.slo.latency_s, "percentile": plan.slo.percentile},
        "bounds": {"min_replicas": plan.min_replicas, "max_replicas": plan.max_replicas},
        "control_interval_s": plan.control_interval_s,
        "price_per_replica_hour": price,
        "ticks": state.ticks,
        "held_ticks": state.held_ticks,
        "measured": _score_view(state.totals, price),
        "cold_starts_s": list(state.cold_starts_s),
        "store": {"failure": state.store_failure, "unwritten": state.unwritten},
        "fleet": {"failure": state.fleet_failure},
        "tick": None if record is None else tick_view(record),
    }


def _mode(plan: Plan) -> str:
    if not plan.act:
        return "shadow"
    return "paused" if plan.is_paused else "acting"


def tick_view(record: TickRecord) -> dict[str, Any]:
    """One tick."""
    seen, target = record.tick.observation, record.tick.target
    latencies = {name: _number(record.latency_s.get(share, math.nan)) for share, name in _LATENCIES.items()}
    return {
        "number": record.number,
        "wall_s": record.wall_s,
        "rate_rps": None if seen is None else _number(seen.arrival_rate_rps),
        "ongoing": None if seen is None else _number(seen.ongoing_requests),
        "queued": None if seen is None else _number(seen.queued_requests),
        "attainment": _number(record.score.attainment),
        "ready": None if seen is None else seen.ready_replicas,
        "starting": None if seen is None else seen.starting_replicas,
        "provisioning": None if seen is None else seen.provisioning_replicas,
        "draining": None if seen is None else seen.draining_replicas,
        "desired": None if target is None else target.decision.desired_replicas,
        "target": None if target is None else target.replicas,
        "limited_by": [] if target is None else list(target.limited_by),
        "reason": record.tick.held_because if target is None else target.decision.reason,
        "held": target is None or target.held,
        "acted": record.acted,
        "trouble": record.trouble,
        **latencies,
    }


def series_view(reader: StoreReader, *, since_s: float, points: int, now_s: float | None = None) -> dict[str, Any]:
    """Columns over the last while, as many points as can be seen.

    Within a point rates and counts are means, latencies and queues the worst, so that nothing bad is smoothed away.
    """
    to_s = (time.time() if now_s is None else now_s) + 1.0
    step_s = max(since_s / min(max(points, 10), MOST_POINTS), 0.001)
    # On whole multiples, so that a point that is looked at twice covers the same ticks.
    from_s = math.floor((to_s - since_s) / step_s) * step_s
    rows = reader.rows(_SERIES, {"from_s": from_s, "to_s": to_s, "step_s": step_s})
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _DRAWN}
    columns["time_s"] = [from_s + (row["bucket"] + 0.5) * step_s for row in rows]
    columns["attainment"] = [row["met"] / row["gone"] if row["gone"] else None for row in rows]
    columns["replica_s"] = [row["replica_s"] for row in rows]
    return {"step_s": step_s, **columns}


def decisions_view(reader: StoreReader, *, most: int) -> list[dict[str, Any]]:
    """The latest ticks at which something changed: the target, or whether the fleet is held."""
    return [dict(row) for row in reader.rows(_CHANGES, (most,))]


def arrivals_view(reader: StoreReader, *, since_s: float) -> tuple[float, float, list[float]]:
    """When the first of equally long steps began, their length, and the requests that came in each; NaN for unknown.

    Steps of some seconds for a short while, whole minutes for a long one: those are added up already.
    """
    now_s = time.time()
    if since_s < HOUR_S:
        step_s = max(since_s / STEPS, 1.0)
        series = series_view(reader, since_s=since_s, points=int(since_s / step_s), now_s=now_s)
        found = {round(at / step_s - 0.5): rate * step_s for at, rate in _known(series["time_s"], series["rate_rps"])}
    else:
        step_s = float(MINUTE_S)
        first = int((now_s - since_s) // step_s)
        found = {row["minute"]: row["arrived"] for row in reader.rows(_MINUTES, (MEASURED, first))}
    if not found:
        return now_s, step_s, []
    steps = range(min(found), max(found) + 1)
    return steps[0] * step_s, step_s, [found.get(step, math.nan) for step in steps]


def _known(times_s: Sequence[float], values: Sequence[float | None]) -> list[tuple[float, float]]:
    return [(at, value) for at, value in zip(times_s, values, strict=True) if value is not None]


def scores_view(reader: StoreReader, plan: Plan, *, since_s: float) -> list[dict[str, Any]]:
    """What was measured, and what every policy's fleet of its own came to, over the last while."""
    scores = reader.scores_since(time.time() - since_s)
    price = plan.profile.price_per_replica_hour
    rows = []
    for name in (MEASURED, *plan.policies):
        score = scores.get(name, Score())
        role = "measured" if name == MEASURED else "decides" if name == plan.policy else "shadow"
        rows.append({"policy": name, "role": role, **_score_view(score, price)})
    return rows


def _score_view(score: Score, price: float) -> dict[str, Any]:
    return {
        "arrived": score.arrived,
        "left": score.left,
        "attainment": _number(score.attainment),
        "replica_hours": score.replica_s / 3600,
        "cost": score.cost(price),
    }


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """JSON as browsers read it: no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
