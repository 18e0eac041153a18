"""What the HPA gets for its queries, and how active a ScaledObject is: from measured values, failures, a formula.

```
measured ─▶ failures, fallback ─▶ formula? ─▶ milli values ─▶ the HPA's queries
        └─▶ activation values ─▶ active? ───────────────────▶ the operator's poll
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hindscale.autoscalers.hpa.metrics import TargetType
from hindscale.autoscalers.keda.fallback import (
    Fallback,
    FallbackBehavior,
    failures_after,
    fallback_milli,
    fallback_replicas,
    is_falling_back,
)
from hindscale.autoscalers.keda.formula import composite_milli
from hindscale.autoscalers.keda.modifiers import COMPOSITE, ScalingModifiers
from hindscale.autoscalers.keda.scaled_object import ScaledObject
from hindscale.autoscalers.keda.triggers import Trigger
from hindscale.autoscalers.keda.values import is_active, is_any_active, metric_name, milli_as_float
from hindscale.core.errors import MetricsUnavailable

__all__ = ["Query", "query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What one round of asking all scalers came to.

    Attributes:
        milli: By name of the HPA's external metric: its value in milli units, or the error it gets.
        is_active: Whether the ScaledObject is active.
        has_error: Whether any scaler failed.
        failures: Failures in a row of each trigger, to be handed in again.
    """

    milli: Mapping[str, int | str]
    is_active: bool
    has_error: bool
    failures: tuple[int, ...]


def query(
    scaled: ScaledObject,
    values: Sequence[float | None],
    *,
    failures: Sequence[int],
    current: int,
    ready_replicas: int,
    active: Sequence[bool] | None = None,
) -> Query:
    """Ask all scalers once: for a poll, or for the HPA.

    Args:
        scaled: The ScaledObject.
        values: What each trigger measured; None for one that failed. Those of cpu and memory are not looked at.
        failures: Failures in a row of each trigger before.
        current: Replicas in the scale's spec.
        ready_replicas: Replicas that are ready.
        active: What external scalers answer to IsActive, by trigger; by default value > activation value.

    Source: keda `pkg/scaling/scale_handler.go`, `pkg/fallback/fallback.go`, `pkg/scaling/modifiers`.
    """
    triggers = scaled.triggers
    after = tuple(
        failures_after(count, has_failed=value is None and not trigger.is_resource)
        for trigger, value, count in zip(triggers, values, failures, strict=True)
    )
    external = [trigger for trigger in triggers if not trigger.is_resource]
    fallback = _valid_fallback(scaled)
    falling_back = {trigger.index for trigger in external if is_falling_back(fallback, after[trigger.index])}
    # A trigger in fallback has a value, so it is no error any more.
    has_error = any(values[trigger.index] is None for trigger in external if trigger.index not in falling_back)
    milli = {
        metric_name(trigger.index, trigger.type): _milli(
            scaled, trigger, values[trigger.index], current, ready_replicas, is_fallback=trigger.index in falling_back
        )
        for trigger in external
    }
    if scaled.modifiers is not None:
        composite = _composite(scaled, scaled.modifiers, values, milli, falling_back, current, ready_replicas)
        is_on = (
            not has_error
            and isinstance(composite, int)
            and is_active(milli_as_float(composite), scaled.modifiers.activation_target)
        )
        return Query(milli={COMPOSITE: composite}, is_active=is_on, has_error=has_error, failures=after)
    answers = [
        trigger.index in falling_back or _is_active(trigger, values[trigger.index], active) for trigger in external
    ]
    is_on = is_any_active(answers, has_error=has_error, only_resources=scaled.has_only_resources)
    return Query(milli=milli, is_active=is_on, has_error=has_error, failures=after)


def _valid_fallback(scaled: ScaledObject) -> Fallback | None:
    """The fallback, if it is used: with a formula only where the composite's target is a whole number."""
    has_whole_target = scaled.modifiers is None or scaled.modifiers.target_milli % 1000 == 0
    return scaled.fallback if has_whole_target else None


def _named(scaled: ScaledObject, values: Sequence[float | None]) -> dict[str, float | None]:
    """What a formula is computed with: the values as they are reported, in whole milli units."""
    named: dict[str, float | None] = {}
    for trigger in scaled.triggers:
        if trigger.name:
            value = values[trigger.index]
            named[trigger.name] = None if value is None else milli_as_float(trigger.milli(value))
    return named


def _is_active(trigger: Trigger, value: float | None, active: Sequence[bool] | None) -> bool:
    if value is None:
        return False
    if active is not None:
        return active[trigger.index]
    return is_active(value, trigger.activation)


def _milli(
    scaled: ScaledObject,
    trigger: Trigger,
    value: float | None,
    current: int,
    ready_replicas: int,
    *,
    is_fallback: bool,
) -> int | str:
    """One trigger's value in milli units, faked in fallback; or the error."""
    if value is not None:
        return trigger.milli(value)
    failed = f"error getting metric of trigger {trigger.label}"
    if not is_fallback or scaled.fallback is None or trigger.target_milli is None:
        return failed
    try:
        return fallback_milli(
            trigger.target_milli,
            fallback_replicas(scaled.fallback, current),
            is_value=trigger.target_type is TargetType.VALUE,
            ready_replicas=ready_replicas,
        )
    except MetricsUnavailable as error:
        return str(error)


def _composite(
    scaled: ScaledObject,
    modifiers: ScalingModifiers,
    values: Sequence[float | None],
    milli: Mapping[str, int | str],
    falling_back: set[int],
    current: int,
    ready_replicas: int,
) -> int | str:
    """The formula's value; in fallback the composite's own fallback, unless the formula is to handle `nil`."""
    fallback = scaled.fallback
    lets_formula_handle = fallback is not None and fallback.behavior is FallbackBehavior.SCALING_MODIFIERS
    broken = [
        value
        for trigger in scaled.triggers
        if not trigger.is_resource and trigger.index not in falling_back
        for value in (milli[metric_name(trigger.index, trigger.type)],)
        if isinstance(value, str)
    ]
    if broken:
        return broken[0]
    try:
        if falling_back and fallback is not None and not lets_formula_handle:
            is_value = modifiers.metric_type is TargetType.VALUE
            replicas = fallback_replicas(fallback, current)
            return fallback_milli(modifiers.target_milli, replicas, is_value=is_value, ready_replicas=ready_replicas)
        found = modifiers.formula.value(_named(scaled, values))
        if found is not None:
            return composite_milli(found)
        return "the formula gave nil" if fallback is None else modifiers.target_milli * fallback.replicas
    except MetricsUnavailable as error:
        return str(error)
