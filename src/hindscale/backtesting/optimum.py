"""What perfect foresight could have done: a bound from below, and a schedule that really gets there.

`--policy optimum` runs it beside the others. The bound holds for the very arrivals and service times of a seed; no
policy pays less. It is the larger of two: a linear program in which replicas come in fractions (`simulation.optimum`),
and a dynamic program with whole replicas and a queue served in order (`simulation.schedule`).

The same dynamic program gives schedules: replicas are ordered so early that they are ready when it wants them. Since
requests come at random, some of each fleet has to be spare, in proportion to the square root of its size (Halfin and
Whitt 1981). How much is searched for, for this schedule and for the linear program's, rounded: the cheapest that keeps
the SLO in the request-level engine is what was *achieved*. Between bound and achieved lies the true optimum.
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
from hindscale.simulation.schedule import QueueProblem, cheapest_schedule, least_cost_s
from hindscale.simulation.workload import request_batches
from hindscale.traces.types import Trace, UtilizationTrace

__all__ = ["Foresight", "Requests", "fluid_problem", "perform_optimum", "queue_problem"]

Floats = NDArray[np.float64]
PARTS = 5
PRICE = 15.0  # of a missed request, in times of what serving one takes
MOST_SPARE = 3.0  # standard deviations of a load
SEARCH_STEPS = 8
CLOSE_ENOUGH = 0.95  # of the misses that the SLO forgives
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
        arrived: Those that came by the end of each part of a step, shape (T · PARTS,).
        due: Those that came an SLO's bound before it, likewise.
        must_start: Those that came so long before it that a slow one, at the SLO's percentile, cannot wait longer.
        mean_service_s: Their mean time in service.
        share_in_time: Share of them that the bound leaves time for, without any wait.
    """

    count: int
    arrived: Floats
    due: Floats
    must_start: Floats
    mean_service_s: float
    share_in_time: float

    @classmethod
    def of(cls, plan: Backtest, trace: Trace, spec: ServiceSpec, seed: int) -> Requests:
        """Draw the requests of a run, exactly as the simulation draws them, and count them."""
        assert not isinstance(trace, UtilizationTrace)
        bound_s = spec.slo.latency_s
        patience_s = max(bound_s - spec.profile.service_time.quantile(spec.slo.percentile), 0.1 * bound_s)
        steps = max(1, math.ceil(trace.duration_s / spec.control_interval_s))
        ends_ns = np.rint(spec.control_interval_s / PARTS * 1e9 * np.arange(1, PARTS * steps + 1)).astype(np.int64)
        ages_ns = [0, round(bound_s * 1e9), round(patience_s * 1e9)]
        counts = np.zeros((3, len(ends_ns)), np.int64)
        workload, _ = np.random.SeedSequence(seed).spawn(2)
        count = in_time = service_ns = 0
        for batch in request_batches(trace, spec.profile, workload, plan.settings.arrivals):
            count += len(batch.arrivals_ns)
            in_time += int(np.count_nonzero(batch.services_ns <= ages_ns[1]))
            service_ns += int(batch.services_ns.sum())
            for row, age_ns in enumerate(ages_ns):
                # Who came at the very end of a part has arrived; who came a bound before it is just in time.
                counts[row] += np.searchsorted(batch.arrivals_ns, ends_ns - age_ns, "left" if age_ns else "right")
        if not count:
            raise ParameterError(f"{trace.name}: optimum needs requests, the run with seed {seed} has none")
        arrived, due, must_start = counts.astype(np.float64)
        return cls(
            count=count,
            arrived=arrived,
            due=due,
            must_start=must_start,
            mean_service_s=service_ns / count / 1e9,
            share_in_time=in_time / count,
        )

    def missed_at_most(self, spec: ServiceSpec) -> float:
        """How many of those that could have been in time the SLO forgives.

        Raises:
            ParameterError: If no fleet could keep the SLO, since too many requests are too slow by themselves.
        """
        promised, slo = spec.slo.percentile, spec.slo
        if self.share_in_time < promised:
            raise ParameterError(
                f"no fleet can keep {slo}: without any wait {percent(self.share_in_time)} of the requests are served"
                f" within the bound, and {percent(promised)} are promised; raise the bound or lower the percentile"
            )
        return (1 - promised / self.share_in_time) * self.count


