"""What both AWS policies remember, and how an alarm's action meets cooldowns and warm-up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hindscale.autoscalers._periods import Periods
from hindscale.autoscalers.aws import (
    Activity,
    Alarm,
    Warmup,
    alarm_state,
    complete,
    scale_in_is_blocked,
    scale_out_base,
    track_warmup,
    warming_replicas,
)
from hindscale.autoscalers.aws.alarms import ALARM, INSUFFICIENT_DATA
from hindscale.core.values import Observation

__all__ = [
    "ACTION_INTERVAL_S",
    "AwsState",
    "WatchedAlarm",
    "followed",
    "held_in",
    "out_base",
    "watched",
    "with_activity",
]

ACTION_INTERVAL_S = 60.0
"""While an alarm stays in ALARM, its scaling policy is invoked once a minute."""
_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedAlarm:
    """An alarm's state, and when it last invoked its policy."""

    state: str = INSUFFICIENT_DATA
    acted_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsState:
    """Datapoints, alarms, the latest scaling activity and who is still warming up."""

    periods: Periods = Periods()
    alarms: tuple[WatchedAlarm, ...] = ()
    activity: Activity = Activity()
    warmup: Warmup = Warmup()


def followed(state: AwsState, observation: Observation, *, warmup_s: float | None) -> AwsState:
    """The state with what the fleet did since the last tick."""
    is_settled = observation.starting_replicas + observation.provisioning_replicas == 0
    activity = complete(state.activity, now_s=observation.time_s, is_settled=is_settled)
    warmup = state.warmup
    if warmup_s is not None:
        ready = observation.ready_replicas
        warmup = track_warmup(warmup, ready=ready, now_s=observation.time_s, warmup_s=warmup_s)
    return replace(state, activity=activity, warmup=warmup)


def watched(
    alarm: Alarm, before: WatchedAlarm, datapoints: tuple[float | None, ...], *, now_s: float
) -> tuple[WatchedAlarm, bool]:
    """The alarm after the latest datapoint, and whether it invokes its policy now."""
    # Where datapoints are missing, as many again are looked at, further back.
    latest = datapoints[-2 * alarm.evaluation_periods :]
    state = alarm_state(latest, alarm, previous=before.state)
    if state != ALARM:
        return WatchedAlarm(state=state), False
    acts = before.acted_at_s is None or now_s - before.acted_at_s >= ACTION_INTERVAL_S - _EPSILON_S
    return WatchedAlarm(state=state, acted_at_s=now_s if acts else before.acted_at_s), acts


def out_base(state: AwsState, observation: Observation, *, cooldown_s: float, warmup_s: float | None) -> int:
    """The capacity that scaling out is computed from: without what cooldown or warm-up credits."""
    capacity = observation.requested_replicas
    if warmup_s is None:
        return scale_out_base(state.activity, capacity=capacity, now_s=observation.time_s, cooldown_s=cooldown_s)
    return max(0, capacity - _warming(state, observation))


def held_in(state: AwsState, observation: Observation, *, cooldown_s: float, warmup_s: float | None) -> str:
    """Why nothing may be removed now; empty if it may."""
    if warmup_s is None:
        return scale_in_is_blocked(state.activity, now_s=observation.time_s, cooldown_s=cooldown_s)
    warming = _warming(state, observation)
    return f"{warming} replicas are warming up" if warming else ""


def with_activity(
    state: AwsState, observation: Observation, replicas: int, *, cooldown_s: float, warmup_s: float | None
) -> AwsState:
    """The state once the fleet was asked for another size."""
    capacity = observation.requested_replicas
    if replicas < capacity:
        activity = Activity(direction=-1, base=capacity, completed_at_s=observation.time_s)
    else:
        base = out_base(state, observation, cooldown_s=cooldown_s, warmup_s=warmup_s)
        activity = Activity(direction=1, base=base)
    return replace(state, activity=activity)


def _warming(state: AwsState, observation: Observation) -> int:
    unready = observation.starting_replicas + observation.provisioning_replicas
    return warming_replicas(state.warmup, unready=unready)
