"""Which caution keeps the SLO: found on recorded days in the request-level engine, without training again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hindscale.core.service import ServiceSpec
from hindscale.policies import build_policy
from hindscale.scoring import score
from hindscale.simulation.run import simulate
from hindscale.traces.types import RateTrace, RequestTrace

__all__ = ["Calibration", "calibrated"]

BISECTIONS = 5
MARGIN = 0.1
"""Share of the misses that the SLO forgives which are not made use of: other days are never quite the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The caution that was found, and what came of it on the days it was found on.

    Attributes:
        caution: Weight of a missed request.
        slo_attainment: Share of the requests within the SLO.
        cost: Replica hours times price.
        meets_slo: Whether that keeps the SLO; if not, even the most cautious network does not.
    """

    caution: float
    slo_attainment: float
    cost: float
    meets_slo: bool


def calibrated(
    path: str | Path, days: Sequence[tuple[RateTrace | RequestTrace, ServiceSpec]], *, least: float, most: float
) -> Calibration:
    """The smallest caution between two at which a network keeps the SLO on all days together.

    Args:
        path: File with the network.
        days: Traffic to find it on, with its service.
        least: The smallest caution that the network has learned.
        most: The largest.
    """
    best = _tried(path, days, most)
    if not best.meets_slo:
        return best
    low, high = math.log(least), math.log(most)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        tried = _tried(path, days, math.exp(middle))
        if tried.meets_slo:
            high, best = middle, tried
        else:
            low = middle
    return best


def _tried(
    path: str | Path, days: Sequence[tuple[RateTrace | RequestTrace, ServiceSpec]], caution: float
) -> Calibration:
    met = requests = cost = forgiven = 0.0
    for trace, spec in days:
        policy = build_policy("dqn", spec, {"path": str(path), "caution": caution})
        scores = score(simulate(trace, spec, policy, ()))
        requests += scores.requests
        met += scores.slo_attainment * scores.requests
        forgiven += (1 - spec.slo.percentile) * scores.requests
        cost += scores.cost
    is_kept = requests - met <= (1 - MARGIN) * forgiven + 1e-9
    return Calibration(caution=caution, slo_attainment=met / requests, cost=cost, meets_slo=is_kept)
