"""One pass of the HPA's loop: from the metrics' proposals to the count that is written, and why.

```
bounds or disabled ─▶ proposals ─▶ the largest ─▶ stabilize ─▶ limit ─▶ write, and log the step
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hindscale.autoscalers.hpa.behavior import Recommendation, stored_events
from hindscale.autoscalers.hpa.calculator import Proposal
from hindscale.autoscalers.hpa.limits import limit, limit_with_behavior
from hindscale.autoscalers.hpa.metrics import Failure
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.stabilization import Stabilized, stabilize, stabilize_with_behavior
from hindscale.autoscalers.hpa.values import Condition, Hpa, Memory, Outcome

__all__ = ["best_proposal", "reconcile"]

_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a pass wants to write."""

    replicas: int
    conditions: tuple[Condition, ...] = ()
    able: Condition = Condition(type="AbleToScale", is_true=True, reason="SucceededGetScale")
    proposal: Proposal | None = None
    metric_index: int = -1
    stabilized_reason: str = ""
    error: str = ""


def best_proposal(proposals: Sequence[Proposal | Failure], *, current: int) -> tuple[int, Failure | None]:
    """The index of the largest proposal, the first of equals, or -1 and why there is no scaling.

    If all metrics failed, or any did and the best of the others would scale down, nothing is done, for the
    reason of the first that failed. So one broken metric blocks the way down and never the way up.

    Source: kubernetes `horizontal.go`, computeReplicasForMetrics.

    >>> broken = Failure(reason="FailedGetPodsMetric", message="no such metric")
    >>> best_proposal([Proposal(replicas=3), broken], current=2)[0], best_proposal([Proposal(replicas=1), broken],
    ...     current=2)[0]
    (0, -1)
    """
    best, best_replicas = -1, 0
    first_failure: Failure | None = None
    for index, proposal in enumerate(proposals):
        if isinstance(proposal, Failure):
            first_failure = first_failure or proposal
        elif best_replicas == 0 or proposal.replicas > best_replicas:
            best, best_replicas = index, proposal.replicas
    if first_failure and (best < 0 or best_replicas < current):
        return -1, first_failure
    return best, first_failure


def reconcile(
    hpa: Hpa,
    memory: Memory,
    *,
    current: int,
    proposals: Sequence[Proposal | Failure],
    now_s: float,
    settings: Settings = _DEFAULTS,
    get_scale_error: str = "",
    selector_error: str = "",
    update_error: str = "",
) -> tuple[Outcome, Memory]:
    """One pass of the loop.

    Args:
        hpa: The spec.
        memory: What the controller remembers of this HPA.
        current: Replicas in the scale's spec.
        proposals: What each of the spec's metrics wants, in order; unused where no metrics are read.
        now_s: The time of the pass.
        settings: The controller's.
        get_scale_error: Why the scale subresource cannot be read; empty if it can.
        selector_error: InvalidSelector or AmbiguousSelector; empty if the selector is fine.
        update_error: Why the new count cannot be written; empty if it can.

    Returns:
        What came of it, and what to remember.

    Source: kubernetes `horizontal.go`, reconcileAutoscaler.
    """
    if get_scale_error:
        failed = Condition(type="AbleToScale", is_true=False, reason="FailedGetScale", message=get_scale_error)
        return Outcome(replicas=current, conditions=(failed,), error=get_scale_error), memory
    if not memory.recommendations:
        memory = replace(memory, recommendations=(Recommendation(replicas=current, time_s=now_s),))
    wanted, memory = _wanted(hpa, memory, current, proposals, now_s, settings, selector_error)
    outcome = _written(wanted, current, update_error)
    return outcome, _remembered(hpa, memory, outcome, current, now_s)


def _wanted(
    hpa: Hpa,
    memory: Memory,
    current: int,
    proposals: Sequence[Proposal | Failure],
    now_s: float,
    settings: Settings,
    selector_error: str,
) -> tuple[_Wanted, Memory]:
    """The count to write: out of bounds at once, disabled at zero, else what the metrics want."""
    if _is_disabled(hpa, memory, current, settings):
        disabled = Condition(
            type="ScalingActive",
            is_true=False,
            reason="ScalingDisabled",
            message="scaling is disabled since the replica count of the target is zero",
        )
        return _Wanted(replicas=current, conditions=(disabled,)), memory
    if current > hpa.max_replicas:
        return _Wanted(replicas=hpa.max_replicas), memory
    if current < hpa.min_replicas and current > 0:
        return _Wanted(replicas=hpa.min_replicas), memory
    if selector_error:
        return _held(current, Failure(reason=selector_error, message="the target's selector cannot be used")), memory
    index, failure = best_proposal(proposals, current=current)
    if index < 0:
        assert failure is not None
        return _held(current, failure), memory
    proposal = proposals[index]
    assert isinstance(proposal, Proposal)
    wanted, memory = _normalized(hpa, memory, proposal, current, now_s, settings)
    return replace(wanted, metric_index=index, error=failure.message if failure else ""), memory


