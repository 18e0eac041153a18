"""What the KPA does with a desired number: bounds, initial scale, and the way to zero and back. Pure.

```
desired ─▶ initial scale, bounds ─▶ scale to zero? ─▶ want, applied or only reported
                                                        │
Active ◀── condition ◀── want, ready pods ──────────────┤
Serve / Proxy, number of activators ◀───────────────────┘
```
"""

from __future__ import annotations

from dataclasses import replace

from hindscale.autoscalers.knative.activator import serves_directly
from hindscale.autoscalers.knative.scale_to_zero import handle_scale_to_zero
from hindscale.autoscalers.knative.status import Condition, ReconcilerSpec, ReconcilerState, Scaling

__all__ = [
    "active_condition",
    "active_threshold",
    "apply_bounds",
    "initial_reconciler_state",
    "reconcile",
    "scale",
]


def initial_reconciler_state(ready_pods: int, requested_pods: int, now_s: float) -> ReconcilerState:
    """The status of a fleet that is found: active with ready pods, inactive without any, activating between.

    A fleet of none is served by activators, and so is one whose first pods are on their way.
    """
    if ready_pods:
        return ReconcilerState(condition=Condition.ACTIVE, since_s=now_s)
    if requested_pods:
        return ReconcilerState(condition=Condition.ACTIVATING, since_s=now_s, proxy_since_s=now_s)
    return ReconcilerState(condition=Condition.INACTIVE, since_s=now_s, initialized=True, proxy_since_s=now_s)


def apply_bounds(desired: int, least: int, most: int) -> int:
    """Desired pods within [least, most]; a most of 0 is no limit.

    An initial scale may make `least` the larger one: what is below it is raised to it, what is above falls to `most`.

    >>> apply_bounds(7, 2, 5), apply_bounds(7, 2, 0), apply_bounds(-1, 0, 5)
    (5, 7, 0)
    >>> apply_bounds(1, 5, 2), apply_bounds(7, 5, 2)
    (5, 2)
    """
    if desired < least:
        return least
    return min(desired, most) if most else desired


def scale(
    spec: ReconcilerSpec, state: ReconcilerState, desired: int, *, now_s: float, activator_in_path: bool = True
) -> Scaling:
    """From the autoscaler's decision to what the deployment is set to.

    Args:
        spec: The revision's settings.
        state: Its status.
        desired: The last valid decision; -1 if there was none yet.
        now_s: The time, in seconds.
        activator_in_path: What the probe of the revision's route finds.

    Source: `pkg/reconciler/autoscaling/kpa/scaler.go`.

    >>> scale(ReconcilerSpec(max_scale=4), ReconcilerState(condition=Condition.ACTIVE), 9, now_s=0.0).want
    4
    """
    if desired < 0 and state.condition is not Condition.ACTIVATING:
        return Scaling(want=desired, apply=False, reason="metrics are not yet being collected")
    least, name = spec.effective_min_scale, "min-scale"
    if spec.initial_scale > 1 and not state.initialized and spec.reachable and spec.initial_scale > least:
        least, name = spec.initial_scale, "initial-scale"
    bounded = apply_bounds(desired, least, spec.max_scale)
    if bounded == 0:
        return handle_scale_to_zero(spec, state, now_s=now_s, activator_in_path=activator_in_path)
    if bounded == desired:
        return Scaling(want=bounded, apply=True, reason="")
    bound = f"{name} {least}" if bounded > desired else f"max-scale {spec.max_scale}"
    return Scaling(want=bounded, apply=True, reason=bound)


def active_threshold(spec: ReconcilerSpec, *, initialized: bool) -> int:
    """Ready pods that make a revision active: max(min, initial scale) until they once were, then max(min, 1)."""
    return max(spec.effective_min_scale, 1 if initialized else spec.initial_scale)


def active_condition(spec: ReconcilerSpec, state: ReconcilerState, *, want: int, ready_pods: int) -> Condition:
    """The condition after a pass.

    Args:
        spec: The revision's settings.
        state: Its status before.
        want: What the pass came to; -1 for unknown.
        ready_pods: Pods that are ready.

    Source: `pkg/reconciler/autoscaling/kpa/kpa.go`, computeActiveCondition.

    >>> inactive = ReconcilerState(condition=Condition.INACTIVE, initialized=True)
    >>> [active_condition(ReconcilerSpec(), inactive, want=want, ready_pods=1).value for want in (0, 1, -1)]
    ['Inactive', 'Active', 'Inactive']
    """
    need = active_threshold(spec, initialized=state.initialized)
    if want == 0 or need == 0:
        return Condition.INACTIVE
    if want < 0 and state.condition is Condition.INACTIVE:
        return Condition.INACTIVE
    return Condition.ACTIVE if ready_pods >= need else Condition.ACTIVATING


def reconcile(
    spec: ReconcilerSpec,
    state: ReconcilerState,
    *,
    desired: int,
    excess_burst_capacity: int,
    ready_pods: int,
    now_s: float,
) -> tuple[Scaling, ReconcilerState]:
    """One whole pass: scale, choose the serving mode, update the condition.

    The probe of the route finds the activator once the proxy mode was chosen in an earlier pass.
    """
    scaling = scale(spec, state, desired, now_s=now_s, activator_in_path=state.proxy_since_s is not None)
    is_direct = serves_directly(
        want=scaling.want,
        excess_burst_capacity=excess_burst_capacity,
        is_inactive=state.condition is Condition.INACTIVE,
    )
    proxy_since_s = state.proxy_since_s if state.proxy_since_s is not None else now_s
    condition = active_condition(spec, state, want=scaling.want, ready_pods=ready_pods)
    state = replace(
        state,
        condition=condition,
        since_s=state.since_s if condition is state.condition else now_s,
        initialized=state.initialized or _comes_up(spec, state, ready_pods),
        proxy_since_s=None if is_direct else proxy_since_s,
    )
    return scaling, state


def _comes_up(spec: ReconcilerSpec, state: ReconcilerState, ready_pods: int) -> bool:
    return ready_pods >= active_threshold(spec, initialized=state.initialized)
