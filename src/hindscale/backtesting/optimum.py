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

__all__ = ["Foresight", "Requests", "Work", "fluid_problem", "perform_optimum", "queue_problem"]

Floats = NDArray[np.float64]
Schedule = NDArray[np.int64]
PARTS = 5
PRICE = 15.0  # of a missed request, in times of what serving one takes
MOST_SPARE = 3.0  # standard deviations of a load
SEARCH_STEPS = 8
BOLDER = 6
FOREVER_S = 1e9
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
class Work:
    """Requests by the end of each part of a step, shape (T · PARTS,) each; a slow one counts as several.

    The unit is a request of mean length.

    Attributes:
        arrived: Those that came.
        due: Those that came so long before that they must be through, or in the planner's eyes must have begun.
        gone: Those that came so long before that nobody waits any more; none where nobody gives up.
    """

    arrived: Floats
    due: Floats
    gone: Floats

    @classmethod
    def of(cls, adding: _Adding, unit_s: float) -> Work:
        return cls(
            **{name: work_ns / 1e9 / unit_s for name, work_ns in zip(cls.__slots__, adding.work_ns, strict=True)}
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """What a seed's requests are to the optimum.

    Attributes:
        count: All of them.
        share_in_time: Share of them that the SLO's bound leaves time for, without any wait.
        mean_service_s: Mean time in service of those.
        in_time: Those alone, due when the SLO says so: what is surely asked of any fleet.
        everything: All of them, due while a slow one, at the SLO's percentile, can still be in time: what to plan for.
        missed_at_most: The longest ones that could be in time, as many as the SLO forgives.
    """

    count: int
    share_in_time: float
    mean_service_s: float
    in_time: Work
    everything: Work
    missed_at_most: float

    @classmethod
    def of(cls, plan: Backtest, trace: Trace, spec: ServiceSpec, seed: int) -> Requests:
        """Draw the requests of a run, exactly as the simulation draws them, and add them up.

        Raises:
            ParameterError: If there are none, or too many are too slow by themselves for any fleet to keep the SLO.
        """
        assert not isinstance(trace, UtilizationTrace)
        slo, slowest_s = spec.slo, spec.profile.service_time.quantile(spec.slo.percentile)
        gives_up_s = spec.profile.queue_timeout_s if spec.profile.queue_timeout_s is not None else FOREVER_S
        in_time = _Adding(trace, spec, (0.0, min(slo.latency_s, gives_up_s), gives_up_s))
        patience_s = max(slo.latency_s - slowest_s, 0.1 * slo.latency_s)
        everything = _Adding(trace, spec, (0.0, min(patience_s, gives_up_s), gives_up_s))
        longest = _Longest(slo.latency_s)
        workload, _ = np.random.SeedSequence(seed).spawn(2)
        count = kept = 0
        for batch in request_batches(trace, spec.profile, workload, plan.settings.arrivals):
            is_in_time = batch.services_ns <= round(slo.latency_s * 1e9)
            count += len(is_in_time)
            kept += int(np.count_nonzero(is_in_time))
            in_time.add(batch.arrivals_ns, np.where(is_in_time, batch.services_ns, 0))
            everything.add(batch.arrivals_ns, batch.services_ns)
            longest.add(batch.services_ns[is_in_time])
        if not count:
            raise ParameterError(f"{trace.name}: optimum needs requests, the run with seed {seed} has none")
        _require_keepable(slo, kept / count)
        mean_service_s = float(in_time.work_ns[0, -1]) / kept / 1e9
        return cls(
            count=count,
            share_in_time=kept / count,
            mean_service_s=mean_service_s,
            in_time=Work.of(in_time, mean_service_s),
            everything=Work.of(everything, mean_service_s),
            missed_at_most=longest.total_s(kept - slo.percentile * count) / mean_service_s,
        )


def _require_keepable(slo: Slo, share_in_time: float) -> None:
    if share_in_time < slo.percentile:
        raise ParameterError(
            f"no fleet can keep {slo}: without any wait {percent(share_in_time)} of the requests are served"
            f" within the bound, and {percent(slo.percentile)} are promised; raise the bound or lower the percentile"
        )


class _Adding:
    """Time in service of the requests that came at least so long before the end of each part, in nanoseconds."""

    def __init__(self, trace: Trace, spec: ServiceSpec, ages_s: tuple[float, ...]) -> None:
        parts = PARTS * max(1, math.ceil(trace.duration_s / spec.control_interval_s))
        self._ends_ns = np.rint(spec.control_interval_s / PARTS * 1e9 * np.arange(1, parts + 1)).astype(np.int64)
        self._ages_ns = [round(age_s * 1e9) for age_s in ages_s]
        self.work_ns = np.zeros((len(ages_s), parts), np.int64)

    def add(self, arrivals_ns: NDArray[np.int64], services_ns: NDArray[np.int64]) -> None:
        so_far_ns = np.concatenate([[0], np.cumsum(services_ns)])
        for row, age_ns in enumerate(self._ages_ns):
            # Who came at the very end of a part has arrived; who came a bound before it is just in time.
            came = np.searchsorted(arrivals_ns, self._ends_ns - age_ns, "left" if age_ns else "right")
            self.work_ns[row] += so_far_ns[came]


class _Longest:
    """The sum of the longest times, from a histogram whose bins are a percent wide; at most that much too large."""

    BINS = 2048

    def __init__(self, most_s: float) -> None:
        self._edges_ns = most_s * 1e9 * 1.01 ** np.arange(1 - self.BINS, 1.0)
        self._counts = np.zeros(self.BINS + 1, np.int64)

    def add(self, times_ns: NDArray[np.int64]) -> None:
        self._counts += np.bincount(np.searchsorted(self._edges_ns, times_ns), minlength=self.BINS + 1)

    def total_s(self, number: float) -> float:
        """The sum of so many of the longest."""
        taken = np.clip(number - np.r_[0, np.cumsum(self._counts[::-1])[:-1]], 0, self._counts[::-1])
        upper_ns = np.r_[self._edges_ns[-1], self._edges_ns[::-1]]
        return float(taken @ upper_ns) / 1e9


def fluid_problem(requests: Requests, spec: ServiceSpec, *, ready_at_start: int) -> FluidProblem:
    """The linear program for a seed's requests."""
    return FluidProblem(
        step_s=spec.control_interval_s,
        arrived=requests.in_time.arrived[PARTS - 1 :: PARTS],
        due=requests.in_time.due[PARTS - 1 :: PARTS],
        served_per_step=spec.profile.slots * spec.control_interval_s / requests.mean_service_s,
        start_s=spec.profile.cold_start.mean_s,
        missed_at_most=requests.missed_at_most,
        initial_replicas=ready_at_start,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
    )


def queue_problem(requests: Requests, spec: ServiceSpec, *, ready_at_start: int) -> QueueProblem:
    """The dynamic program for a seed's requests."""
    return QueueProblem(
        step_s=spec.control_interval_s,
        parts=PARTS,
        arrived=requests.in_time.arrived,
        due=requests.in_time.due,
        gone=requests.in_time.gone,
        served_per_part=spec.profile.slots * spec.control_interval_s / PARTS / requests.mean_service_s,
        start_s=spec.profile.cold_start.mean_s,
        initial_replicas=ready_at_start,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        longest_service_s=spec.slo.latency_s,
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
    whole_s = least_cost_s(problem, missed_at_most=requests.missed_at_most)
    lead_steps = _lead_steps(spec)
    everything = requests.everything
    cautious = replace(
        problem,
        arrived=everything.arrived,
        due=everything.due,
        gone=everything.gone,
        start_s=lead_steps * spec.control_interval_s + _draining_s(spec),
    )

    def whole(spare: float) -> Schedule:
        return cheapest_schedule(cautious, price=PRICE * problem.replica_s_per_request, spare=spare)

    def rounded(spare: float) -> Schedule:
        ready = np.floor(fluid.ready + spare * np.sqrt(fluid.ready) + 0.5).astype(np.int64)
        return np.clip(ready, spec.min_replicas, spec.max_replicas)

    def attempt(schedule: Schedule) -> Outcome:
        return plan.outcome(
            run, Foresight(ready=tuple(schedule.tolist()), lead_steps=lead_steps), with_ticks=with_ticks
        )

    def constant(share: float) -> Schedule:
        replicas = math.ceil(spec.min_replicas + share * (spec.max_replicas - spec.min_replicas))
        return np.full(len(problem.load), replicas)

    most = MOST_SPARE / math.sqrt(spec.profile.slots)
    found = [_cheapest_that_meets(attempt, shape, spec.slo, -most / 3, most) for shape in (whole, rounded)]
    if not any(outcome.scores.meets(spec.slo) for outcome in found):
        found.append(_cheapest_that_meets(attempt, constant, spec.slo, 0.0, 1.0))
    best = min(found, key=lambda outcome: _rank(outcome, spec.slo))
    least_cost = max(fluid.replica_s, whole_s or 0.0) / 3600 * spec.profile.price_per_replica_hour
    return replace(best, least_cost=min(least_cost, best.scores.cost) if best.scores.meets(spec.slo) else least_cost)


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
    attempt: Callable[[Schedule], Outcome],
    shape: Callable[[float], Schedule],
    slo: Slo,
    low: float,
    high: float,
) -> Outcome:
    """Bisection on what is kept spare: with more of it more requests are in time, and more is paid.

    Mostly so: where it ends among the most careful, some bolder ones are looked at, too.
    """
    careful = (low + high) / 2
    bolder = np.linspace(low, careful, BOLDER, endpoint=False).tolist()
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
    tried = [attempt(shape(spare)) for spare in bolder] if high > careful else []
    return min([best, *tried], key=lambda outcome: _rank(outcome, slo))


def _rank(outcome: Outcome, slo: Slo) -> tuple[bool, float]:
    """Those that keep the SLO by what they cost, the others by how much they miss it."""
    scores = outcome.scores
    return (False, scores.cost) if scores.meets(slo) else (True, -scores.slo_attainment)
