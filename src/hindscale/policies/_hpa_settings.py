"""From the fields of the policy `hpa` to the spec and the controller's settings that the emulation takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hindscale.autoscalers.hpa import Hpa, Metric, MetricType, Settings, TargetType, release_of, tolerance_of
from hindscale.autoscalers.hpa.behavior import Behavior, ScalingRules
from hindscale.autoscalers.hpa.manifest import behavior_from, read_manifest
from hindscale.autoscalers.hpa.metrics import DEFAULT_METRIC
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.autoscalers.kubernetes import fields_of, milli_value
from hindscale.core.checks import require_at_least, require_count, require_ordered, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.rounding import ceil
from hindscale.core.tunable import Choice, Range, Tunable
from hindscale.policies._hpa_signals import RESOURCE_TYPES, Signal, parse_signals, signal_of

__all__ = ["METRICS", "Plan", "plan_of", "tunable_of"]

METRICS = ("cpu", "memory", "accelerator", "concurrency")
RESOURCES = ("cpu", "memory")
ACCELERATOR = "accelerator_percent"
# A request of any size gives the same utilization; this one is fine enough that rounding loses nothing.
_REQUEST_MILLI = 1_000_000
_TUNABLE_POLICIES: Mapping[str, Tunable] = {
    "scale_up_policies": Choice(values=("Pods 4/15s;Percent 100/15s", "Percent 300/15s", "Percent 900/15s")),
    "scale_down_policies": Choice(values=("Percent 100/15s", "Percent 50/60s", "Percent 10/60s")),
}
_POLICY = re.compile(r"(?P<type>\w+)\s+(?P<value>[^/\s]+)\s*/\s*(?P<period>[^/\s]+?)s?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the policy's parameters come to.

    Attributes:
        hpa: The spec.
        settings: The controller's.
        tolerance: What is left alone.
        signals: What each of the spec's metrics is measured by.
        requests: What a pod requests, in milli by resource.
    """

    hpa: Hpa
    settings: Settings
    tolerance: Tolerance
    signals: tuple[Signal, ...]
    requests: Mapping[str, int]


def plan_of(policy: Any) -> Plan:
    """The plan for a policy's fields.

    Raises:
        ParameterError: If one is out of range, or contradicts another.
    """
    settings = _settings(policy)
    hpa = _hpa(policy, settings)
    mapped = parse_signals(policy.signals)
    return Plan(
        hpa=hpa,
        settings=settings,
        tolerance=tolerance_of(hpa, settings),
        signals=tuple(signal_of(metric, mapped) for metric in hpa.metrics),
        requests={resource: _request(policy, resource, hpa) for resource in RESOURCES},
    )


def tunable_of(plan: Plan) -> Mapping[str, Tunable]:
    """What is worth a try, around what a plan says.

    Utilization ends at 100 %: a target beyond 90 with a tolerance of 0.1 could never be exceeded, and on calm
    traffic a fleet that never grows looks cheap.

    The target only where there is one metric to have it; policies only where no manifest says which.
    """
    behavior = plan.hpa.behavior
    window_s = None if behavior is None else behavior.scale_down.stabilization_window_s
    if window_s is None:
        window_s = plan.settings.downscale_stabilization_s
    target = {"target": _target_range(plan.hpa.metrics[0])} if len(plan.hpa.metrics) == 1 else {}
    return {
        **target,
        "scale_down_stabilization_s": Range(low=0, high=900, is_whole=True, if_none=window_s),
        "tolerance": Range(low=0.0, high=0.1),
        **(_TUNABLE_POLICIES if behavior is None else {}),
    }


def _target_range(metric: Metric) -> Range:
    if metric.target_type is TargetType.UTILIZATION:
        return Range(low=20, high=90, is_whole=True, if_none=metric.target)
    value = metric.target / 1000
    if metric.name == ACCELERATOR:
        return Range(low=20, high=90, is_whole=True, if_none=value)
    return Range(low=0.2 * value, high=1.5 * value, if_none=value)


def _request(policy: Any, resource: str, hpa: Hpa) -> int:
    given = getattr(policy, f"{resource}_request")
    if given:
        milli = milli_value(given, path=f"{resource}_request")
        if milli <= 0:
            raise ParameterError(f"{resource}_request must be positive, was {given!r}")
        return milli
    for metric in hpa.metrics:
        is_absolute = metric.target_type is TargetType.AVERAGE_VALUE
        if metric.name == resource and metric.type in RESOURCE_TYPES and is_absolute:
            raise ParameterError(f"{resource}_request must be given for a target in units of {resource} (averageValue)")
    return _REQUEST_MILLI


def _settings(policy: Any) -> Settings:
    return Settings(
        tolerance=policy.tolerance,
        downscale_stabilization_s=policy.downscale_stabilization_s,
        has_scale_to_zero=policy.scale_to_zero,
        release=release_of(policy.version),
    )


