"""The environment as one pure JAX function: the fluid model, the features, the shield and the reward, over arrays.

This is `fluid`, `policies._dqn_state` and `policies._dqn_actions` once more, for a compiler that wants arrays of fixed
shapes and no branches. Functions are for one environment; the trainer maps them over many. Tests hold each to its
readable twin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hindscale.policies._dqn_actions import LADDER, Shield
from hindscale.policies._dqn_state import DAY_S, FAST_S, LEAD_PARTS, SLOW_S, ServiceFigures, lead_part
from hindscale.scoring.reward import reward
from hindscale.training.episodes import Course
from hindscale.training.fluid import WAIT_POINTS, FluidService

__all__ = ["Environment", "Fleet", "advance", "features", "in_arrays", "ladder_sizes", "opened", "step"]

_LEAST = 1e-9


class Environment(NamedTuple):
    """What stays the same in one environment; of many environments, with a leading axis."""

    interval_s: Any
    rate_rps: Any
    slots: Any
    service_s: Any
    variability: Any
    strata_s: Any  # (strata,)
    chances: Any  # (strata,)
    bound_s: Any
    is_last: Any  # (steps,): 1 at the step of a start at whose end the replica is ready
    ready_share: Any
    paid_shares: Any  # (steps,)
    lead_parts: Any  # (steps, parts): 1 at the part of the lead time that an order of this age is in
    lead_s: Any
    drain_s: Any
    queue_per_replica: Any
    queue_limit: Any
    timeout_s: Any
    max_utilization: Any
    spare_replicas: Any
    min_replicas: Any
    max_replicas: Any
    requests: Any  # scale of the reward: mean requests in an interval
    replicas: Any  # and mean replicas that the work keeps busy
    churn: Any
    course: Any  # number of the course it runs on
    is_drawn: Any  # 1 where arrivals are drawn around a rate, 0 where they were recorded one by one
    day_s: Any  # time of day at which the course begins; -1 where it is not known


class Fleet(NamedTuple):
    """What changes: the fleet, its queue, and what the policy remembers."""

    ready: Any
    starting: Any  # (steps,), newest first
    draining: Any
    queue: Any
    rate_rps: Any
    minute_rps: Any
    long_rps: Any
    peak_rps: Any
    variance: Any
    missed: Any  # share of the last interval's requests
    position: Any  # number of the next interval of the course
    caution: Any


def in_arrays(
    services: Sequence[FluidService],
    figures: Sequence[ServiceFigures],
    shields: Sequence[Shield],
    courses: Sequence[Course],
    numbers: Sequence[int],
    churn: float,
) -> Environment:
    """Environments side by side, one entry of each sequence for each."""
    steps = max(service.start_steps for service in services)
    rows = [
        _row(*each, steps=steps, churn=churn) for each in zip(services, figures, shields, courses, numbers, strict=True)
    ]
    return Environment(*(jnp.asarray(np.stack(column), jnp.float32) for column in zip(*rows, strict=True)))._replace(
        course=jnp.asarray(numbers, jnp.int32)
    )


def _row(
    service: FluidService,
    figures: ServiceFigures,
    shield: Shield,
    course: Course,
    number: int,
    *,
    steps: int,
    churn: float,
) -> Environment:
    parts = np.zeros((steps, LEAD_PARTS))
    for age in range(steps):
        parts[age, lead_part(age * service.interval_s, figures.lead_s)] = 1
    is_last = np.zeros(steps)
    is_last[service.start_steps - 1] = 1
    return Environment(
        interval_s=service.interval_s,
        rate_rps=service.rate_rps,
        slots=service.slots,
        service_s=service.service_s,
        variability=service.variability,
        strata_s=np.array(service.strata_s),
        chances=np.array(service.chances),
        bound_s=service.bound_s,
        is_last=is_last,
        ready_share=service.ready_share,
        paid_shares=np.pad(np.array(service.paid_shares), (0, steps - service.start_steps)),
        lead_parts=parts,
        lead_s=figures.lead_s,
        drain_s=max(service.drain_s, 1e-6),
        queue_per_replica=service.queue_per_replica,
        queue_limit=service.queue_limit,
        timeout_s=min(service.timeout_s, 1e9),
        max_utilization=shield.max_utilization,
        spare_replicas=shield.spare_replicas,
        min_replicas=shield.min_replicas,
        max_replicas=shield.max_replicas,
        requests=course.scale.requests,
        replicas=course.scale.replicas,
        churn=churn,
        course=number,
        is_drawn=course.is_drawn,
        day_s=-1.0 if figures.start_of_day_s is None else figures.start_of_day_s,
    )


def ladder_sizes(most: int) -> Any:
    """The fleet's size after each step of the ladder, by action and size before it, shape (actions, most + 1)."""
    return jnp.asarray([[step.from_size(size) for size in range(most + 1)] for step in LADDER], jnp.float32)


