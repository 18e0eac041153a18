"""What a run leaves behind: one row a control tick, counts, and latencies as a histogram.

A simulated run and a live one leave the same record, so that yesterday's production can be scored like a
backtest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.core.slo import Slo

__all__ = ["OUTCOMES", "RunRecord", "TickLog"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OUTCOMES = ("served", "met", "dropped", "timed_out", "failed", "cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class TickLog:
    """One entry a control tick, shape (T,) each. Intervals end at `time_s`.

    Attributes:
        time_s: Seconds since the run began.
        arrived: Requests that arrived in the interval.
        met: Of those, how many were answered within the SLO's bound, whenever that was.
        served, dropped, timed_out, failed, cut: Requests that left in this way during the interval.
        replica_s: Replica seconds paid for in the interval.
        busy_slot_s: Slot seconds in service in the interval.
        serving_slot_s: Slot seconds of ready and draining replicas in the interval.
        ready, starting, provisioning, draining: Replicas at `time_s`, before the decision.
        queued: Requests waiting at `time_s`.
        observed_rate_rps: The arrival rate that the policy saw; NaN where it saw none.
        desired: What the policy wanted; -1 where it was not asked for lack of any observation.
        target: What the fleet was asked for.
        held: Whether measurements were not usable and the fleet was held.
        limited_by: Names of the guardrails that changed the number, joined by a comma.
        reason: The policy's words.
        nodes: Machines paid for at `time_s`; None where nodes are not simulated.
        node_cost: What machines cost in the interval; None likewise.
        cpu_request_cores, memory_request_gib: What a replica requests after the decision, mean over ready, starting
            and provisioning ones, NaN without any; None where requests do not change.
        cpu_target_cores, memory_target_gib: What the VPA recommends at `time_s`, NaN for nothing; None likewise.
        evicted: Replicas that it evicted in the interval; None likewise.
    """

    time_s: Floats
    arrived: Integers
    met: Integers
    served: Integers
    dropped: Integers
    timed_out: Integers
    failed: Integers
    cut: Integers
    replica_s: Floats
    busy_slot_s: Floats
    serving_slot_s: Floats
    ready: Integers
    starting: Integers
    provisioning: Integers
    draining: Integers
    queued: Integers
    observed_rate_rps: Floats
    desired: Integers
    target: Integers
    held: NDArray[np.bool_]
    limited_by: Sequence[str]
    reason: Sequence[str]
    nodes: Integers | None = None
    node_cost: Floats | None = None
    cpu_request_cores: Floats | None = None
    memory_request_gib: Floats | None = None
    cpu_target_cores: Floats | None = None
    memory_target_gib: Floats | None = None
    evicted: Integers | None = None

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of one policy over one trace with one seed.

    Attributes:
        interval_s: Seconds between two ticks.
        slo: What was promised.
        price_per_replica_hour: What a replica costs.
        first_scored: Ticks before this one are a warm-up: run, logged, and not scored.
        ticks: One entry a control tick.
        histogram: Latencies of served requests by row of arrival and bucket, shape (rows, BUCKETS); row 0
            holds the warm-up if there is one.
        mean_latency_s: Mean latency of served requests, warm-up included.
        unserved: Requests that still waited for a replica when nothing more could happen.
        replicas_started: Replicas asked for, replacements included.
        replicas_lost: Replicas lost.
    """

    interval_s: float
    slo: Slo
    price_per_replica_hour: float
    first_scored: int
    ticks: TickLog
    histogram: Integers
    mean_latency_s: float
    unserved: int
    replicas_started: int
    replicas_lost: int
