"""What the last while could have cost at least, had anybody known what would come."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hindscale.core.errors import HindscaleError
from hindscale.live.plan import Plan
from hindscale.simulation.optimum import FluidProblem, solve

__all__ = ["least_cost"]


def least_cost(plan: Plan, arrived: Sequence[float], *, step_s: float) -> float | None:
    """The cost that no policy could have gone below, with any bounds: the fluid model's, in money.

    Args:
        plan: What a replica is, and what was promised.
        arrived: Requests that came in each step.
        step_s: Length of a step.

    Returns:
        None if nothing came, or if no fleet could have kept the SLO.
    """
    total = float(np.sum(arrived))
    if not total:
        return None
    cumulative = np.cumsum(arrived)
    ends_s = step_s * np.arange(1, len(cumulative) + 1)
    # Due at the end of a step is what had come an SLO's bound before; within a step, requests come evenly.
    due = np.interp(ends_s - plan.slo.latency_s, np.r_[0.0, ends_s], np.r_[0.0, cumulative], left=0.0)
    profile = plan.profile
    served_per_step = profile.slots * step_s / profile.service_time.mean_s
    problem = FluidProblem(
        step_s=step_s,
        arrived=cumulative,
        due=np.minimum(due, cumulative),
        served_per_step=served_per_step,
        start_s=profile.cold_start.mean_s,
        missed_at_most=(1.0 - plan.slo.percentile) * total,
        # As many as anybody could use were there already: nobody pays for those starts.
        initial_replicas=total / served_per_step,
    )
    try:
        replica_s = solve(problem).replica_s
    except HindscaleError:
        return None
    return replica_s / 3600 * profile.price_per_replica_hour if math.isfinite(replica_s) else None
