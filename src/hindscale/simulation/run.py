"""One run: a trace, a service, a policy with its guardrails, and a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_count, require_nonnegative
from hindscale.core.control import Guardrail, Policy, Tick, run_loop
from hindscale.core.errors import ParameterError, TraceError
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.scoring.record import RunRecord, TickLog
from hindscale.simulation.cluster import Cluster, require_schedulable
from hindscale.simulation.contract import Engine, EngineConfig, Total, to_ns
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.nodes import SimulatedCluster
from hindscale.simulation.workload import RequestStream, request_batches
from hindscale.sizing import capacity_rps, replicas_for_rate
from hindscale.traces.arrivals import ArrivalProcess
from hindscale.traces.types import RateTrace, RequestTrace, Trace, UtilizationTrace

__all__ = ["EngineName", "SimulatedClock", "SimulationSettings", "initial_replicas", "simulate"]

EngineName = Literal["fast", "readable"]
MOST_ROWS = 720
FIRST_S = 60.0
STALE_INTERVALS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """What a simulation needs to know beyond the trace, the service and the policy.

    Attributes:
        monitoring: How old measurements are when a policy sees them.
        arrivals: How rates become single arrivals.
        initial_replicas: Replicas that are ready when the run begins; None for what the first minute's
            traffic needs, so that no policy is judged by the fleet it happened to find.
        warm_up_s: This much of the run is not scored; policies learn from it all the same.
        engine: "fast", or "readable" to check a surprising result.
        cluster: The nodes that replicas run on; None to simulate none: a replica then waits for the profile's
            `provisioning` and costs its own price.
    """

    monitoring: Monitoring = field(default_factory=Monitoring)
    arrivals: ArrivalProcess = field(default_factory=ArrivalProcess)
    initial_replicas: int | None = None
    warm_up_s: float = 0.0
    engine: EngineName = "fast"
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        if self.initial_replicas is not None:
            require_count(initial_replicas=self.initial_replicas)
        require_nonnegative(warm_up_s=self.warm_up_s)
        if self.engine not in ("fast", "readable"):
            raise ParameterError(f"engine must be 'fast' or 'readable', was {self.engine!r}")

    def check(self, profile: ServiceProfile) -> None:
        """See that the service fits into the simulation.

        Raises:
            ParameterError: If nodes are simulated and none has room for a replica.
        """
        if self.cluster is not None:
            require_schedulable(self.cluster, profile)


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Ticks at the end of each interval, as fast as they can be computed."""

    interval_s: float
    count: int

    def ticks(self) -> Iterator[float]:
        return (tick * self.interval_s for tick in range(1, self.count + 1))


def simulate(
    trace: Trace,
    spec: ServiceSpec,
    policy: Policy[Any],
    guardrails: Sequence[Guardrail[Any]],
    *,
    seed: int = 0,
    settings: SimulationSettings | None = None,
) -> RunRecord:
    """Run a policy on a trace and record what happened.

    Traces are replayed to their end; requests that are still in the system then come out with the fleet
    as it is, and nothing of that is paid for. The same arguments give the same record, to the last digit.

    Raises:
        TraceError: If the trace is not traffic.
        ParameterError: If the warm-up leaves nothing to score, or no node has room for a replica.
    """
    settings = settings or SimulationSettings()
    settings.check(spec.profile)
    if isinstance(trace, UtilizationTrace):
        raise TraceError(
            f"{trace.name}: holds utilization, not requests; convert it with"
            " `hindscale traces convert --full-load-rps N`, N the rate at which utilization is 1"
        )
    clock = SimulatedClock(spec.control_interval_s, max(1, math.ceil(trace.duration_s / spec.control_interval_s)))
    first_scored = math.ceil(settings.warm_up_s / spec.control_interval_s)
    if first_scored >= clock.count:
        raise ParameterError(
            f"warm_up_s must be shorter than the trace ({trace.duration_s:g} s), was {settings.warm_up_s:g}"
        )
    workload, lives = np.random.SeedSequence(seed).spawn(2)
    engine = _engine(settings.engine, _engine_config(spec, clock.count, first_scored))
    fleet = SimulatedFleet(
        spec.profile,
        engine,
        RequestStream(request_batches(trace, spec.profile, workload, settings.arrivals)),
        lives,
        control_interval_s=spec.control_interval_s,
        monitoring=settings.monitoring,
        initial_replicas=initial_replicas(trace, spec, settings),
        cluster=settings.cluster,
    )
    # A pipeline that is slow by design does not make its measurements stale; several lost readings do.
    max_age_s = settings.monitoring.lag_s + STALE_INTERVALS * max(
        spec.control_interval_s, settings.monitoring.scrape_interval_s or 0.0
    )
    notes = _TickNotes(fleet)
    for tick in run_loop(policy, guardrails, fleet, fleet, clock, max_age_s=max_age_s):
        notes.add(tick)
    started, lost = fleet.started, fleet.lost
    fleet.finish()
    served = int(engine.totals[Total.SERVED])
    return RunRecord(
        interval_s=spec.control_interval_s,
        slo=spec.slo,
        price_per_replica_hour=spec.profile.price_per_replica_hour,
        first_scored=first_scored,
        ticks=notes.log(engine),
        histogram=engine.histogram,
        mean_latency_s=int(engine.totals[Total.LATENCY_US]) * 1e-6 / served if served else math.nan,
        unserved=int(engine.totals[Total.QUEUED]),
        replicas_started=started,
        replicas_lost=lost,
        details={},
    )


