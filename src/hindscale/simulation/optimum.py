"""The cheapest fleet that perfect foresight could have run: a linear program on the fluid model.

**Fluid model.** Time is cut into steps. Requests are a fluid: A(t) of them have arrived by time t. A replica
works off at most c = slots · step / mean service time of them in a step. One that waited as long as the SLO's
latency bound L has missed it. So by the end t of each step, those that arrived before t - L are served or missed:

    A(t - L) <= B(t) <= A(t),        B(t) = served in time + missed, by t

    minimise   step · Σ n  +  start · Σ u              replica seconds paid for
    with       B(t) - B(t - step) - m(t) <= c · n(t)   served in the step: no more than the replicas can
               n(t) - n(t - step) <= u(t)              started
               Σ m <= (1 - p') · A(T)                  missed: no more than the SLO forgives
               low <= n <= high,  u >= 0,  m >= 0

n is the mean number of ready replicas in a step, so that replicas may become ready at any moment, and may be
fractional. p' = p / P(S <= L): requests that are too slow by themselves have to be made up for by the others.

**Why it is a lower bound.** Whatever a policy does, its ready replicas, their starts and what they served are a
solution of this program: it serves no more than its slots can, each start is paid for, and no more is missed than
the SLO forgives. What the model forgives is only ever in the optimum's favour: no randomness within a step, no
queue needs spare slots, replicas come in fractions, draining is free. Mean cold start and mean service time stand
for all of them, so it holds on average.

Source: fluid relaxation of capacity provisioning with switching costs, as in Lin, Wierman, Andrew and Thereska,
"Dynamic right-sizing for power-proportional data centers" (INFOCOM 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import ParameterError, RunError

__all__ = ["FluidOptimum", "FluidProblem", "solve"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluidProblem:
    """What the linear program is made of.

    Attributes:
        step_s: Length of a step; > 0.
        arrived: Requests that have arrived by the end of each step, shape (T,), not falling.
        due: Requests that must be served or missed by then, shape (T,), not falling, at most `arrived`.
        served_per_step: c > 0, requests that one replica can serve in a step.
        start_s: Replica seconds paid for a start, before the replica is ready; >= 0.
        missed_at_most: Requests that the SLO forgives; >= 0.
        initial_replicas: Ready when the run begins, their starts paid for; >= 0.
        min_replicas: low >= 0.
        max_replicas: high.
    """

    step_s: float
    arrived: Floats
    due: Floats
    served_per_step: float
    start_s: float = 0.0
    missed_at_most: float = 0.0
    initial_replicas: float = 0.0
    min_replicas: float = 0.0
    max_replicas: float = np.inf

    def __post_init__(self) -> None:
        require_positive(step_s=self.step_s, served_per_step=self.served_per_step)
        require_nonnegative(
            start_s=self.start_s, missed_at_most=self.missed_at_most, initial_replicas=self.initial_replicas
        )
        if not (self.due <= self.arrived).all():
            raise ParameterError("due must not be above arrived: nothing is late before it came")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FluidOptimum:
    """The cheapest schedule.

    Attributes:
        ready: Ready replicas in each step, shape (T,).
        replica_s: Replica seconds paid for, starts included: no policy pays less.
        missed: Requests missed in each step, shape (T,).
    """

    ready: Floats
    replica_s: float
    missed: Floats


def solve(problem: FluidProblem) -> FluidOptimum:
    """Solve the linear program of this module, by HiGHS's interior point method.

    Raises:
        ParameterError: If there is no schedule within the bounds, with the number of replicas that are missing.
        RunError: If the solver gives up.

    >>> problem = FluidProblem(step_s=15.0, arrived=np.array([30.0, 90.0, 120.0]), due=np.array([30.0, 90.0, 120.0]),
    ...                        served_per_step=15.0, start_s=20.0, initial_replicas=2.0)
    >>> best = solve(problem)  # 30, 60 and 30 requests need 2, 4 and 2 replicas: 8 steps of 15 s, and two starts
    >>> best.ready.round(6).tolist(), round(best.replica_s, 6)
    ([2.0, 4.0, 2.0], 160.0)
    """
    _require_feasible(problem)
    found = _highs(problem)
    steps = len(problem.arrived)
    return FluidOptimum(
        ready=np.clip(found.x[:steps], problem.min_replicas, problem.max_replicas),
        replica_s=float(found.fun),
        missed=np.maximum(found.x[3 * steps :], 0.0) * problem.served_per_step,
    )


def _require_feasible(problem: FluidProblem) -> None:
    """With all replicas there are, all the time, no more than forgiven may be missed.

    The backlog of a fleet that always serves is what every schedule has at least; what is overdue is missed.
    """
    most = problem.max_replicas * problem.served_per_step
    if not np.isfinite(most):
        return
    processed = missed = 0.0
    for arrived, due in zip(problem.arrived.tolist(), problem.due.tolist(), strict=True):
        served = min(arrived, processed + most)
        missed += max(due - served, 0.0)
        processed = max(served, due)
    if missed > problem.missed_at_most * (1 + 1e-9) + 1e-6:
        raise ParameterError(
            f"max_replicas is too low for the SLO: even all {problem.max_replicas:g} replicas all the time miss"
            f" {missed:,.0f} requests, and it forgives {problem.missed_at_most:,.0f}; raise max_replicas or the bound"
        )


def _highs(problem: FluidProblem) -> Any:
    """Variables, T of each: ready replicas n, started ones u, backlog A - B and missed m, the last two in units of c.

    The backlog, not B itself: numbers that only grow would lose the solver its digits.
    """
    from scipy import sparse
    from scipy.optimize import linprog

    steps = len(problem.arrived)
    one = sparse.identity(steps, format="csr")
    change = one - sparse.diags_array([np.ones(steps - 1)], offsets=[-1], format="csr")
    serve = sparse.hstack([-one, sparse.csr_array((steps, steps)), -change, -one])
    start = sparse.hstack([change, -one, sparse.csr_array((steps, 2 * steps))])
    forgive = sparse.csr_array(np.r_[np.zeros(3 * steps), np.ones(steps)][None, :])
    unlimited = np.full(steps, np.inf)
    limits = np.zeros(2 * steps + 1)
    limits[:steps] = -np.diff(problem.arrived, prepend=0.0) / problem.served_per_step
    limits[steps] = problem.initial_replicas
    limits[-1] = problem.missed_at_most / problem.served_per_step
    cost = np.r_[np.full(steps, problem.step_s), np.full(steps, problem.start_s), np.zeros(2 * steps)]
    low = np.r_[np.full(steps, problem.min_replicas), np.zeros(3 * steps)]
    may_wait = (problem.arrived - problem.due) / problem.served_per_step
    high = np.r_[np.full(steps, problem.max_replicas), unlimited, may_wait, unlimited]
    found = linprog(
        cost,
        A_ub=sparse.vstack([serve, start, forgive], format="csr"),
        b_ub=limits,
        bounds=np.column_stack([low, high]),
        method="highs-ipm",
    )
    if not found.success:
        raise RunError(f"the solver found no optimum: {found.message}")
    return found
