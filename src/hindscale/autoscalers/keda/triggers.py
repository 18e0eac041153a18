"""Triggers of a ScaledObject: what each one targets, and when it is active."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hindscale.autoscalers.hpa.metrics import Metric, MetricType, TargetType
from hindscale.autoscalers.keda.values import builtin_milli, external_milli, metric_name
from hindscale.autoscalers.kubernetes import Fields, fields_of, forbidden, milli_value
from hindscale.core.errors import ParameterError

__all__ = ["EXTERNAL_TYPES", "RESOURCE_TYPES", "Trigger", "trigger_from", "trigger_metric"]

RESOURCE_TYPES = ("cpu", "memory")
EXTERNAL_TYPES = ("external", "external-push")
_UNCACHED = (*RESOURCE_TYPES, "cron")
_KEYS: Mapping[str, tuple[str, str, str]] = {
    "prometheus": ("threshold", "activationThreshold", ""),
    "metrics-api": ("targetValue", "activationTargetValue", ""),
    "rabbitmq": ("value", "activationValue", "20"),
    "kafka": ("lagThreshold", "activationLagThreshold", "10"),
    "apache-kafka": ("lagThreshold", "activationLagThreshold", "10"),
    "redis": ("listLength", "activationListLength", "5"),
    "redis-cluster": ("listLength", "activationListLength", "5"),
    "redis-sentinel": ("listLength", "activationListLength", "5"),
    "nats-jetstream": ("lagThreshold", "activationLagThreshold", "10"),
    "aws-sqs-queue": ("queueLength", "activationQueueLength", "5"),
    "azure-queue": ("queueLength", "activationQueueLength", "5"),
    "azure-servicebus": ("messageCount", "activationMessageCount", "5"),
    "gcp-pubsub": ("value", "activationValue", "10"),
    "datadog": ("queryValue", "activationQueryValue", ""),
    "loki": ("threshold", "activationThreshold", ""),
    "graphite": ("threshold", "activationThreshold", ""),
    "influxdb": ("thresholdValue", "activationThresholdValue", ""),
    "postgresql": ("targetQueryValue", "activationTargetQueryValue", ""),
    "mysql": ("queryValue", "activationQueryValue", ""),
}
"""By type: the metadata keys of the target and of the activation value, and the target's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One entry of `spec.triggers`.

    Attributes:
        type: The scaler's type.
        index: Its position; part of the metric's name.
        name: What a formula calls it; may be empty.
        metadata: As written.
        target_type: AverageValue, Value, or for cpu and memory Utilization.
        target_milli: The target in milli units, percent for Utilization; None if the metadata do not say, as of
            external scalers, which answer it themselves.
        activation: The activation value: active strictly above it.
        container: The container of a cpu or memory trigger.
        use_cached_metrics: The HPA gets the value of the last poll.
    """

    type: str
    index: int = 0
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    target_type: TargetType = TargetType.AVERAGE_VALUE
    target_milli: int | None = None
    activation: float = 0.0
    container: str = ""
    use_cached_metrics: bool = False

    @property
    def is_resource(self) -> bool:
        """Whether it is cpu or memory, which the HPA reads itself."""
        return self.type in RESOURCE_TYPES

    @property
    def is_external(self) -> bool:
        """Whether a server of the user's answers over gRPC."""
        return self.type in EXTERNAL_TYPES

    @property
    def label(self) -> str:
        """What a user calls it: its name, or `s` and its position.

        >>> Trigger(type="prometheus", index=2).label, Trigger(type="prometheus", name="queue").label
        ('s2', 'queue')
        """
        return self.name or f"s{self.index}"

    def milli(self, value: float) -> int:
        """A measured value in milli units, as its kind of scaler rounds it."""
        return external_milli(value) if self.is_external else builtin_milli(value)