def requested(fleet: Fleet) -> Any:
    """The size the fleet was last asked for."""
    return fleet.ready + fleet.starting.sum()


def allowed(env: Environment, fleet: Fleet, wanted: Any) -> Any:
    """`Shield.allowed`."""
    load = fleet.minute_rps / env.rate_rps
    needed = jnp.ceil(load / env.max_utilization - 1e-5) + env.spare_replicas
    return jnp.minimum(jnp.maximum(jnp.maximum(wanted, needed), env.min_replicas), env.max_replicas)


def opened(env: Environment, rate_rps: Any, position: Any, replicas: Any, caution: Any) -> Fleet:
    """A fleet at the beginning of an episode, with the rate that it meets taken for what was before."""
    still = jnp.zeros_like(rate_rps)
    return Fleet(
        ready=jnp.clip(replicas, env.min_replicas, env.max_replicas),
        starting=jnp.zeros_like(env.is_last),
        draining=still,
        queue=still,
        rate_rps=rate_rps,
        minute_rps=rate_rps,
        long_rps=rate_rps,
        peak_rps=rate_rps,
        variance=still,
        missed=still,
        position=position,
        caution=caution,
    )


def scaled_to(fleet: Fleet, replicas: Any) -> Fleet:
    """`FluidState.scaled_to`."""
    change = replicas - requested(fleet)
    before = jnp.cumsum(fleet.starting) - fleet.starting
    excess = jnp.maximum(-change, 0.0)
    given_up = jnp.clip(excess - before, 0.0, fleet.starting)
    ended = excess - given_up.sum()
    starting = (fleet.starting - given_up).at[0].add(jnp.maximum(change, 0.0))
    return fleet._replace(ready=fleet.ready - ended, starting=starting, draining=fleet.draining + ended)


def advance(env: Environment, fleet: Fleet, arrived: Any) -> tuple[Fleet, Any, Any]:
    """`fluid.advance`, and what the policy remembers of it; the requests that missed and the replicas paid for."""
    due = (fleet.starting * env.is_last).sum()
    serving = fleet.ready + due * env.ready_share
    rate_rps = jnp.maximum(env.rate_rps * serving, _LEAST)
    served = jnp.minimum(fleet.queue + arrived, rate_rps * env.interval_s)
    waiting = fleet.queue + arrived - served
    room = env.queue_limit + env.queue_per_replica * serving
    queue = jnp.minimum(jnp.minimum(waiting, room), rate_rps * env.timeout_s)
    arrival_rate_rps = arrived / env.interval_s
    share = _share_met(env, serving, arrival_rate_rps, fleet.queue / rate_rps, queue / rate_rps)
    missed = arrived - jnp.maximum(arrived - (waiting - queue), 0.0) * share
    kept = jnp.exp(-env.interval_s / env.drain_s)
    drained = fleet.draining * env.drain_s / env.interval_s * (1 - kept)
    paid = fleet.ready + (fleet.starting * env.paid_shares).sum() + drained
    moved = jnp.concatenate([jnp.zeros(1), (fleet.starting * (1 - env.is_last))[:-1]])
    after = fleet._replace(
        ready=fleet.ready + due,
        starting=moved,
        draining=fleet.draining * kept,
        queue=queue,
        missed=missed / jnp.maximum(arrived, _LEAST),
        position=fleet.position + 1,
    )
    return _remembered(env, after, arrival_rate_rps), missed, paid


