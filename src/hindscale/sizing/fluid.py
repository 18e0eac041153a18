"""Requests as a fluid: how a backlog grows and is worked off within an interval, and who misses the SLO by it.

One replica works off at most mu = slots / mean service time requests a second. A request that finds a backlog b waits
b / (mu * n). It misses the SLO when it waits longer than what the bound leaves for waiting. Chance within an interval
is left out; `spare_slots` is what keeps it from hurting.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_nonnegative
from hindscale.core.distributions import Distribution
from hindscale.core.slo import Slo

__all__ = ["backlog_after", "patience_s", "share_late", "spare_slots"]

Floats = NDArray[np.float64]
_TINY = 1e-12


def patience_s(slo: Slo, service_time: Distribution) -> float:
    """How long a request may wait: the bound without its own time in service, which is taken at its p90; >= 0.

    >>> from hindscale.core import Constant
    >>> patience_s(Slo(latency_s=2.0), Constant(0.5))
    1.5
    """
    return max(slo.latency_s - service_time.quantile(0.9), 0.0)


def spare_slots(slo: Slo, service_time: Distribution, *, most: float = 100.0) -> float:
    """Slots beyond the load that keep the chance waits of a whole pool within the SLO.

        k = ln(1 / (1 - p)) * s * (1 + cv^2) / (2 w)

    The tail of the wait in M/G/N is C * exp(-2 k w / (s (1 + cv^2))) for k slots to spare; with C <= 1 this k
    suffices, however large the pool. w is the patience, p the SLO's percentile.

    Args:
        slo: What is promised.
        service_time: S, with mean s.
        most: Returned where the bound leaves no time for waiting.

    Source: Allen and Cunneen's approximation of the M/G/N wait, as in `hindscale.sizing.queueing`.

    >>> from hindscale.core import Constant
    >>> round(spare_slots(Slo(latency_s=2.0, percentile=0.99), Constant(0.5)), 3)
    0.768
    """
    patience = patience_s(slo, service_time)
    wanted = math.log(1 / (1 - slo.percentile)) * service_time.mean_s * (1 + service_time.cv**2) / 2
    return min(wanted / patience, most) if patience > 0 else most


def backlog_after(backlog: Floats, arrived: float, served_at_most: Floats, *, at_most: Floats) -> Floats:
    """What waits at the end of an interval: max(b + arrived - served, 0), and no more than impatience leaves.

    >>> backlog_after(np.array([5.0, 5.0]), 10.0, np.array([12.0, 20.0]), at_most=np.array([np.inf, np.inf])).tolist()
    [3.0, 0.0]
    """
    require_nonnegative(arrived=arrived)
    return np.clip(backlog + arrived - served_at_most, 0.0, at_most)


def share_late(wait_before_s: Floats, wait_after_s: Floats, patience: float) -> Floats:
    """Share of an interval's requests that wait longer than they may, the wait going straight from one to the other.

    >>> share_late(np.array([0.0, 2.0, 3.0]), np.array([1.0, 4.0, 0.0]), 1.5).tolist()
    [0.0, 1.0, 0.5]
    """
    low, high = np.minimum(wait_before_s, wait_after_s), np.maximum(wait_before_s, wait_after_s)
    share: Floats = np.clip((high - patience) / np.maximum(high - low, _TINY), 0.0, 1.0)
    return share
