"""A ScaledObject as a manifest, `keda.sh/v1alpha1`: the inverse of `keda.scaled_object`."""

from __future__ import annotations

import math
from typing import Any

from hindscale.autoscalers.hpa.metrics import TargetType
from hindscale.autoscalers.hpa.writing import behavior_document
from hindscale.autoscalers.keda._annotations import DOMAIN, Pauses
from hindscale.autoscalers.keda.fallback import Fallback
from hindscale.autoscalers.keda.modifiers import ScalingModifiers
from hindscale.autoscalers.keda.scaled_object import API_VERSION, KIND, ScaledObject
from hindscale.autoscalers.keda.triggers import Trigger
from hindscale.autoscalers.writing import Workload, plain_number, whole_seconds

__all__ = ["scaled_object_document"]


def scaled_object_document(scaled: ScaledObject, workload: Workload) -> dict[str, Any]:
    """The manifest of a ScaledObject. The metadata of its triggers must say their targets.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    spec: dict[str, Any] = {"scaleTargetRef": workload.reference}
    for field, seconds in (
        ("pollingInterval", scaled.polling_interval_s),
        ("cooldownPeriod", scaled.cooldown_period_s),
        ("initialCooldownPeriod", scaled.initial_cooldown_period_s),
    ):
        spec[field] = whole_seconds(seconds, field=field)
    if scaled.idle_replica_count is not None:
        spec["idleReplicaCount"] = scaled.idle_replica_count
    spec |= {"minReplicaCount": scaled.min_replica_count, "maxReplicaCount": scaled.max_replica_count}
    if scaled.fallback is not None:
        spec["fallback"] = _fallback(scaled.fallback)
    advanced = _advanced(scaled)
    if advanced:
        spec["advanced"] = advanced
    spec["triggers"] = [_trigger(trigger) for trigger in scaled.triggers]
    annotations = _annotations(scaled.pauses)
    metadata = workload.metadata | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def _fallback(fallback: Fallback) -> dict[str, Any]:
    return {
        "failureThreshold": fallback.failure_threshold,
        "replicas": fallback.replicas,
        "behavior": str(fallback.behavior),
    }


def _advanced(scaled: ScaledObject) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if scaled.behavior is not None:
        written["horizontalPodAutoscalerConfig"] = {"behavior": behavior_document(scaled.behavior)}
    if scaled.modifiers is not None:
        written["scalingModifiers"] = _modifiers(scaled.modifiers)
    return written


def _modifiers(modifiers: ScalingModifiers) -> dict[str, str]:
    return {
        "formula": modifiers.formula.text,
        "target": milli_number(modifiers.target_milli),
        "activationTarget": str(plain_number(modifiers.activation_target)),
        "metricType": str(modifiers.metric_type),
    }


def _trigger(trigger: Trigger) -> dict[str, Any]:
    written: dict[str, Any] = {"type": trigger.type}
    if trigger.name:
        written["name"] = trigger.name
    if trigger.is_resource or trigger.target_type is not TargetType.AVERAGE_VALUE:
        written["metricType"] = str(trigger.target_type)
    if trigger.use_cached_metrics:
        written["useCachedMetrics"] = True
    return written | {"metadata": dict(trigger.metadata)}


def milli_number(milli: int) -> str:
    """A number whose product with 1000, in doubles and truncated, is `milli`.

    KEDA truncates: 1.001 is 1000 to it, since 1.001 · 1000 is 1000.9999999999999.

    >>> milli_number(1500), milli_number(1001)
    ('1.5', '1.0010000000000001')
    """
    value = milli / 1000
    while math.trunc(value * 1000) < milli:
        value = math.nextafter(value, math.inf)
    return str(plain_number(value))


def _annotations(pauses: Pauses) -> dict[str, str]:
    given = {
        "paused": pauses.is_paused,
        "paused-scale-in": pauses.is_scale_in_paused,
        "paused-scale-out": pauses.is_scale_out_paused,
        "force-activation": pauses.is_forced,
    }
    written = {f"{DOMAIN}/{key}": "true" for key, holds in given.items() if holds}
    if pauses.replicas is not None:
        written[f"{DOMAIN}/paused-replicas"] = str(pauses.replicas)
    return written
