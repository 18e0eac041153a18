"""How much one replica can take within an SLO, from queueing theory.

A replica with c slots is taken for an M/G/c queue: Poisson arrivals, its own service times, c servers.
Waiting follows Erlang C, corrected for the variation of service times (Allen and Cunneen 1978): the
probability of waiting is that of M/M/c, and the tail of the wait is exponential with the mean scaled by
(1 + cv^2) / 2. Exact for M/M/c; for M/D/1 at moderate load within a few percent.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import cast

from hindscale.core.checks import require_at_least, require_nonnegative, require_positive
from hindscale.core.distributions import Distribution
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceProfile
from hindscale.core.slo import Slo
from hindscale.core.units import format_duration

__all__ = ["capacity_rps", "erlang_c", "share_within"]

_STRATA = 200
_BISECTIONS = 40


def erlang_c(servers: int, offered_load: float) -> float:
    """Probability that a request waits in M/M/c.

    C(c, a) = B / (1 - rho * (1 - B)) with rho = a / c and Erlang B by its recursion
    B_0 = 1, B_k = a B_{k-1} / (k + a B_{k-1}).

    Args:
        servers: c >= 1.
        offered_load: a = arrival rate * mean service time, in erlangs; >= 0. From a >= c on, all wait.

    Source: Erlang (1917); the recursion as in Cooper, Introduction to Queueing Theory (1981).

    >>> round(erlang_c(1, 0.5), 6), round(erlang_c(4, 3.2), 6), erlang_c(2, 2.0)
    (0.5, 0.596432, 1.0)
    """
    require_at_least(1, servers=servers)
    require_nonnegative(offered_load=offered_load)
    if offered_load >= servers:
        return 1.0
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = offered_load * blocked / (server + offered_load * blocked)
    return blocked / (1 - offered_load / servers * (1 - blocked))


def share_within(bound_s: float, rate_rps: float, slots: int, service_time: Distribution) -> float:
    """Share of requests that one replica answers within a bound, waiting included.

    P(W + S <= b) = E[P(W <= b - S)], the expectation over equally likely strata of the service time,
    with P(W > x) = C * exp(-2 (c / s - rate) x / (1 + cv^2)) for mean service time s.

    Args:
        bound_s: b > 0.
        rate_rps: Arrivals per second at this replica; >= 0.
        slots: c, requests served at a time.
        service_time: S.

    Returns:
        A share in [0, 1]; 0 when the replica cannot keep up.
    """
    require_positive(bound_s=bound_s)
    require_nonnegative(rate_rps=rate_rps)
    return _share_within(bound_s, rate_rps, slots, service_time.mean_s, service_time.cv, _strata(service_time))


def _strata(service_time: Distribution) -> tuple[float, ...]:
    return tuple(service_time.quantile((i + 0.5) / _STRATA) for i in range(_STRATA))


def _share_within(
    bound_s: float, rate_rps: float, slots: int, mean_s: float, cv: float, strata: tuple[float, ...]
) -> float:
    spare_rps = slots / mean_s - rate_rps
    if spare_rps <= 0:
        return 0.0
    waits = erlang_c(slots, rate_rps * mean_s)
    decay = 2 * spare_rps / (1 + cv * cv)
    within = [1 - waits * math.exp(-decay * (bound_s - service)) for service in strata if service <= bound_s]
    return math.fsum(within) / len(strata)


@lru_cache(maxsize=256)
def _capacity(slots: int, hashable: Hashable, slo: Slo) -> float:
    service_time = cast("Distribution", hashable)  # every distribution is a frozen value
    strata = _strata(service_time)
    mean_s, cv = service_time.mean_s, service_time.cv
    low, high = 0.0, slots / mean_s
    if _share_within(slo.latency_s, 0.0, slots, mean_s, cv, strata) < slo.percentile:
        slow = format_duration(service_time.quantile(slo.percentile))
        raise ParameterError(
            f"slo {slo} cannot be met by any fleet: the service time alone reaches {slow} at"
            f" p{slo.percentile * 100:g}; raise the bound or lower the percentile"
        )
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _share_within(slo.latency_s, middle, slots, mean_s, cv, strata) >= slo.percentile:
            low = middle
        else:
            high = middle
    return low


def capacity_rps(profile: ServiceProfile, slo: Slo) -> float:
    """C: requests per second that one replica sustains within the SLO, by bisection on `share_within`.

    Raises:
        ParameterError: If the service time alone breaks the SLO: no fleet is large enough.

    >>> from hindscale.core import Constant, ServiceProfile, Slo
    >>> profile = ServiceProfile(slots=4, service_time=Constant(0.5))
    >>> round(capacity_rps(profile, Slo.parse("p99 < 1s")), 2), profile.service_rate_rps
    (4.7, 8.0)
    """
    return _capacity(profile.slots, cast("Hashable", profile.service_time), slo)
