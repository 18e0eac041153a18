"""What a run cost and what it was worth to its users, computed from its record alone."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.core.slo import Slo
from hindscale.scoring.histogram import quantile_s
from hindscale.scoring.record import RunRecord

__all__ = ["Scores", "minutes_within", "score"]

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The figures of one run, its warm-up left out.

    Attributes:
        requests: Requests that arrived.
        slo_attainment: Share of them answered within the SLO's bound; drops, time-outs, cut and lost ones
            are misses. NaN without requests.
        minutes_attainment: Share of the minutes with requests in which at least the SLO's percentile of
            them met the bound.
        p50_s, p90_s, p95_s, p99_s: Latency percentiles of served requests.
        mean_latency_s: Mean latency of served requests, warm-up included.
        dropped, timed_out, failed, cut, unserved: Requests that were not served, by what became of them.
        replica_hours: Replica time paid for.
        cost: Replica hours times price; where nodes are simulated, what they cost.
        mean_replicas: Replicas paid for, mean over time.
        most_replicas: Largest size asked for.
        utilization: Busy share of the slots of ready and draining replicas.
        scaling_actions: Changes of the size asked for.
        reversals: Changes in the direction opposite to the one before.
        replicas_started: Replicas asked for, replacements included.
        replicas_lost: Replicas lost.
        held_ticks: Ticks at which measurements were unusable and the fleet was held.
    """

    requests: int
    slo_attainment: float
    minutes_attainment: float
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float
    mean_latency_s: float
    dropped: int
    timed_out: int
    failed: int
    cut: int
    unserved: int
    replica_hours: float
    cost: float
    mean_replicas: float
    most_replicas: int
    utilization: float
    scaling_actions: int
    reversals: int
    replicas_started: int
    replicas_lost: int
    held_ticks: int

    def meets(self, slo: Slo) -> bool:
        """Whether the objective was kept: over all requests and, if it asks so, over minutes."""
        if not self.slo_attainment >= slo.percentile:
            return False
        return slo.minutes_share is None or self.minutes_attainment >= slo.minutes_share

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON, where NaN has no place and becomes None."""
        values = dataclasses.asdict(self)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()
        }


def score(record: RunRecord) -> Scores:
    """The scores of a run."""
    ticks = record.ticks
    scored = slice(record.first_scored, None)
    arrived, met = ticks.arrived[scored], ticks.met[scored]
    latencies = scored_latencies(record)
    requests = int(arrived.sum())
    replica_hours = float(ticks.replica_s[scored].sum()) / 3600
    serving = float(ticks.serving_slot_s[scored].sum())
    targets = ticks.target[scored]
    steps = np.diff(targets)
    return Scores(
        requests=requests,
        slo_attainment=int(met.sum()) / requests if requests else math.nan,
        minutes_attainment=minutes_within(arrived, met, record.interval_s, record.slo.percentile),
        p50_s=quantile_s(latencies, 0.5),
        p90_s=quantile_s(latencies, 0.9),
        p95_s=quantile_s(latencies, 0.95),
        p99_s=quantile_s(latencies, 0.99),
        mean_latency_s=record.mean_latency_s,
        dropped=int(ticks.dropped[scored].sum()),
        timed_out=int(ticks.timed_out[scored].sum()),
        failed=int(ticks.failed[scored].sum()),
        cut=int(ticks.cut[scored].sum()),
        unserved=record.unserved,
        replica_hours=replica_hours,
        cost=_cost(record, replica_hours),
        mean_replicas=replica_hours * 3600 / (len(targets) * record.interval_s),
        most_replicas=int(targets.max()),
        utilization=float(ticks.busy_slot_s[scored].sum()) / serving if serving else math.nan,
        scaling_actions=int(np.count_nonzero(steps)),
        reversals=_reversals(steps),
        replicas_started=record.replicas_started,
        replicas_lost=record.replicas_lost,
        held_ticks=int(ticks.held[scored].sum()),
    )


def _cost(record: RunRecord, replica_hours: float) -> float:
    node_cost = record.ticks.node_cost
    if node_cost is None:
        return replica_hours * record.price_per_replica_hour
    return float(node_cost[record.first_scored :].sum())


def scored_latencies(record: RunRecord) -> NDArray[np.int64]:
    """Latencies of the served requests that are scored, by bucket, shape (BUCKETS,)."""
    return np.asarray(record.histogram[1 if record.first_scored else 0 :].sum(axis=0))


def minutes_within(
    arrived: NDArray[np.integer], met: NDArray[np.integer], interval_s: float, percentile: float
) -> float:
    """Share of the minutes with requests in which at least `percentile` of them met the bound.

    A minute is as many ticks as make one; a tick if it is longer. NaN if no minute has requests.

    >>> arrived, met = np.array([50, 50, 0, 0, 80, 20]), np.array([50, 49, 0, 0, 70, 20])
    >>> minutes_within(arrived, met, interval_s=30.0, percentile=0.95)
    0.5
    """
    per_minute = max(1, math.ceil(MINUTE_S / interval_s - 1e-9))
    starts = np.arange(0, len(arrived), per_minute)
    asked, kept = np.add.reduceat(arrived, starts), np.add.reduceat(met, starts)
    busy = asked > 0
    if not busy.any():
        return math.nan
    return float(np.mean(kept[busy] >= percentile * asked[busy] - 1e-9))


def _reversals(steps: NDArray[np.integer]) -> int:
    directions = np.sign(steps[steps != 0])
    return int(np.count_nonzero(directions[1:] != directions[:-1]))