def initial_replicas(trace: RateTrace | RequestTrace, spec: ServiceSpec, settings: SimulationSettings) -> int:
    """Replicas that are ready when the run begins: as set, or what the first minute's traffic needs."""
    wanted = settings.initial_replicas
    if wanted is None:
        first_rps = float(trace.rates_rps(FIRST_S)[0])
        wanted = replicas_for_rate(first_rps, capacity_rps=capacity_rps(spec.profile, spec.slo))
    return min(max(wanted, spec.min_replicas), spec.max_replicas)


def _engine_config(spec: ServiceSpec, ticks: int, first_scored: int) -> EngineConfig:
    return EngineConfig.from_profile(
        spec.profile,
        bound_s=spec.slo.latency_s,
        ticks=ticks,
        warm_up_ticks=first_scored,
        rows=min(MOST_ROWS, ticks - first_scored) + (first_scored > 0),
    )


def _engine(name: EngineName, config: EngineConfig) -> Engine:
    if name == "readable":
        from hindscale.simulation.readable import ReadableEngine

        return ReadableEngine(config)
    from hindscale.simulation.fast import FastEngine  # compiles, so only when it is used

    return FastEngine(config)


class _TickNotes:
    """Collects one row a tick: what the policy said, and what was true of the fleet."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet
        self._rows: list[tuple[Any, ...]] = []
        self._totals: list[list[int]] = []
        self._nodes = None if fleet.cluster is None else _NodeNotes(fleet.cluster)

    def add(self, tick: Tick) -> None:
        fleet, seen, target = self._fleet, tick.observation, tick.target
        self._totals.append(fleet.engine.totals.tolist())
        if self._nodes is not None:
            self._nodes.add(to_ns(tick.time_s))
        if seen is None or target is None:
            counts = (fleet.ready, fleet.starting, fleet.provisioning, fleet.draining)
            said = (math.nan, -1, fleet.requested, True, "", tick.held_because)
        else:
            counts = (
                seen.ready_replicas,
                seen.starting_replicas,
                seen.provisioning_replicas,
                seen.draining_replicas,
            )
            decision = target.decision
            said = (
                seen.arrival_rate_rps,
                decision.desired_replicas,
                target.replicas,
                target.held,
                ",".join(target.limited_by),
                decision.reason,
            )
        self._rows.append((tick.time_s, fleet.billed_ns, fleet.serving_ns, *counts, *said))

    def log(self, engine: Engine) -> TickLog:
        (
            time_s,
            billed,
            serving,
            ready,
            starting,
            provisioning,
            draining,
            rate,
            desired,
            target,
            held,
            limited,
            reason,
        ) = zip(*self._rows, strict=True)
        totals = np.array(self._totals, np.int64)
        per_tick = np.diff(totals, axis=0, prepend=0)
        slots = self._fleet.profile.slots
        return TickLog(
            time_s=np.array(time_s),
            arrived=per_tick[:, Total.ARRIVED],
            met=engine.met_by_tick,
            served=per_tick[:, Total.SERVED],
            dropped=per_tick[:, Total.DROPPED],
            timed_out=per_tick[:, Total.TIMED_OUT],
            failed=per_tick[:, Total.FAILED],
            cut=per_tick[:, Total.CUT],
            replica_s=_per_tick(billed) / 1e9,
            busy_slot_s=per_tick[:, Total.BUSY_NS] / 1e9,
            serving_slot_s=_per_tick(serving) / 1e9 * slots,
            ready=np.array(ready, np.int64),
            starting=np.array(starting, np.int64),
            provisioning=np.array(provisioning, np.int64),
            draining=np.array(draining, np.int64),
            queued=totals[:, Total.QUEUED],
            observed_rate_rps=np.array(rate, np.float64),
            desired=np.array(desired, np.int64),
            target=np.array(target, np.int64),
            held=np.array(held, np.bool_),
            limited_by=limited,
            reason=reason,
            **({} if self._nodes is None else self._nodes.columns()),
        )


class _NodeNotes:
    """Collects, at each tick, the machines that run and what was paid for them."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._running: list[int] = []
        self._paid_ns: list[tuple[int, ...]] = []

    def add(self, now: int) -> None:
        self._running.append(self._cluster.running(now))
        self._paid_ns.append(self._cluster.paid_ns(now))

    def columns(self) -> dict[str, NDArray[Any]]:
        prices = [pool.price_per_hour for pool in self._cluster.cluster.pools]
        by_pool = zip(prices, zip(*self._paid_ns, strict=True), strict=True)
        cost = sum(_per_tick(paid_ns) / 3600e9 * price for price, paid_ns in by_pool)
        return {"nodes": np.array(self._running, np.int64), "node_cost": np.asarray(cost)}


def _per_tick(cumulative: Sequence[int]) -> NDArray[np.int64]:
    """What each tick added. In whole numbers: a month of a fleet in nanoseconds is more than a double holds."""
    counts: NDArray[np.int64] = np.array(cumulative, np.int64)
    return np.diff(counts, prepend=np.int64(0))