def fluid_problem(requests: Requests, spec: ServiceSpec, *, ready_at_start: int) -> FluidProblem:
    """The linear program for a seed's requests."""
    return FluidProblem(
        step_s=spec.control_interval_s,
        arrived=requests.arrived[PARTS - 1 :: PARTS],
        due=requests.due[PARTS - 1 :: PARTS],
        served_per_step=spec.profile.slots * spec.control_interval_s / requests.mean_service_s,
        start_s=spec.profile.cold_start.mean_s,
        missed_at_most=requests.missed_at_most(spec),
        initial_replicas=ready_at_start,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
    )


def queue_problem(requests: Requests, spec: ServiceSpec, *, ready_at_start: int) -> QueueProblem:
    """The dynamic program for a seed's requests."""
    return QueueProblem(
        step_s=spec.control_interval_s,
        parts=PARTS,
        arrived=requests.arrived,
        due=requests.due,
        served_per_part=spec.profile.slots * spec.control_interval_s / PARTS / requests.mean_service_s,
        start_s=spec.profile.cold_start.mean_s,
        initial_replicas=ready_at_start,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
    )


def perform_optimum(plan: Backtest, run: Run, *, with_ticks: bool = False) -> Outcome:
    """The cheapest schedule found that keeps the SLO on a trace and seed, and the bound from below.

    Where none does, the one that came nearest comes back.
    """
    trace, spec = plan.prepared[plan.traces[run.trace].name]
    require_plain(plan)
    requests = Requests.of(plan, trace, spec, run.seed)
    assert not isinstance(trace, UtilizationTrace)
    ready_at_start = initial_replicas(trace, spec, plan.settings)
    fluid = solve(fluid_problem(requests, spec, ready_at_start=ready_at_start))
    problem = queue_problem(requests, spec, ready_at_start=ready_at_start)
    whole_s = least_cost_s(problem, missed_at_most=requests.missed_at_most(spec))
    lead_steps = _lead_steps(spec)
    cautious = replace(
        problem, due=requests.must_start, start_s=lead_steps * spec.control_interval_s + _draining_s(spec)
    )

    def whole(spare: float) -> NDArray[np.int64]:
        return cheapest_schedule(cautious, price=PRICE * problem.replica_s_per_request, spare=spare)

    def rounded(spare: float) -> NDArray[np.int64]:
        ready = np.floor(fluid.ready + spare * np.sqrt(fluid.ready) + 0.5).astype(np.int64)
        return np.clip(ready, spec.min_replicas, spec.max_replicas)

    def attempt(schedule: NDArray[np.int64]) -> Outcome:
        return plan.outcome(
            run, Foresight(ready=tuple(schedule.tolist()), lead_steps=lead_steps), with_ticks=with_ticks
        )

    most = MOST_SPARE / math.sqrt(spec.profile.slots)
    found = [_cheapest_that_meets(attempt, shape, spec.slo, most) for shape in (whole, rounded)]
    best = min(found, key=lambda outcome: _rank(outcome, spec.slo))
    return replace(best, least_cost=max(fluid.replica_s, whole_s or 0.0) / 3600 * spec.profile.price_per_replica_hour)


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


def _lead_steps(spec: ServiceSpec) -> int:
    """Steps from an order to a replica that is very likely ready."""
    profile = spec.profile
    lead_s = profile.provisioning.quantile(LEAD_SHARE) + profile.cold_start.quantile(LEAD_SHARE)
    return math.ceil(lead_s / spec.control_interval_s)


def _draining_s(spec: ServiceSpec) -> float:
    """About how long a full replica works on after it was told to stop: the longest of its requests."""
    slots = spec.profile.slots
    return spec.profile.service_time.quantile(slots / (slots + 1))


def _cheapest_that_meets(
    attempt: Callable[[NDArray[np.int64]], Outcome], shape: Callable[[float], NDArray[np.int64]], slo: Slo, most: float
) -> Outcome:
    """Bisection on what is kept spare: with more of it more requests are in time, and more is paid."""
    low, high = -most / 3, most
    best = attempt(shape(high))
    for _ in range(SEARCH_STEPS if best.scores.meets(slo) else 0):
        middle = (low + high) / 2
        found = attempt(shape(middle))
        best = min(best, found, key=lambda outcome: _rank(outcome, slo))
        if not found.scores.meets(slo):
            low = middle
        elif 1 - found.scores.slo_attainment >= CLOSE_ENOUGH * (1 - slo.percentile):
            break
        else:
            high = middle
    return best


def _rank(outcome: Outcome, slo: Slo) -> tuple[bool, float]:
    """Those that keep the SLO by what they cost, the others by how much they miss it."""
    scores = outcome.scores
    return (False, scores.cost) if scores.meets(slo) else (True, -scores.slo_attainment)
