"""Step adjustments, as AWS and Alibaba Cloud write them: ranges of the distance from an alarm's threshold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hindscale.autoscalers.kubernetes.fields import Fields
from hindscale.autoscalers.writing import plain_number
from hindscale.core.errors import ParameterError

_NUMBER = r"([+-]?[0-9]+(?:\.[0-9]*)?)?"
_STEP = re.compile(rf"{_NUMBER}\s*:\s*{_NUMBER}\s*=\s*([+-]?[0-9]+)")

__all__ = ["StepAdjustment", "check_steps", "parse_steps", "step_for", "steps_document", "steps_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAdjustment:
    """How much to scale where the metric is so far beyond the threshold.

    Attributes:
        lower: Least distance, metric minus threshold; minus infinity for none.
        upper: Greatest distance; infinity for none.
        adjustment: What to scale by, or to; its meaning is the adjustment type's.
    """

    lower: float = -math.inf
    upper: float = math.inf
    adjustment: int


def step_for(distance: float, steps: Sequence[StepAdjustment]) -> StepAdjustment | None:
    """The step whose range holds a distance from the threshold; None if none does.

    Above the threshold a range holds its lower bound and not its upper one, below the threshold the other
    way round, so that each bound belongs to the range nearer to the threshold's far side.

    Source: Application Auto Scaling, API reference, StepAdjustment.

    >>> steps = (StepAdjustment(lower=0.0, upper=10.0, adjustment=1), StepAdjustment(lower=10.0, adjustment=3))
    >>> [step_for(distance, steps).adjustment for distance in (0.0, 9.9, 10.0)]
    [1, 1, 3]
    """
    for step in steps:
        # At the threshold itself both readings hold: one range begins there or the other ends there.
        above = distance >= 0 and step.lower <= distance < step.upper
        below = distance <= 0 and step.lower < distance <= step.upper
        if above or below:
            return step
    return None


def check_steps(steps: Sequence[StepAdjustment], *, path: str) -> tuple[StepAdjustment, ...]:
    """The steps in order, if no two overlap or leave a gap and the outermost is open.

    Raises:
        ParameterError: With the path, if they break one of the rules.

    Source: Application Auto Scaling, API reference, StepAdjustment.
    """
    if not steps:
        raise ParameterError(f"{path}: Required value: at least one step adjustment")
    ordered = tuple(sorted(steps, key=lambda step: step.lower))
    for step in ordered:
        if step.lower >= step.upper:
            raise ParameterError(f"{path}: Invalid value: lower bound {step.lower:g} must be below {step.upper:g}")
    for one, other in pairwise(ordered):
        if one.upper != other.lower:
            problem = "overlaps" if one.upper > other.lower else "leaves a gap to"
            raise ParameterError(f"{path}: Invalid value: the step up to {one.upper:g} {problem} {other.lower:g}")
    if ordered[-1].upper > 0 and ordered[-1].upper != math.inf:
        raise ParameterError(f"{path}: Invalid value: the highest step must have no upper bound")
    if ordered[0].lower < 0 and ordered[0].lower != -math.inf:
        raise ParameterError(f"{path}: Invalid value: the lowest step must have no lower bound")
    return ordered


def parse_steps(texts: Sequence[str], *, name: str) -> tuple[StepAdjustment, ...]:
    """Steps as they are written on the command line: `LOWER:UPPER=ADJUSTMENT`, a bound left out for none.

    >>> parse_steps(("0:15=1", "15:=3"), name="steps")[1].adjustment
    3
    """
    return check_steps([_parsed(text, name) for text in texts], path=name)


def _parsed(text: str, name: str) -> StepAdjustment:
    match = _STEP.fullmatch(text.strip())
    if match is None:
        raise ParameterError(f"{name} must look like '0:15=1', bounds relative to the threshold, was {text!r}")
    lower, upper, adjustment = match.groups()
    return StepAdjustment(
        lower=float(lower) if lower else -math.inf,
        upper=float(upper) if upper else math.inf,
        adjustment=int(adjustment),
    )


def steps_document(steps: Sequence[StepAdjustment]) -> list[dict[str, float]]:
    """`StepAdjustments` as a policy or rule has them; an open end is left out.

    >>> steps_document([StepAdjustment(lower=15.0, adjustment=3)])
    [{'MetricIntervalLowerBound': 15, 'ScalingAdjustment': 3}]
    """
    written = []
    for step in steps:
        ends = {"MetricIntervalLowerBound": step.lower, "MetricIntervalUpperBound": step.upper}
        bounds = {name: plain_number(value) for name, value in ends.items() if math.isfinite(value)}
        written.append({**bounds, "ScalingAdjustment": step.adjustment})
    return written


def steps_from(fields: Fields, name: str) -> tuple[StepAdjustment, ...]:
    """The `StepAdjustments` of a policy or rule, checked."""
    steps = []
    for item in fields.items(name):
        item.only("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
        lower = item.number("MetricIntervalLowerBound", default=-math.inf)
        upper = item.number("MetricIntervalUpperBound", default=math.inf)
        steps.append(StepAdjustment(lower=lower, upper=upper, adjustment=item.integer("ScalingAdjustment")))
    return check_steps(steps, path=fields.where(name))
