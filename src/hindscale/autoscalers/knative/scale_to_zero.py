"""When the last pod goes: what becomes of a wish for none, by the revision's condition. Pure.

An active revision is first marked inactive, which puts the activator in the path, and its pods go when it has
been there for the grace period.
"""

from __future__ import annotations

from hindscale.autoscalers.knative.activator import SCALE_UNKNOWN
from hindscale.autoscalers.knative.status import Condition, ReconcilerSpec, ReconcilerState, Scaling

__all__ = ["ACTIVATION_TIMEOUT_BUFFER_S", "handle_scale_to_zero"]

ACTIVATION_TIMEOUT_BUFFER_S = 30.0


def handle_scale_to_zero(
    spec: ReconcilerSpec, state: ReconcilerState, *, now_s: float, activator_in_path: bool = True
) -> Scaling:
    """What becomes of a wish for zero pods, by the revision's condition.

    Source: `pkg/reconciler/autoscaling/kpa/scaler.go`, handleScaleToZero.

    >>> active = ReconcilerState(condition=Condition.ACTIVE, since_s=0.0)
    >>> handle_scale_to_zero(ReconcilerSpec(), active, now_s=59.0).want
    1
    >>> handle_scale_to_zero(ReconcilerSpec(), active, now_s=60.0).apply
    False
    """
    if not spec.enable_scale_to_zero:
        return Scaling(want=1, apply=True, reason="scale to zero is disabled")
    for_s = now_s - state.since_s
    if state.condition is Condition.ACTIVATING:
        return _zero_while_activating(spec, for_s)
    if state.condition is Condition.ACTIVE:
        return _zero_while_active(spec, for_s)
    return _zero_while_inactive(spec, state, for_s, now_s, activator_in_path=activator_in_path)


def _zero_while_activating(spec: ReconcilerSpec, for_s: float) -> Scaling:
    timeout_s = spec.progress_deadline_s + ACTIVATION_TIMEOUT_BUFFER_S
    if for_s > timeout_s:
        return Scaling(want=0, apply=True, reason=f"activation has timed out after {timeout_s:g} s")
    return Scaling(want=SCALE_UNKNOWN, apply=False, reason="still activating", again_in_s=timeout_s)


def _zero_while_active(spec: ReconcilerSpec, for_s: float) -> Scaling:
    if for_s >= spec.stable_window_s:
        return Scaling(want=0, apply=False, reason="no traffic: marked inactive, pods stay for the grace period")
    rest_s = spec.stable_window_s - for_s
    return Scaling(
        want=1, apply=True, reason=f"active for {for_s:g} s, 1 pod until {rest_s:g} s later", again_in_s=rest_s
    )


def _zero_while_inactive(
    spec: ReconcilerSpec, state: ReconcilerState, for_s: float, now_s: float, *, activator_in_path: bool
) -> Scaling:
    if spec.target_burst_capacity != -1 and not activator_in_path:
        return Scaling(want=0, apply=False, reason="the activator is not in the path yet", again_in_s=1.0)
    grace_s, retention_s = spec.scale_to_zero_grace_period_s, spec.scale_to_zero_pod_retention_period_s
    if for_s >= max(grace_s, retention_s):
        return Scaling(want=0, apply=True, reason=f"inactive for {for_s:g} s")
    if for_s < retention_s:
        rest_s = retention_s - for_s
        return Scaling(want=0, apply=False, reason="last pod is retained", again_in_s=rest_s)
    proxied_s = 0.0 if state.proxy_since_s is None else now_s - state.proxy_since_s
    if proxied_s >= grace_s:
        return Scaling(want=0, apply=True, reason=f"in proxy mode for {proxied_s:g} s")
    return Scaling(want=0, apply=False, reason="within the grace period", again_in_s=grace_s - proxied_s)
