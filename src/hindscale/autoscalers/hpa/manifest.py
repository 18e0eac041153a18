"""A user's own HorizontalPodAutoscaler, `autoscaling/v2`, with the API's defaults and its validation errors.

Stricter than an API server in two ways: a field that nobody reads is an error, as under strict validation,
and a target's `type` must be the one whose field is set, which the server leaves to chance.
"""

from __future__ import annotations

from pathlib import Path

from hindscale.autoscalers.hpa.behavior import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from hindscale.autoscalers.hpa.metrics import DEFAULT_METRIC, Metric, MetricType, TargetType
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.values import Hpa
from hindscale.autoscalers.kubernetes import Fields, forbidden, load_manifest, quantity

__all__ = [
    "API_VERSION",
    "KIND",
    "SOURCE_FIELDS",
    "TARGET_FIELDS",
    "behavior_from",
    "hpa_from",
    "metric_from",
    "read_manifest",
]

KIND, API_VERSION = "HorizontalPodAutoscaler", "autoscaling/v2"
MAX_STABILIZATION_WINDOW_S, MAX_PERIOD_S = 3600, 1800
_DEFAULTS = Settings()
SOURCE_FIELDS = {
    MetricType.RESOURCE: "resource",
    MetricType.CONTAINER_RESOURCE: "containerResource",
    MetricType.PODS: "pods",
    MetricType.OBJECT: "object",
    MetricType.EXTERNAL: "external",
}
TARGET_FIELDS = {
    TargetType.UTILIZATION: "averageUtilization",
    TargetType.VALUE: "value",
    TargetType.AVERAGE_VALUE: "averageValue",
}
_RESOURCE_TARGETS = (TargetType.UTILIZATION, TargetType.AVERAGE_VALUE)
_ALLOWED_TARGETS = {
    MetricType.RESOURCE: _RESOURCE_TARGETS,
    MetricType.CONTAINER_RESOURCE: _RESOURCE_TARGETS,
    MetricType.PODS: (TargetType.AVERAGE_VALUE,),
    MetricType.OBJECT: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
    MetricType.EXTERNAL: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
}


def read_manifest(source: str | Path, *, settings: Settings = _DEFAULTS) -> Hpa:
    """The HPA in a YAML file, or in a text of several lines.

    Args:
        source: A path, or the text itself.
        settings: The controller's: the gate for minReplicas 0, and the release.

    Raises:
        ParameterError: If the API server would not take it, or would ignore a part of it.
    """
    manifest = load_manifest(source, kind=KIND, api_versions=(API_VERSION,))
    manifest.only("apiVersion", "kind", "metadata", "spec", "status")
    return hpa_from(manifest.fields("spec"), settings=settings)


def hpa_from(spec: Fields, *, settings: Settings = _DEFAULTS) -> Hpa:
    """An HPA from the fields of its spec.

    Raises:
        ParameterError: If the API server would not take it, or would ignore a part of it.

    Source: kubernetes `pkg/apis/autoscaling/v2/defaults.go`, `pkg/apis/autoscaling/validation/validation.go`.
    """
    spec.only("scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior")
    reference = spec.fields("scaleTargetRef").only("apiVersion", "kind", "name")
    _path_segment(reference, "kind")
    _path_segment(reference, "name")
    lowest = 0 if settings.has_scale_to_zero else 1
    min_replicas: int = spec.integer("minReplicas", default=1, minimum=lowest)
    max_replicas: int = spec.integer("maxReplicas")
    if max_replicas < 1:
        raise spec.invalid("maxReplicas", "must be greater than 0")
    if max_replicas < min_replicas:
        raise spec.invalid("maxReplicas", "must be greater than or equal to `minReplicas`")
    metrics = tuple(metric_from(fields) for fields in spec.items("metrics")) or (DEFAULT_METRIC,)
    if min_replicas == 0 and all(metric.is_of_pods for metric in metrics):
        reason = "must specify at least one Object or External metric to support scaling to zero replicas"
        raise forbidden(spec.where("metrics"), reason)
    behavior = spec.fields("behavior", default=None)
    return Hpa(
        min_replicas=min_replicas,
        max_replicas=max_replicas,
        metrics=metrics,
        behavior=None if behavior is None else behavior_from(behavior, settings=settings),
    )


def metric_from(fields: Fields) -> Metric:
    """One entry of `spec.metrics`.

    Raises:
        ParameterError: If a field is missing, out of range, or stands where its type has none.
    """
    fields.only("type", *SOURCE_FIELDS.values())
    kind = MetricType(fields.text("type", choices=tuple(MetricType)))
    for other in SOURCE_FIELDS.values():
        if other != SOURCE_FIELDS[kind] and fields.has(other):
            raise forbidden(fields.where(other), f"must populate the metric source of type {kind} only")
    if not fields.has(SOURCE_FIELDS[kind]):
        raise fields.required(SOURCE_FIELDS[kind], "must populate information for the given metric source")
    source = fields.fields(SOURCE_FIELDS[kind])
    container = ""
    if kind is MetricType.CONTAINER_RESOURCE:
        name = source.only("name", "container", "target").text("name")
        container = source.text("container")
    elif kind is MetricType.RESOURCE:
        name = source.only("name", "target").text("name")
    else:
        name = _identified(source, kind)
    target_type, target = _target(source.fields("target"), kind)
    return Metric(type=kind, name=name, target_type=target_type, target=target, container=container)


