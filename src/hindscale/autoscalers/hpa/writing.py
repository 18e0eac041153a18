"""An HPA as a manifest, `autoscaling/v2`: the inverse of `hpa.manifest`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hindscale.autoscalers.hpa.behavior import Behavior, ScalingRules
from hindscale.autoscalers.hpa.manifest import API_VERSION, KIND, SOURCE_FIELDS, TARGET_FIELDS
from hindscale.autoscalers.hpa.metrics import Metric, MetricType, TargetType
from hindscale.autoscalers.hpa.values import Hpa
from hindscale.autoscalers.kubernetes import milli_text
from hindscale.autoscalers.writing import Workload
from hindscale.core.errors import ParameterError

__all__ = ["behavior_document", "hpa_document"]


def hpa_document(hpa: Hpa, workload: Workload) -> dict[str, Any]:
    """The manifest of an HPA.

    Raises:
        ParameterError: If a metric cannot be written: one of an Object, whose name is not kept.
    """
    spec: dict[str, Any] = {
        "scaleTargetRef": workload.reference,
        "minReplicas": hpa.min_replicas,
        "maxReplicas": hpa.max_replicas,
        "metrics": [_metric(metric) for metric in hpa.metrics],
    }
    if hpa.behavior is not None:
        spec["behavior"] = behavior_document(hpa.behavior)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": workload.metadata, "spec": spec}


def _metric(metric: Metric) -> dict[str, Any]:
    target = {"type": str(metric.target_type), TARGET_FIELDS[metric.target_type]: _target_value(metric)}
    if metric.type is MetricType.OBJECT:
        raise ParameterError(
            f"metric {metric.name!r}: the object that it describes is not kept; edit the manifest that it comes from"
        )
    if metric.type is MetricType.RESOURCE:
        source = {"name": metric.name, "target": target}
    elif metric.type is MetricType.CONTAINER_RESOURCE:
        source = {"name": metric.name, "container": metric.container, "target": target}
    else:
        source = {"metric": {"name": metric.name}, "target": target}
    return {"type": str(metric.type), SOURCE_FIELDS[metric.type]: source}


def _target_value(metric: Metric) -> int | str:
    return metric.target if metric.target_type is TargetType.UTILIZATION else milli_text(metric.target)


def behavior_document(behavior: Behavior) -> dict[str, Any]:
    """`spec.behavior`, both directions in full."""
    return {"scaleUp": _rules(behavior.scale_up), "scaleDown": _rules(behavior.scale_down)}


def _rules(rules: ScalingRules) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if rules.stabilization_window_s is not None:
        written["stabilizationWindowSeconds"] = int(rules.stabilization_window_s)
    written["selectPolicy"] = str(rules.select_policy)
    written["policies"] = [
        {"type": str(each.type), "value": each.value, "periodSeconds": int(each.period_s)} for each in rules.policies
    ]
    if rules.tolerance is not None:
        written["tolerance"] = format(Decimal(repr(rules.tolerance)), "f")  # a quantity has no "1e-05"
    return written