def _is_disabled(hpa: Hpa, memory: Memory, current: int, settings: Settings) -> bool:
    if current != 0:
        return False
    if settings.release.keeps_scaled_to_zero and settings.has_scale_to_zero:
        can_return = hpa.min_replicas != 0 or any(not metric.is_of_pods for metric in hpa.metrics)
        return not (memory.is_scaled_to_zero and can_return)
    return hpa.min_replicas != 0


def _held(current: int, failure: Failure) -> _Wanted:
    inactive = Condition(type="ScalingActive", is_true=False, reason=failure.reason, message=failure.message)
    return _Wanted(replicas=current, conditions=(inactive,), error=failure.message)


def _normalized(
    hpa: Hpa, memory: Memory, proposal: Proposal, current: int, now_s: float, settings: Settings
) -> tuple[_Wanted, Memory]:
    desired = max(0, proposal.replicas)  # metrics below 0 want none, and are logged so
    stabilized = _stabilized(hpa, memory, desired, current, now_s, settings)
    if hpa.behavior is None:
        limited = limit(
            stabilized.replicas, current=current, min_replicas=hpa.min_replicas, max_replicas=hpa.max_replicas
        )
    else:
        limited = limit_with_behavior(
            stabilized.replicas,
            current=current,
            min_replicas=hpa.min_replicas,
            max_replicas=hpa.max_replicas,
            behavior=hpa.behavior,
            up_events=memory.up_events,
            down_events=memory.down_events,
            now_s=now_s,
        )
    replicas = limited.replicas
    if current == 0 and settings.release.keeps_scaled_to_zero:
        replicas = max(replicas, hpa.min_replicas)
    conditions = (
        Condition(type="ScalingActive", is_true=True, reason="ValidMetricFound"),
        Condition(type="ScalingLimited", is_true=limited.is_limited, reason=limited.reason),
    )
    able = Condition(type="AbleToScale", is_true=True, reason=stabilized.reason)
    wanted = _Wanted(
        replicas=replicas,
        conditions=conditions,
        able=able,
        proposal=proposal,
        stabilized_reason=stabilized.reason,
    )
    return wanted, replace(memory, recommendations=stabilized.log)


def _stabilized(hpa: Hpa, memory: Memory, desired: int, current: int, now_s: float, settings: Settings) -> Stabilized:
    own_window_s = settings.downscale_stabilization_s
    if hpa.behavior is None:
        return stabilize(desired, memory.recommendations, now_s=now_s, window_s=own_window_s)
    up_window_s = hpa.behavior.scale_up.stabilization_window_s
    down_window_s = hpa.behavior.scale_down.stabilization_window_s
    return stabilize_with_behavior(
        desired,
        memory.recommendations,
        current=current,
        now_s=now_s,
        up_window_s=0.0 if up_window_s is None else up_window_s,
        down_window_s=own_window_s if down_window_s is None else down_window_s,
    )


def _written(wanted: _Wanted, current: int, update_error: str) -> Outcome:
    has_rescaled = wanted.replicas != current and not update_error
    able, error = wanted.able, wanted.error
    if has_rescaled:
        able = Condition(type="AbleToScale", is_true=True, reason="SucceededRescale")
    elif wanted.replicas != current:
        able = Condition(type="AbleToScale", is_true=False, reason="FailedUpdateScale", message=update_error)
        error = update_error
    return Outcome(
        replicas=wanted.replicas if has_rescaled else current,
        has_rescaled=has_rescaled,
        conditions=(able, *wanted.conditions),
        proposal=wanted.proposal,
        metric_index=wanted.metric_index,
        stabilized_reason=wanted.stabilized_reason,
        error=error,
    )


def _remembered(hpa: Hpa, memory: Memory, outcome: Outcome, current: int, now_s: float) -> Memory:
    """The memory after a step was written: the step itself, where there is `behavior`, and whether it led to 0."""
    change = outcome.replicas - current
    if current > 0 or outcome.replicas > 0:
        can_return = hpa.min_replicas == 0 and any(not metric.is_of_pods for metric in hpa.metrics)
        to_zero = current > 0 and outcome.replicas == 0 and can_return
        memory = replace(memory, is_scaled_to_zero=to_zero)
    if hpa.behavior is None or change == 0:
        return memory
    if change > 0:
        events = stored_events(memory.up_events, hpa.behavior.scale_up, change=change, now_s=now_s)
        return replace(memory, up_events=events)
    events = stored_events(memory.down_events, hpa.behavior.scale_down, change=-change, now_s=now_s)
    return replace(memory, down_events=events)