def _identified(source: Fields, kind: MetricType) -> str:
    """The name of a custom metric; its selectors choose series and decide nothing here."""
    source.only("metric", "target", *(("describedObject",) if kind is MetricType.OBJECT else ()))
    if kind is MetricType.OBJECT:
        described = source.fields("describedObject").only("apiVersion", "kind", "name")
        _path_segment(described, "kind")
        _path_segment(described, "name")
    metric = source.fields("metric").only("name", "selector")
    metric.fields("selector", default=None)
    return _path_segment(metric, "name")


def _path_segment(fields: Fields, name: str) -> str:
    value: str = fields.text(name)
    if "/" in value or "%" in value or value in {".", ".."}:
        raise fields.invalid(name, "must be usable in a path: without '/' and '%', and neither '.' nor '..'")
    return value


def _target(fields: Fields, kind: MetricType) -> tuple[TargetType, int]:
    """A target's type, and percent or milli value: exactly the field of its type must be set."""
    fields.only("type", *TARGET_FIELDS.values())
    allowed = _ALLOWED_TARGETS[kind]
    target_type = TargetType(fields.text("type", choices=tuple(TargetType)))
    if target_type not in allowed:
        expected = " or ".join(allowed)
        raise fields.invalid("type", f"a metric of type {kind} is held against {expected}")
    for other_type, other in TARGET_FIELDS.items():
        if other_type is not target_type and fields.has(other):
            raise forbidden(fields.where(other), f"may not be set with type {target_type}")
    name = TARGET_FIELDS[target_type]
    if not fields.has(name):
        raise fields.required(name, f"must be set with type {target_type}")
    if target_type is TargetType.UTILIZATION:
        percent: int = fields.integer(name)
        if percent < 1:
            raise fields.invalid(name, "must be greater than 0")
        return target_type, percent
    milli: int = fields.quantity(name)
    if milli <= 0:
        raise fields.invalid(name, "must be positive")
    return target_type, milli


def behavior_from(fields: Fields, *, settings: Settings = _DEFAULTS) -> Behavior:
    """`spec.behavior`, what is left out filled in as the API does, field by field.

    Raises:
        ParameterError: If a value is out of range, or the release does not know the field.
    """
    fields.only("scaleUp", "scaleDown")
    up, down = fields.fields("scaleUp", default=None), fields.fields("scaleDown", default=None)
    return Behavior(
        scale_up=DEFAULT_SCALE_UP if up is None else _rules(up, DEFAULT_SCALE_UP, settings),
        scale_down=DEFAULT_SCALE_DOWN if down is None else _rules(down, DEFAULT_SCALE_DOWN, settings),
    )


def _rules(fields: Fields, defaults: ScalingRules, settings: Settings) -> ScalingRules:
    fields.only("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
    window_s = _seconds(
        fields, "stabilizationWindowSeconds", defaults.stabilization_window_s, MAX_STABILIZATION_WINDOW_S
    )
    selected = fields.text("selectPolicy", default="Max", choices=sorted(SelectPolicy))
    policies = tuple(_policy(each) for each in fields.items("policies"))
    if fields.has("policies") and not policies:
        raise fields.required("policies", "must specify at least one Policy")
    return ScalingRules(
        stabilization_window_s=window_s,
        select_policy=SelectPolicy(selected),
        # Any list replaces the default list entirely.
        policies=policies or defaults.policies,
        tolerance=_tolerance(fields, settings),
    )


def _seconds(fields: Fields, name: str, default: float | None, maximum: int) -> float | None:
    seconds = fields.integer(name, default=None)
    if seconds is None:
        return default
    if seconds < 0:
        raise fields.invalid(name, "must be greater than or equal to zero")
    if seconds > maximum:
        raise fields.invalid(name, f"must be less than or equal to {maximum}")
    return float(seconds)


def _policy(fields: Fields) -> ScalingPolicy:
    fields.only("type", "value", "periodSeconds")
    kind = PolicyType(fields.text("type", choices=sorted(PolicyType)))
    value: int = fields.integer("value")
    period_s: int = fields.integer("periodSeconds")
    for name, given in (("value", value), ("periodSeconds", period_s)):
        if given <= 0:
            raise fields.invalid(name, "must be greater than zero")
    if period_s > MAX_PERIOD_S:
        raise fields.invalid("periodSeconds", f"must be less than or equal to {MAX_PERIOD_S}")
    return ScalingPolicy(type=kind, value=value, period_s=float(period_s))


def _tolerance(fields: Fields, settings: Settings) -> float | None:
    if not fields.has("tolerance"):
        return None
    if not settings.release.has_two_tolerances:
        raise forbidden(fields.where("tolerance"), "needs the gate HPAConfigurableTolerance, of 1.33 and later")
    given = float(quantity(fields.values["tolerance"], path=fields.where("tolerance")))
    if given < 0:
        raise fields.invalid("tolerance", "must be greater than or equal to zero")
    return given
