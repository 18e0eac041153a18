"""One run: a trace, a service, a policy with its guardrails, and a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hindscale.core.checks import require_count, require_nonnegative
from hindscale.core.control import Guardrail, Policy, run_loop
from hindscale.core.errors import ParameterError, TraceError
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.scoring.record import RunRecord
from hindscale.simulation.cluster import Cluster, require_schedulable
from hindscale.simulation.contract import Engine, EngineConfig, Total
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.notes import TickNotes
from hindscale.simulation.vertical import VerticalAutoscaler, require_resizable
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
        vertical: What changes the replicas' requests as they use more or less; None for requests that stay.
    """

    monitoring: Monitoring = field(default_factory=Monitoring)
    arrivals: ArrivalProcess = field(default_factory=ArrivalProcess)
    initial_replicas: int | None = None
    warm_up_s: float = 0.0
    engine: EngineName = "fast"
    cluster: Cluster | None = None
    vertical: VerticalAutoscaler | None = None

    def __post_init__(self) -> None:
        if self.initial_replicas is not None:
            require_count(initial_replicas=self.initial_replicas)
        require_nonnegative(warm_up_s=self.warm_up_s)
        if self.engine not in ("fast", "readable"):
            raise ParameterError(f"engine must be 'fast' or 'readable', was {self.engine!r}")

    def check(self, profile: ServiceProfile) -> None:
        """See that the service fits into the simulation.

        Raises:
            ParameterError: If nodes are simulated and none has room for a replica, or if requests should follow
                what is used and the profile does not say how much that is.
        """
        if self.cluster is not None:
            require_schedulable(self.cluster, profile)
        if self.vertical is not None:
            require_resizable(self.vertical, profile)


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
        ParameterError: If the warm-up leaves nothing to score, or the service does not fit into the simulation.
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
        vertical=settings.vertical,
    )
    # A pipeline that is slow by design does not make its measurements stale; several lost readings do.
    max_age_s = settings.monitoring.lag_s + STALE_INTERVALS * max(
        spec.control_interval_s, settings.monitoring.scrape_interval_s or 0.0
    )
    notes = TickNotes(fleet)
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