def trigger_metric(trigger: Trigger) -> Metric:
    """The metric that a trigger becomes in the HPA.

    Raises:
        ParameterError: If its target is not known.

    Source: keda `controllers/keda/hpa.go`, getScaledObjectMetricSpecs.

    >>> trigger_metric(Trigger(type="prometheus", index=1, target_milli=5000)).name
    's1-prometheus'
    """
    if trigger.target_milli is None:
        raise ParameterError(
            f"trigger {trigger.label} ({trigger.type}): its scaler tells the target, its metadata do not;"
            f" give it, such as targets={trigger.label}=10"
        )
    if trigger.target_milli <= 0:
        raise ParameterError(f"trigger {trigger.label}: the target must be > 0, was {trigger.target_milli / 1000:g}")
    if trigger.is_resource:
        kind = MetricType.CONTAINER_RESOURCE if trigger.container else MetricType.RESOURCE
        return Metric(
            type=kind,
            name=trigger.type,
            target_type=trigger.target_type,
            target=trigger.target_milli,
            container=trigger.container,
        )
    return Metric(
        type=MetricType.EXTERNAL,
        name=metric_name(trigger.index, trigger.type),
        target_type=trigger.target_type,
        target=trigger.target_milli,
    )


def trigger_from(fields: Fields, index: int) -> Trigger:
    """One entry of `spec.triggers`.

    The metadata of the known types hold their target; of others the target is not known here.

    Raises:
        ParameterError: If a field is missing, unknown, or out of range.
    """
    fields.only("type", "name", "metadata", "authenticationRef", "metricType", "useCachedMetrics")
    kind: str = fields.text("type")
    is_resource = kind in RESOURCE_TYPES
    metadata = fields.text_mapping("metadata")
    read = fields_of(metadata, path=f"{fields.path}.metadata", source=fields.source)
    allowed = [each.value for each in TargetType]
    target_type = TargetType(fields.text("metricType", default=TargetType.AVERAGE_VALUE.value, choices=allowed))
    _check_metric_type(fields, kind, target_type)
    cached: bool = fields.boolean("useCachedMetrics", default=False)
    if cached and kind in _UNCACHED:
        raise forbidden(fields.where("useCachedMetrics"), f"{kind} has no cached metrics")
    if kind in EXTERNAL_TYPES:
        read.text("scalerAddress")
    trigger = Trigger(
        type=kind,
        index=index,
        name=fields.text("name", default=""),
        metadata=metadata,
        target_type=target_type,
        use_cached_metrics=cached,
    )
    if is_resource:
        return _with_resource(trigger, read)
    return _with_keys(trigger, read)


def _check_metric_type(fields: Fields, kind: str, target_type: TargetType) -> None:
    if kind in RESOURCE_TYPES:
        if not fields.has("metricType"):
            raise fields.required("metricType", f"{kind} is held against Utilization or AverageValue")
        if target_type is TargetType.VALUE:
            raise fields.invalid("metricType", f"{kind} is held against Utilization or AverageValue")
    elif target_type is TargetType.UTILIZATION:
        raise fields.invalid("metricType", "Utilization is for cpu and memory only")


def _with_resource(trigger: Trigger, read: Fields) -> Trigger:
    read.text("value")
    if trigger.target_type is TargetType.UTILIZATION:
        text = trigger.metadata["value"]
        if not text.isdecimal() or int(text) < 1:
            hint = f"; did you mean {text.removesuffix('%')}?" if text.endswith("%") else ""
            raise read.invalid("value", f"must be a whole percentage of the request, at least 1{hint}")
        target = int(text)
    else:
        target = milli_value(trigger.metadata["value"], path=read.where("value"))
        if target <= 0:
            raise read.invalid("value", "must be greater than 0")
    return _replaced(trigger, target, 0.0, trigger.metadata.get("containerName", ""))


def _with_keys(trigger: Trigger, read: Fields) -> Trigger:
    if trigger.type not in _KEYS:
        return trigger
    target_key, activation_key, default = _KEYS[trigger.type]
    if not default:
        read.text(target_key)
    target = _number(read, target_key, default)
    if target <= 0:
        raise read.invalid(target_key, "must be greater than 0")
    return _replaced(trigger, builtin_milli(target), _number(read, activation_key, "0"), "")


def _number(read: Fields, key: str, default: str) -> float:
    text = str(read.values.get(key, default))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise read.invalid(key, "must be a number")
    return value


def _replaced(trigger: Trigger, target_milli: int, activation: float, container: str) -> Trigger:
    return Trigger(
        type=trigger.type,
        index=trigger.index,
        name=trigger.name,
        metadata=trigger.metadata,
        target_type=trigger.target_type,
        target_milli=target_milli,
        activation=activation,
        container=container,
        use_cached_metrics=trigger.use_cached_metrics,
    )
