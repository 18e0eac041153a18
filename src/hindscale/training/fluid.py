"""A service as a fluid: one control interval is one step of arithmetic. The model that training runs on.

A request-level day takes a second; training needs a thousand days. So requests become a fluid that replicas work off
at their service rate, in intervals as long as the control loop's:

    served  = min(queue + arrived, c · interval)      c: the rate of replicas that are ready, or become ready on the way
    queue'  = queue + arrived - served, bounded       what exceeds the bound leaves unserved, and is counted

A request meets the SLO when the fluid ahead of it, its chance of finding all slots busy, and its own time in service
together stay within the bound:

    P(met) = E[1 - W exp(-d (x - S)); S <= x]         x: the bound less the time to work off the fluid ahead

W is the probability of waiting in M/M/m by Halfin and Whitt's square-root formula, with m slots in all: as long as one
is free, a balancer that looks finds it. d is the decay of the wait by Allen and Cunneen, held above what an interval
is long enough to build up. S is cut into strata of equal chance.

Replicas are ordered, start, serve and drain as in the simulation, with means in the place of distributions. A test
holds this model to the request-level engine on the same trace: cost within 2 %, attainment within a point.

Source: Halfin and Whitt, "Heavy-traffic limits for queues with many exponential servers" (1981); Allen,
"Probability, Statistics and Queueing Theory" (1990), for the Allen-Cunneen approximation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.core.service import Balancer, ServiceProfile, ServiceSpec

__all__ = ["STRATA", "WAIT_POINTS", "Flow", "FluidService", "FluidState", "advance", "share_met"]

STRATA = ((0.0, 0.9, 10), (0.9, 0.99, 6), (0.99, 1.0, 4))
"""Strata of the time in service, finer in the tail that SLOs are about: from, to, how many of equal chance."""
WAIT_POINTS = (0.125, 0.375, 0.625, 0.875)
"""Where in the interval a request's wait is looked at: it changes from beginning to end."""
LONGEST_QUEUE_S = 600.0
"""Where a profile bounds no queue, this one does: so much work for all replicas there may be."""
_EPSILON_S = 1e-6
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidService:
    """A service's figures, as the fluid needs them.

    Attributes:
        interval_s: Length of a step.
        rate_rps: Requests per second that one replica works off.
        slots: Requests that it serves at a time.
        service_s: Mean time in service.
        variability: 1 + cv² of the time in service.
        strata_s: Times in service at the middles of `STRATA`.
        chances: Their chances, which add up to 1.
        bound_s: The SLO's bound.
        start_steps: Steps from an order to readiness, the last one begun counted; >= 1.
        ready_share: Share of the last of them in which the replica is ready already.
        paid_shares: Share of each step of a start that is paid for: all but the wait for a node.
        drain_s: Mean time that a replica takes to drain.
        queue_per_replica: Requests that may wait for each replica that serves.
        queue_limit: Requests that may wait besides.
        timeout_s: Nobody waits longer; inf for no bound.
    """

    interval_s: float
    rate_rps: float
    slots: int
    service_s: float
    variability: float
    strata_s: tuple[float, ...]
    chances: tuple[float, ...]
    bound_s: float
    start_steps: int
    ready_share: float
    paid_shares: tuple[float, ...]
    drain_s: float
    queue_per_replica: float
    queue_limit: float
    timeout_s: float

    @classmethod
    def of(cls, spec: ServiceSpec) -> FluidService:
        """The fluid of a service."""
        profile, interval_s = spec.profile, spec.control_interval_s
        wait_s = profile.provisioning.mean_s
        lead_s = wait_s + profile.cold_start.mean_s
        steps = max(1, math.ceil(lead_s / interval_s - _EPSILON_S))
        service = profile.service_time
        per_replica, in_all = _queue_limits(spec)
        return cls(
            interval_s=interval_s,
            rate_rps=profile.service_rate_rps,
            slots=profile.slots,
            service_s=service.mean_s,
            variability=1 + service.cv**2,
            strata_s=tuple(service.quantile(middle) for middle, _ in _strata()),
            chances=tuple(chance for _, chance in _strata()),
            bound_s=spec.slo.latency_s,
            start_steps=steps,
            ready_share=steps - lead_s / interval_s,
            paid_shares=tuple(min(max(step + 1 - wait_s / interval_s, 0.0), 1.0) for step in range(steps)),
            drain_s=_drain_s(profile),
            queue_per_replica=per_replica,
            queue_limit=in_all,
            timeout_s=math.inf if profile.queue_timeout_s is None else profile.queue_timeout_s,
        )


def _strata() -> list[tuple[float, float]]:
    """Middle and chance of each stratum."""
    return [
        (low + (high - low) * (part + 0.5) / parts, (high - low) / parts)
        for low, high, parts in STRATA
        for part in range(parts)
    ]


