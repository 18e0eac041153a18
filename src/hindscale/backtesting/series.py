"""A run as the report draws it: some hundreds of points instead of a row a tick, and every action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.scoring.histogram import quantile_s
from hindscale.scoring.record import RunRecord

__all__ = ["Action", "RunSeries", "run_series"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One change of the size asked for, and why.

    Attributes:
        time_s: When.
        before, after: The size asked for.
        desired: What the policy wanted.
        limited_by: Which guardrails changed that.
        reason: The policy's words.
    """

    time_s: float
    before: int
    after: int
    desired: int
    limited_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeries:
    """One point a stretch of equal length, shape (points,) each.

    Attributes:
        time_s: End of the stretch, in seconds since the run began.
        rate_rps: Arrivals per second.
        ready: Ready replicas, mean.
        billed: Replicas paid for, mean.
        target: Size asked for at the end.
        p50_s, p95_s, p99_s: Latency percentiles of the requests that arrived in the stretch and were served.
        attainment: Share of the arrivals that met the SLO; NaN without arrivals.
        queued: Most requests waiting at a tick.
        actions: Every change of the size asked for.
    """

    time_s: Floats
    rate_rps: Floats
    ready: Floats
    billed: Floats
    target: Floats
    p50_s: Floats
    p95_s: Floats
    p99_s: Floats
    attainment: Floats
    queued: Floats
    actions: tuple[Action, ...]


def run_series(record: RunRecord) -> RunSeries:
    """The scored part of a run, one point a row of its latency histogram."""
    ticks, first = record.ticks, record.first_scored
    rows = record.histogram[1 if first else 0 :]
    count = len(ticks) - first
    # The tick at which each point begins: the inverse of the rows that the engine sorted latencies into.
    begins = -(-np.arange(len(rows)) * count // len(rows)) + first
    ends = np.append(begins[1:], len(ticks)) - 1
    seconds = (ends - begins + 1) * record.interval_s
    arrived = np.add.reduceat(ticks.arrived, begins)
    met = np.add.reduceat(ticks.met, begins)
    with np.errstate(invalid="ignore", divide="ignore"):
        attainment = met / arrived
    return RunSeries(
        time_s=ticks.time_s[ends],
        rate_rps=arrived / seconds,
        ready=np.add.reduceat(ticks.ready, begins) * record.interval_s / seconds,
        billed=np.add.reduceat(ticks.replica_s, begins) / seconds,
        target=ticks.target[ends].astype(np.float64),
        p50_s=_quantiles(rows, 0.5),
        p95_s=_quantiles(rows, 0.95),
        p99_s=_quantiles(rows, 0.99),
        attainment=attainment,
        queued=np.maximum.reduceat(ticks.queued, begins).astype(np.float64),
        actions=_actions(record),
    )


def _quantiles(rows: NDArray[np.integer], share: float) -> Floats:
    return np.array([quantile_s(row, share) for row in rows])


def _actions(record: RunRecord) -> tuple[Action, ...]:
    ticks = record.ticks
    changed = np.flatnonzero(np.diff(ticks.target)) + 1
    return tuple(
        Action(
            time_s=float(ticks.time_s[tick]),
            before=int(ticks.target[tick - 1]),
            after=int(ticks.target[tick]),
            desired=int(ticks.desired[tick]),
            limited_by=ticks.limited_by[tick],
            reason=ticks.reason[tick],
        )
        for tick in changed.tolist()
        if tick >= record.first_scored
    )
