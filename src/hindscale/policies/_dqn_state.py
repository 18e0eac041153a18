"""What the learned policy sees of a service: one vector of features, made from observations and a short memory.

Loads are in replicas (requests per second over what one replica works off) and relative to the fleet, so that a
network that learned on one scale of traffic knows the next one. All memory is exponential: a few numbers, whatever
the interval, that a compiled training loop can keep as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.core.service import ServiceSpec
from hindscale.core.values import Observation

__all__ = ["FEATURES", "LEAD_PARTS", "Memory", "ServiceFigures", "Traffic", "features", "lead_part", "remembered"]

FEATURES = (
    "fleet",  # ln(1 + N), N the replicas asked for, at least 1
    "load_now",  # replicas' worth of requests in the last interval / N
    "load_minute",  # the same, exponential mean over FAST_S
    "load_long",  # the same, over SLOW_S
    "load_peak",  # highest minute's mean of late, forgotten over SLOW_S, / N
    "volatility",  # deviation of the load around its minute's mean, exponential over SLOW_S, / N
    "ready",  # ready replicas / N
    "starting_late",  # starting ones with more than two thirds of the lead time to go / N
    "starting_midway",  # between one and two thirds
    "starting_soon",  # less than a third
    "draining",  # / N
    "backlog",  # ln(1 + time to work off the queue / SLO bound)
    "missed",  # share of the requests of the last interval that missed the SLO
    "day_sin",  # time of day on a circle; 0, 0 where it is not known
    "day_cos",
    "caution",  # ln(weight of a missed request)
    "slots",  # 1 / √(N · slots): what chance adds to the load, by the square root of the fleet
    "lead",  # ln(1 + provisioning and cold start / interval)
    "bound",  # ln(SLO bound / mean service time)
)
FAST_S = 60.0
SLOW_S = 900.0
DAY_S = 86_400.0
LEAD_PARTS = 3
_MOST_ORDERS = 64
_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """What the features need to know of a service.

    Attributes:
        service_rate_rps: Requests per second that one replica works off; > 0.
        slots: Requests that it serves at a time.
        service_s: Mean time in service.
        lead_s: Mean time from an order to a ready replica: provisioning and cold start.
        bound_s: The SLO's bound.
        interval_s: Seconds between two decisions.
        start_of_day_s: Time of day at which the run begins; None where it is not known.
    """

    service_rate_rps: float
    slots: int
    service_s: float
    lead_s: float
    bound_s: float
    interval_s: float
    start_of_day_s: float | None = None

    @classmethod
    def of(cls, spec: ServiceSpec) -> ServiceFigures:
        """The figures of a service."""
        profile, start = spec.profile, spec.start
        return cls(
            service_rate_rps=profile.service_rate_rps,
            slots=profile.slots,
            service_s=profile.service_time.mean_s,
            lead_s=profile.provisioning.mean_s + profile.cold_start.mean_s,
            bound_s=spec.slo.latency_s,
            interval_s=spec.control_interval_s,
            start_of_day_s=None if start is None else start.hour * 3600.0 + start.minute * 60.0 + start.second,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What is remembered of the arrival rate, in requests per second; `variance` in their square."""

    minute_rps: float
    long_rps: float
    peak_rps: float
    variance: float = 0.0

    def after(self, rate_rps: float, interval_s: float) -> Traffic:
        """With one more interval.

        >>> seen = Traffic(minute_rps=10.0, long_rps=10.0, peak_rps=10.0).after(20.0, 15.0)
        >>> round(seen.minute_rps, 3), round(seen.long_rps, 3), round(seen.variance, 3)
        (12.212, 10.165, 1.653)
        """
        fast, slow = 1 - math.exp(-interval_s / FAST_S), 1 - math.exp(-interval_s / SLOW_S)
        minute_rps = self.minute_rps + fast * (rate_rps - self.minute_rps)
        long_rps = self.long_rps + slow * (rate_rps - self.long_rps)
        return Traffic(
            minute_rps=minute_rps,
            long_rps=long_rps,
            peak_rps=max(minute_rps, self.peak_rps + slow * (long_rps - self.peak_rps)),
            # Around the mean before: a rate is no part of what it is compared with.
            variance=self.variance + slow * ((rate_rps - self.minute_rps) ** 2 - self.variance),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the features remember from tick to tick.

    Attributes:
        traffic: The arrival rate; None before the first tick.
        orders: Times and counts of what was ordered and may still be starting, newest first.
        requested: The fleet's size at the last tick.
        seen_at_s: When that was.
    """

    traffic: Traffic | None = None
    orders: tuple[tuple[float, int], ...] = ()
    requested: int = 0
    seen_at_s: float = 0.0

    def load(self, service: ServiceFigures) -> float:
        """The last minute's requests, in replicas that they keep busy; 0 before the first tick."""
        return 0.0 if self.traffic is None else self.traffic.minute_rps / service.service_rate_rps


def remembered(observation: Observation, memory: Memory, interval_s: float) -> Memory:
    """The memory with this tick's observation."""
    rate_rps, requested = observation.arrival_rate_rps, observation.requested_replicas
    if memory.traffic is None:
        traffic = Traffic(minute_rps=rate_rps, long_rps=rate_rps, peak_rps=rate_rps)
        return Memory(traffic=traffic, requested=requested, seen_at_s=observation.time_s)
    orders = memory.orders
    if requested > memory.requested:
        # It was the last tick's decision that grew the fleet, so that is when it was ordered.
        orders = ((memory.seen_at_s, requested - memory.requested), *orders)
    elif requested < memory.requested:
        orders = _without_newest(orders, memory.requested - requested)
    return Memory(
        traffic=memory.traffic.after(rate_rps, interval_s),
        orders=_still_starting(orders, observation.starting_replicas + observation.provisioning_replicas),
        requested=requested,
        seen_at_s=observation.time_s,
    )


def _without_newest(orders: tuple[tuple[float, int], ...], given_up: int) -> tuple[tuple[float, int], ...]:
    """Without what a fleet gives up first when it shrinks: the newest of the starting replicas."""
    kept = []
    for time_s, count in orders:
        kept.append((time_s, max(count - given_up, 0)))
        given_up = max(given_up - count, 0)
    return tuple(order for order in kept if order[1])


def _still_starting(orders: tuple[tuple[float, int], ...], starting: int) -> tuple[tuple[float, int], ...]:
    """The newest orders, as many as there are replicas starting: the oldest become ready first."""
    kept = []
    for time_s, count in orders[:_MOST_ORDERS]:
        if starting <= 0:
            break
        kept.append((time_s, min(count, starting)))
        starting -= count
    return tuple(kept)


def lead_part(age_s: float, lead_s: float) -> int:
    """In which third of its lead time a starting replica of this age is: 0 at first, 2 at the end and after it.

    >>> lead_part(15.0, 60.0), lead_part(30.0, 60.0), lead_part(90.0, 60.0)
    (0, 1, 2)
    """
    return min(int((age_s + _EPSILON_S) * LEAD_PARTS / max(lead_s, _EPSILON_S)), LEAD_PARTS - 1)


def features(observation: Observation, memory: Memory, figures: ServiceFigures, caution: float) -> tuple[float, ...]:
    """The features, in the order of `FEATURES`, of an observation that the memory has already taken in."""
    traffic = memory.traffic
    assert traffic is not None
    fleet = float(max(observation.requested_replicas, 1))
    per_load = 1.0 / (figures.service_rate_rps * fleet)
    parts = _starting_by_part(observation, memory, figures.lead_s)
    met = observation.slo_attainment
    day_sin, day_cos = _time_of_day(observation.time_s, figures.start_of_day_s)
    return (
        math.log1p(fleet),
        observation.arrival_rate_rps * per_load,
        traffic.minute_rps * per_load,
        traffic.long_rps * per_load,
        traffic.peak_rps * per_load,
        math.sqrt(traffic.variance) * per_load,
        observation.ready_replicas / fleet,
        parts[0] / fleet,
        parts[1] / fleet,
        parts[2] / fleet,
        observation.draining_replicas / fleet,
        math.log1p(observation.queued_requests * per_load / figures.bound_s),
        0.0 if math.isnan(met) else 1.0 - met,
        day_sin,
        day_cos,
        math.log(caution),
        1.0 / math.sqrt(fleet * figures.slots),
        math.log1p(figures.lead_s / figures.interval_s),
        math.log(figures.bound_s / figures.service_s),
    )


def _starting_by_part(observation: Observation, memory: Memory, lead_s: float) -> list[int]:
    parts = [0] * LEAD_PARTS
    for time_s, count in memory.orders:
        parts[lead_part(observation.time_s - time_s, lead_s)] += count
    known = sum(parts)
    # Of those that nobody saw ordered nothing is known but that they are older.
    parts[-1] += max(observation.starting_replicas + observation.provisioning_replicas - known, 0)
    return parts


def _time_of_day(time_s: float, start_of_day_s: float | None) -> tuple[float, float]:
    if start_of_day_s is None:
        return 0.0, 0.0
    angle = 2 * math.pi * ((start_of_day_s + time_s) % DAY_S) / DAY_S
    return math.sin(angle), math.cos(angle)