def _drain_s(profile: ServiceProfile) -> float:
    """The longest of the remaining times of half the slots, as if they were exponential: mean · H_k.

    The balancer's least busy replicas are the ones that are given up.
    """
    service = profile.service_time
    remaining_s = service.mean_s * (1 + service.cv**2) / 2
    drain_s = remaining_s * math.fsum(1 / k for k in range(1, (profile.slots + 1) // 2 + 1))
    return drain_s if profile.drain_timeout_s is None else min(drain_s, profile.drain_timeout_s)


def _queue_limits(spec: ServiceSpec) -> tuple[float, float]:
    """Requests that may wait for each replica that serves, and besides those in all."""
    profile = spec.profile
    longest = LONGEST_QUEUE_S * profile.service_rate_rps * spec.max_replicas
    at_gateway = longest if profile.gateway_queue_limit is None else float(profile.gateway_queue_limit)
    if profile.balancer is Balancer.CENTRAL_QUEUE:
        return 0.0, at_gateway
    if profile.replica_queue_limit is None:
        return 0.0, longest
    return float(profile.replica_queue_limit), at_gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidState:
    """The fleet and its queue between two steps.

    Attributes:
        ready: Replicas able to serve.
        starting: Replicas on their way, by the steps since they were ordered, newest first, one entry a step.
        draining: Replicas that finish what they have.
        queue: Requests that wait.
    """

    ready: int
    starting: tuple[int, ...]
    draining: float = 0.0
    queue: float = 0.0

    @property
    def requested(self) -> int:
        """The size the fleet was last asked for."""
        return self.ready + sum(self.starting)

    def scaled_to(self, replicas: int) -> FluidState:
        """With what is missing ordered, or with what is too much given up: the newest starting ones first."""
        change = replicas - self.requested
        if change >= 0:
            return replace(self, starting=(self.starting[0] + change, *self.starting[1:]))
        starting, excess = [], -change
        for count in self.starting:
            given_up = min(count, excess)
            starting.append(count - given_up)
            excess -= given_up
        return replace(self, ready=self.ready - excess, starting=tuple(starting), draining=self.draining + excess)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What went through a service in one step.

    Attributes:
        arrived: Requests that came.
        served: Requests that were worked off.
        dropped: Requests that left unserved: no room, or no patience.
        met: Of those that came, how many meet the SLO.
        paid_replica_s: Replica seconds paid for.
        serving_replica_s: Replica seconds of ready and draining replicas.
    """

    arrived: float
    served: float
    dropped: float
    met: float
    paid_replica_s: float
    serving_replica_s: float


def advance(service: FluidService, state: FluidState, arrived: float) -> tuple[FluidState, Flow]:
    """Let one interval pass in which so many requests arrive."""
    interval_s, due = service.interval_s, state.starting[-1]
    serving = state.ready + due * service.ready_share
    # Without a replica the fluid stands still: so slow that every wait is too long, and still a number.
    rate_rps = max(service.rate_rps * serving, _LEAST)
    served = min(state.queue + arrived, rate_rps * interval_s)
    waiting = state.queue + arrived - served
    room = service.queue_limit + service.queue_per_replica * serving
    queue = min(waiting, room, rate_rps * service.timeout_s)
    dropped = waiting - queue
    share = share_met(service, serving, arrived / interval_s, state.queue / rate_rps, queue / rate_rps)
    drained_s = state.draining * service.drain_s * (1 - math.exp(-interval_s / max(service.drain_s, _EPSILON_S)))
    started_s = interval_s * sum(n * paid for n, paid in zip(state.starting, service.paid_shares, strict=True))
    flow = Flow(
        arrived=arrived,
        served=served,
        dropped=dropped,
        met=max(arrived - dropped, 0.0) * share,
        paid_replica_s=interval_s * state.ready + started_s + drained_s,
        serving_replica_s=interval_s * serving + drained_s,
    )
    after = FluidState(
        ready=state.ready + due,
        starting=(0, *state.starting[:-1]),
        draining=state.draining * math.exp(-interval_s / max(service.drain_s, _EPSILON_S)),
        queue=queue,
    )
    return after, flow


def share_met(
    service: FluidService, serving: float, arrival_rate_rps: float, first_wait_s: float, last_wait_s: float
) -> float:
    """Share of an interval's requests that meet the SLO.

    Args:
        service: The service.
        serving: Replicas that serve, mean over the interval.
        arrival_rate_rps: Requests per second.
        first_wait_s: Time to work off the fluid ahead of those that come first.
        last_wait_s: The same for those that come last.
    """
    waits, decay = _chance_of_waiting(service, serving, arrival_rate_rps)
    met = 0.0
    for point in WAIT_POINTS:
        left_s = service.bound_s - first_wait_s - point * (last_wait_s - first_wait_s)
        met += math.fsum(
            chance * (1 - waits * math.exp(-decay * (left_s - s)))
            for s, chance in zip(service.strata_s, service.chances, strict=True)
            if s <= left_s
        )
    return met / len(WAIT_POINTS)


def _chance_of_waiting(service: FluidService, serving: float, arrival_rate_rps: float) -> tuple[float, float]:
    """W, the chance to find all slots busy, and d, how fast the wait's tail decays, per second."""
    slots, rate_rps = service.slots * serving, service.rate_rps * serving
    if slots <= 0:
        return 1.0, _LEAST
    spare = 1 - arrival_rate_rps / rate_rps
    beta = max(spare, 0.0) * math.sqrt(slots)
    normal = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    waits = 1 / (1 + beta * (0.5 * (1 + math.erf(beta / math.sqrt(2)))) / normal)
    # A queue that would take hours to reach its mean does not get there in an interval: by then it is as long as
    # the arrivals have strayed from theirs.
    strayed_s = math.sqrt(arrival_rate_rps * service.interval_s * service.variability) / rate_rps
    steady = 2 * rate_rps * max(spare, 0.0) / service.variability
    return waits, steady + 1 / max(strayed_s, _LEAST)
