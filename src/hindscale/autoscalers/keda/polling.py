"""What KEDA's operator does at a poll: from 0 to 1, and from any number to 0 (or to idle and back). Pure.

Between 1 and the maximum it does nothing: there a plain HPA scales, which knows neither the polling interval
nor the cooldown.
"""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.core.checks import require_count, require_nonnegative

__all__ = [
    "COOLDOWN_PERIOD_S",
    "POLLING_INTERVAL_S",
    "OperatorSpec",
    "OperatorState",
    "Step",
    "paused_step",
    "poll",
]

POLLING_INTERVAL_S = 30.0
COOLDOWN_PERIOD_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSpec:
    """What a ScaledObject tells the operator.

    Attributes:
        min_replica_count: minReplicaCount; with 0 the workload may fall to 0.
        idle_replica_count: idleReplicaCount, below the minimum: what an idle workload falls to; None for unset.
        cooldown_period_s: cooldownPeriod: the fall waits this long after the last activity, in seconds.
        initial_cooldown_period_s: initialCooldownPeriod: a workload that was never active falls this long after
            it was created, in seconds.
        created_s: When the ScaledObject was created, in seconds.
        fallback_replicas: fallback.replicas; None without a fallback.
        is_paused: The annotation paused.
        paused_replicas: The annotation paused-replicas; None for unset.
        is_scale_in_paused: The annotation paused-scale-in.
        is_scale_out_paused: The annotation paused-scale-out; an inactive workload is still raised to its minimum.
        is_forced: The annotation force-activation: active whatever the triggers say.
    """

    min_replica_count: int = 0
    idle_replica_count: int | None = None
    cooldown_period_s: float = COOLDOWN_PERIOD_S
    initial_cooldown_period_s: float = 0.0
    created_s: float = 0.0
    fallback_replicas: int | None = None
    is_paused: bool = False
    paused_replicas: int | None = None
    is_scale_in_paused: bool = False
    is_scale_out_paused: bool = False
    is_forced: bool = False

    def __post_init__(self) -> None:
        require_count(min_replica_count=self.min_replica_count)
        require_nonnegative(
            cooldown_period_s=self.cooldown_period_s, initial_cooldown_period_s=self.initial_cooldown_period_s
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    """What the ScaledObject's status remembers.

    Attributes:
        last_active_s: When a trigger was last active, in seconds; None for never.
    """

    last_active_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a poll came to.

    Attributes:
        replicas: What is written to the scale; None if nothing is.
        reason: The rule that decided.
        ready: The status of the condition Ready: "True", "False" or "Unknown".
    """

    replicas: int | None
    reason: str
    ready: str = "True"


def poll(
    spec: OperatorSpec,
    state: OperatorState,
    *,
    current: int,
    is_active: bool,
    has_error: bool = False,
    now_s: float,
) -> tuple[Step, OperatorState]:
    """One poll, or one push of an active trigger.

    Args:
        spec: The ScaledObject's settings.
        state: Its status.
        current: Replicas in the scale's spec.
        is_active: Whether any trigger is active, or the formula's value is.
        has_error: Whether any trigger failed.
        now_s: The time, in seconds.

    Returns:
        What is written, and the status afterwards.

    Source: keda `pkg/scaling/executor/scale_scaledobjects.go`, RequestScale.

    >>> poll(OperatorSpec(), OperatorState(), current=0, is_active=True, now_s=30.0)[0].replicas
    1
    >>> poll(OperatorSpec(), OperatorState(last_active_s=0.0), current=7, is_active=False, now_s=301.0)[0].replicas
    0
    """
    if spec.is_paused or spec.paused_replicas is not None:
        return paused_step(spec, current), state
    if is_active or spec.is_forced:
        return _while_active(spec, state, current, now_s, has_error=has_error)
    return _while_inactive(spec, state, current, now_s, has_error=has_error), state


def paused_step(spec: OperatorSpec, current: int) -> Step:
    """A paused ScaledObject holds the number its annotation gives, or the one there is.

    >>> paused_step(OperatorSpec(paused_replicas=4), current=9).replicas
    4
    """
    if spec.paused_replicas is None or spec.paused_replicas == current:
        return Step(replicas=None, reason="paused")
    return Step(replicas=spec.paused_replicas, reason=f"paused at {spec.paused_replicas}")


def _while_active(
    spec: OperatorSpec, state: OperatorState, current: int, now_s: float, *, has_error: bool
) -> tuple[Step, OperatorState]:
    is_idle = spec.idle_replica_count is not None and current < spec.min_replica_count
    if is_idle or current == 0:
        if spec.is_scale_out_paused:
            return Step(replicas=None, reason="scale-out is paused"), state
        replicas = spec.min_replica_count or 1
        return Step(replicas=replicas, reason=f"activated: from {current}"), OperatorState(last_active_s=now_s)
    if has_error:
        return Step(replicas=None, reason="active, PartialTriggerError", ready="Unknown"), state
    return Step(replicas=None, reason="active"), OperatorState(last_active_s=now_s)


def _while_inactive(spec: OperatorSpec, state: OperatorState, current: int, now_s: float, *, has_error: bool) -> Step:
    if has_error and spec.fallback_replicas:
        return Step(replicas=None, reason="a trigger failed, fallback is configured")
    if has_error and spec.fallback_replicas is None:
        return Step(replicas=None, reason="a trigger failed", ready="False")
    idle = spec.idle_replica_count
    if (idle is not None and current > idle) or (current > 0 and spec.min_replica_count == 0):
        return _fall(spec, state, now_s)
    if idle is None and current < spec.min_replica_count:
        # The one step that paused-scale-out does not hold.
        return Step(replicas=spec.min_replica_count, reason=f"minReplicaCount {spec.min_replica_count}")
    return Step(replicas=None, reason="inactive")


def _fall(spec: OperatorSpec, state: OperatorState, now_s: float) -> Step:
    """Down to idle or to the minimum, which is 0 here, once the cooldown is strictly over."""
    if spec.is_scale_in_paused:
        return Step(replicas=None, reason="scale-in is paused")
    if state.last_active_s is None:
        since_s, period_s, name = spec.created_s, spec.initial_cooldown_period_s, "initialCooldownPeriod"
    else:
        since_s, period_s, name = state.last_active_s, spec.cooldown_period_s, "cooldownPeriod"
    if not since_s + period_s < now_s:
        return Step(replicas=None, reason=f"cooling down: {now_s - since_s:g} s of {name} {period_s:g} s")
    replicas = spec.min_replica_count if spec.idle_replica_count is None else spec.idle_replica_count
    return Step(replicas=replicas, reason=f"inactive, {name} {period_s:g} s is over")
