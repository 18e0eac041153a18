"""What perfect foresight could have done: a bound from below, and a schedule that really gets there.

`--policy optimum` runs it beside the others. The bound comes from the fluid model (`simulation.optimum`) for the
very arrivals and service times of a seed; no policy pays less. From the same solution comes a schedule: replicas
are ordered so early that they are ready when the solution wants them, a little more of them than it says, since
real requests queue. How much more is searched for, in two shapes: a share of the load, and a multiple of its square
root, which is what a queue needs (Halfin and Whitt 1981). The cheapest schedule that keeps the SLO in the
request-level engine is what was *achieved*. Between the two lies the true optimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hindscale.backtesting.backtest import Backtest, Outcome, Run
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.slo import Slo
from hindscale.core.units import percent
from hindscale.core.values import Decision, Observation
from hindscale.simulation.optimum import FluidProblem, solve
from hindscale.simulation.run import initial_replicas
from hindscale.simulation.workload import request_batches
from hindscale.traces.types import Trace, UtilizationTrace

__all__ = ["Foresight", "Requests", "fluid_problem", "perform_optimum"]

Floats = NDArray[np.float64]
Spare = Callable[[Floats, float], Floats]
SEARCH_STEPS = 9
LEAD_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """A schedule of ready replicas, followed by whoever knows how long a start takes.

    Attributes:
        ready: Replicas that are wanted ready in each step of the run.
        lead_steps: Steps from an order to readiness, at most: what is wanted by then is ordered now.
    """

    name: ClassVar[str] = "optimum"
    hindsight: ClassVar[bool] = True
    own_limits: ClassVar[bool] = True
    ready: tuple[int, ...]
    lead_steps: int

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    def initial_state(self) -> int:
        return 0

    def decide(self, observation: Observation, state: int) -> tuple[Decision, int]:
        # Tick k ends step k - 1: from here on the steps from k on matter.
        step = state + 1
        coming = self.ready[step : step + self.lead_steps + 1] or self.ready[-1:]
        wanted = max(coming)
        reason = f"{coming[0]} wanted now, {wanted} within {self.lead_steps} steps"
        return Decision(desired_replicas=wanted, reason=reason), step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """What a seed's requests are to the fluid model.

    Attributes:
        count: All of them.
        arrived: Those that came by the end of each step, shape (T,).
        due: Those that came an SLO's bound before it, shape (T,).
        mean_service_s: Their mean time in service.
        share_in_time: Share of them that the bound leaves time for, without any wait.
    """

    count: int
    arrived: Floats
    due: Floats
    mean_service_s: float
    share_in_time: float

    @classmethod
    def of(cls, plan: Backtest, trace: Trace, spec: ServiceSpec, seed: int) -> Requests:
        """Draw the requests of a run, exactly as the simulation draws them, and count them."""
        assert not isinstance(trace, UtilizationTrace)
        step_ns, bound_ns = round(spec.control_interval_s * 1e9), round(spec.slo.latency_s * 1e9)
        steps = max(1, math.ceil(trace.duration_s / spec.control_interval_s))
        ends_ns = step_ns * np.arange(1, steps + 1)
        workload, _ = np.random.SeedSequence(seed).spawn(2)
        count = in_time = service_ns = 0
        arrived, due = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
        for batch in request_batches(trace, spec.profile, workload, plan.settings.arrivals):
            count += len(batch.arrivals_ns)
            in_time += int(np.count_nonzero(batch.services_ns <= bound_ns))
            service_ns += int(batch.services_ns.sum())
            arrived += np.searchsorted(batch.arrivals_ns, ends_ns, "right")
            due += np.searchsorted(batch.arrivals_ns, ends_ns - bound_ns, "left")
        if not count:
            raise ParameterError(f"{trace.name}: optimum needs requests, the run with seed {seed} has none")
        return cls(
            count=count,
            arrived=arrived.astype(np.float64),
            due=due.astype(np.float64),
            mean_service_s=service_ns / count / 1e9,
            share_in_time=in_time / count,
        )


def fluid_problem(requests: Requests, spec: ServiceSpec, *, ready_at_start: int) -> FluidProblem:
    """The linear program for a seed's requests.

    Raises:
        ParameterError: If no fleet could keep the SLO, since too many requests are too slow by themselves.
    """
    promised, slo = spec.slo.percentile, spec.slo
    if requests.share_in_time < promised:
        raise ParameterError(
            f"no fleet can keep {slo}: without any wait {percent(requests.share_in_time)} of the requests are served"
            f" within the bound, and {percent(promised)} are promised; raise the bound or lower the percentile"
        )
    return FluidProblem(
        step_s=spec.control_interval_s,
        arrived=requests.arrived,
        due=requests.due,
        served_per_step=spec.profile.slots * spec.control_interval_s / requests.mean_service_s,
        start_s=spec.profile.cold_start.mean_s,
        missed_at_most=(1 - promised / requests.share_in_time) * requests.count,
        initial_replicas=ready_at_start,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
    )


def perform_optimum(plan: Backtest, run: Run, *, with_ticks: bool = False) -> Outcome:
    """The cheapest schedule found that keeps the SLO on a trace and seed, and the bound from below.

    Where none does, not even with three times what the fluid model says, the last one tried comes back.
    """
    trace, spec = plan.prepared[plan.traces[run.trace].name]
    require_plain(plan)
    requests = Requests.of(plan, trace, spec, run.seed)
    assert not isinstance(trace, UtilizationTrace)
    problem = fluid_problem(requests, spec, ready_at_start=initial_replicas(trace, spec, plan.settings))
    fluid = solve(problem)

    def attempts(spare: Spare) -> Callable[[float], Outcome]:
        return lambda much: plan.outcome(
            run, _schedule(fluid.ready + spare(fluid.ready, much), spec), with_ticks=with_ticks
        )

    slots = spec.profile.slots
    shapes: tuple[tuple[Spare, float, float], ...] = (
        (lambda ready, much: much * ready, -0.2, 2.2),
        (lambda ready, much: much * np.sqrt(ready / slots), -1.0, 15.0),
    )
    found = [_cheapest_that_meets(attempts(spare), spec.slo, low, high) for spare, low, high in shapes]
    best = min(found, key=lambda outcome: (not outcome.scores.meets(spec.slo), outcome.scores.cost))
    return replace(best, least_cost=fluid.replica_s / 3600 * spec.profile.price_per_replica_hour)


def require_plain(plan: Backtest) -> None:
    """The bound is one for replicas that are paid for from start to end, and do not fail.

    Raises:
        ParameterError: If the comparison is another one.
    """
    if plan.settings.warm_up_s:
        raise ParameterError(f"optimum counts the whole run: warm_up_s must be 0, was {plan.settings.warm_up_s:g}")
    if plan.settings.cluster is not None:
        raise ParameterError("optimum knows no nodes: leave out the cluster")
    if plan.settings.vertical is not None:
        raise ParameterError("optimum knows no evictions: leave out the vertical autoscaler")
    if plan.service.mean_time_to_failure_s is not None:
        raise ParameterError("optimum knows no failures: leave out mean_time_to_failure_s")


def _schedule(ready: Floats, spec: ServiceSpec) -> Foresight:
    """Whole replicas, each ordered a start ahead."""
    profile = spec.profile
    lead_s = profile.provisioning.quantile(LEAD_SHARE) + profile.cold_start.quantile(LEAD_SHARE)
    wanted = np.clip(np.floor(ready + 0.5).astype(np.int64), spec.min_replicas, spec.max_replicas)
    return Foresight(ready=tuple(wanted.tolist()), lead_steps=math.ceil(lead_s / spec.control_interval_s))


def _cheapest_that_meets(attempt: Callable[[float], Outcome], slo: Slo, low: float, high: float) -> Outcome:
    """Bisection: with more to spare more requests are in time, and more is paid."""
    best = attempt(high)
    if not best.scores.meets(slo):
        return best
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        found = attempt(middle)
        if found.scores.meets(slo):
            high = middle
            best = found if found.scores.cost < best.scores.cost else best
        else:
            low = middle
    return best