def _hpa(policy: Any, settings: Settings) -> Hpa:
    """The manifest's spec, or one with the defaults, changed by the policy's own parameters."""
    if policy.manifest:
        hpa = read_manifest(policy.manifest, settings=settings)
    elif policy.max_replicas is None:
        raise ParameterError("max_replicas must be given, or a manifest that says it")
    else:
        hpa = Hpa(max_replicas=policy.max_replicas, metrics=(DEFAULT_METRIC,))
    hpa = replace(
        hpa,
        min_replicas=hpa.min_replicas if policy.min_replicas is None else policy.min_replicas,
        max_replicas=hpa.max_replicas if policy.max_replicas is None else policy.max_replicas,
        metrics=_metrics(policy, hpa.metrics),
        behavior=_behavior(policy, hpa.behavior, settings),
    )
    _check_bounds(hpa, settings)
    return hpa


def _check_bounds(hpa: Hpa, settings: Settings) -> None:
    require_count(min_replicas=hpa.min_replicas)
    require_at_least(1, max_replicas=hpa.max_replicas)
    require_ordered(min_replicas=hpa.min_replicas, max_replicas=hpa.max_replicas)
    if hpa.min_replicas == 0 and not settings.has_scale_to_zero:
        raise ParameterError("min_replicas must be >= 1 without the gate HPAScaleToZero; give scale_to_zero=true")
    if hpa.min_replicas == 0 and all(metric.is_of_pods for metric in hpa.metrics):
        raise ParameterError("min_replicas may be 0 only with an Object or External metric, as a manifest has them")


def _metrics(policy: Any, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    if policy.metric:
        return (_metric(policy.metric, policy.target),)
    if policy.target is None:
        return metrics
    if len(metrics) != 1:
        raise ParameterError(f"target belongs to one metric, but the manifest has {len(metrics)}; give metric too")
    only = metrics[0]
    is_percent = only.target_type is TargetType.UTILIZATION
    return (replace(only, target=_percent(policy.target) if is_percent else _milli(policy.target)),)


def _metric(name: str, target: float | None) -> Metric:
    if name not in METRICS:
        raise ParameterError(f"metric must be one of {', '.join(METRICS)}, was {name!r}; {did_you_mean(name, METRICS)}")
    if name in {"cpu", "memory"}:
        percent = DEFAULT_METRIC.target if target is None else _percent(target)
        return Metric(type=MetricType.RESOURCE, name=name, target_type=TargetType.UTILIZATION, target=percent)
    if name == "accelerator":
        percent = DEFAULT_METRIC.target if target is None else _percent(target)
        return _of_pods(ACCELERATOR, 1000 * percent)
    if target is None:
        raise ParameterError("target must say how many requests per pod are wanted with metric=concurrency")
    return _of_pods("concurrency", _milli(target))


def _of_pods(name: str, target_milli: int) -> Metric:
    return Metric(type=MetricType.PODS, name=name, target_type=TargetType.AVERAGE_VALUE, target=target_milli)


def _percent(target: float) -> int:
    require_positive(target=target)
    if not float(target).is_integer():
        hint = f"; did you mean {target * 100:g}?" if target <= 1 else ""
        raise ParameterError(f"target must be a whole percentage of the request, was {target:g}{hint}")
    return int(target)


def _milli(target: float) -> int:
    require_positive(target=target)
    return ceil(1000.0 * target)


def _behavior(policy: Any, behavior: Behavior | None, settings: Settings) -> Behavior | None:
    """The manifest's behavior with what the parameters change; none if neither says anything."""
    up, down = _direction(policy, "scale_up", settings), _direction(policy, "scale_down", settings)
    if not up and not down:
        return behavior
    behavior = behavior or Behavior()
    return Behavior(scale_up=replace(behavior.scale_up, **up), scale_down=replace(behavior.scale_down, **down))


def _direction(policy: Any, name: str, settings: Settings) -> dict[str, Any]:
    """The rules that the parameters of one direction set, checked as the fields of a manifest are."""
    window_s = getattr(policy, f"{name}_stabilization_s")
    select, policies = getattr(policy, f"{name}_select"), getattr(policy, f"{name}_policies")
    written: dict[str, Any] = {}
    if window_s is not None:
        written["stabilizationWindowSeconds"] = window_s
    if select:
        written["selectPolicy"] = select
    if policies:
        written["policies"] = [_policy(f"{name}_policies", entry) for entry in policies]
    key = "scaleUp" if name == "scale_up" else "scaleDown"
    read = behavior_from(fields_of({key: written}, path="behavior"), settings=settings)
    rules: ScalingRules = read.scale_up if name == "scale_up" else read.scale_down
    fields = {
        "stabilizationWindowSeconds": "stabilization_window_s",
        "selectPolicy": "select_policy",
        "policies": "policies",
    }
    return {field: getattr(rules, field) for written_as, field in fields.items() if written_as in written}


def _policy(name: str, entry: str) -> dict[str, Any]:
    match = _POLICY.fullmatch(entry.strip())
    if match is None:
        raise ParameterError(f"{name} must be written TYPE VALUE/PERIOD, such as 'Percent 100/15s', was {entry!r}")
    return {"type": match["type"], "value": _whole(match["value"]), "periodSeconds": _whole(match["period"])}


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else text
