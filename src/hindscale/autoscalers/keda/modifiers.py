"""`advanced.scalingModifiers`: a formula over the triggers' values, and its own target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.autoscalers.hpa.metrics import TargetType
from hindscale.autoscalers.keda.formula import Formula, parse_formula
from hindscale.autoscalers.keda.triggers import Trigger
from hindscale.autoscalers.keda.values import builtin_milli
from hindscale.autoscalers.kubernetes import Fields
from hindscale.core.errors import did_you_mean

__all__ = ["COMPOSITE", "ScalingModifiers", "modifiers_from"]

COMPOSITE = "composite-metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingModifiers:
    """`advanced.scalingModifiers`: one composite metric in place of all external triggers.

    Attributes:
        formula: What it is.
        target_milli: Its target, in milli units.
        activation_target: Active strictly above it.
        metric_type: AverageValue or Value.
    """

    formula: Formula
    target_milli: int
    activation_target: float = 0.0
    metric_type: TargetType = TargetType.AVERAGE_VALUE


def modifiers_from(advanced: Fields, triggers: tuple[Trigger, ...]) -> ScalingModifiers | None:
    """The modifiers in `spec.advanced`; None if there are none.

    Raises:
        ParameterError: If the formula cannot be read, or names what is no trigger.
    """
    advanced.only("horizontalPodAutoscalerConfig", "restoreToOriginalReplicaCount", "scalingModifiers")
    advanced.boolean("restoreToOriginalReplicaCount", default=False)
    fields = advanced.fields("scalingModifiers", default=None)
    if fields is None or not fields.values:
        return None
    fields.only("formula", "target", "activationTarget", "metricType")
    formula = parse_formula(fields.text("formula"), path=fields.where("formula"))
    known = {trigger.name for trigger in triggers if trigger.name and not trigger.is_resource}
    for name in sorted(formula.names - known):
        raise fields.invalid("formula", f"no external trigger is named {name!r}; {did_you_mean(name, known)}")
    _require_names(fields, triggers)
    target = _number(fields, "target")
    if target <= 0:
        raise fields.invalid("target", "must be greater than 0")
    kinds = (TargetType.AVERAGE_VALUE.value, TargetType.VALUE.value)
    return ScalingModifiers(
        formula=formula,
        target_milli=builtin_milli(target),
        activation_target=_number(fields, "activationTarget") if fields.has("activationTarget") else 0.0,
        metric_type=TargetType(fields.text("metricType", default=kinds[0], choices=kinds)),
    )


def _require_names(fields: Fields, triggers: tuple[Trigger, ...]) -> None:
    for trigger in triggers:
        if not trigger.name and not trigger.is_resource:
            raise fields.invalid(
                "formula", f"needs every external trigger to have a name; triggers[{trigger.index}] has none"
            )


def _number(fields: Fields, name: str) -> float:
    text = fields.text(name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise fields.invalid(name, "must be a number")
    return value