def _share_met(env: Environment, serving: Any, arrival_rate_rps: Any, first_wait_s: Any, last_wait_s: Any) -> Any:
    slots, rate_rps = env.slots * serving, jnp.maximum(env.rate_rps * serving, _LEAST)
    spare = jnp.maximum(1 - arrival_rate_rps / rate_rps, 0.0)
    beta = spare * jnp.sqrt(slots)
    normal = jnp.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    waits = 1 / (1 + beta * jax.scipy.special.ndtr(beta) / jnp.maximum(normal, 1e-30))
    strayed_s = jnp.sqrt(arrival_rate_rps * env.interval_s * env.variability) / rate_rps
    decay = 2 * rate_rps * spare / env.variability + 1 / jnp.maximum(strayed_s, 1e-6)
    left_s = env.bound_s - first_wait_s - jnp.array(WAIT_POINTS) * (last_wait_s - first_wait_s)
    over_s = left_s[:, None] - env.strata_s
    within = env.chances * (1 - waits * jnp.exp(-decay * jnp.maximum(over_s, 0.0)))
    return jnp.where(over_s >= 0, within, 0.0).sum() / len(WAIT_POINTS)


def _remembered(env: Environment, fleet: Fleet, rate_rps: Any) -> Fleet:
    """`Traffic.after`."""
    fast, slow = 1 - jnp.exp(-env.interval_s / FAST_S), 1 - jnp.exp(-env.interval_s / SLOW_S)
    minute_rps = fleet.minute_rps + fast * (rate_rps - fleet.minute_rps)
    long_rps = fleet.long_rps + slow * (rate_rps - fleet.long_rps)
    return fleet._replace(
        rate_rps=rate_rps,
        minute_rps=minute_rps,
        long_rps=long_rps,
        peak_rps=jnp.maximum(minute_rps, fleet.peak_rps + slow * (long_rps - fleet.peak_rps)),
        variance=fleet.variance + slow * ((rate_rps - fleet.minute_rps) ** 2 - fleet.variance),
    )


def features(env: Environment, fleet: Fleet) -> Any:
    """`policies._dqn_state.features`, shape (features,)."""
    size = jnp.maximum(requested(fleet), 1.0)
    per_load = 1 / (env.rate_rps * size)
    parts = fleet.starting @ env.lead_parts / size
    angle = 2 * math.pi * ((env.day_s + fleet.position * env.interval_s) % DAY_S) / DAY_S
    is_known = env.day_s >= 0
    return jnp.stack(
        [
            jnp.log1p(size),
            fleet.rate_rps * per_load,
            fleet.minute_rps * per_load,
            fleet.long_rps * per_load,
            fleet.peak_rps * per_load,
            jnp.sqrt(fleet.variance) * per_load,
            fleet.ready / size,
            parts[0],
            parts[1],
            parts[2],
            jnp.round(fleet.draining) / size,
            jnp.log1p(fleet.queue * per_load / env.bound_s),
            fleet.missed,
            jnp.where(is_known, jnp.sin(angle), 0.0),
            jnp.where(is_known, jnp.cos(angle), 0.0),
            jnp.log(fleet.caution),
            1 / jnp.sqrt(size * env.slots),
            jnp.log1p(env.lead_s / env.interval_s),
            jnp.log(env.bound_s / env.service_s),
        ]
    )


def step(env: Environment, fleet: Fleet, action: Any, arrived: Any, sizes: Any) -> tuple[Fleet, Any, Any, Any]:
    """A decision and the interval after it: the fleet, the reward, requests missed, replicas paid for.

    Args:
        env: What stays the same.
        fleet: The fleet at a control tick.
        action: Number of the ladder's step.
        arrived: Requests in the interval that follows.
        sizes: From `ladder_sizes`.
    """
    before = requested(fleet)
    wanted = sizes[action, jnp.minimum(before, sizes.shape[1] - 1).astype(jnp.int32)]
    target = allowed(env, fleet, wanted)
    after, missed, paid = advance(env, scaled_to(fleet, target), arrived)
    work = arrived / (env.rate_rps * env.interval_s)
    worth = reward(
        missed / env.requests,
        (paid - work) / env.replicas,
        jnp.abs(target - before) / env.replicas,
        caution=fleet.caution,
        churn=env.churn,
    )
    return after, worth, missed, paid
