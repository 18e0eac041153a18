"""A PodAutoscaler as a manifest, `autoscaling.aibrix.ai/v1alpha1`: the inverse of `aibrix.manifest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hindscale.autoscalers.aibrix.algorithms import ScalingContext
from hindscale.autoscalers.aibrix.manifest import DURATIONS, NUMBERS, POD_METRICS, PREFIX, TOTAL_METRICS
from hindscale.autoscalers.writing import Workload, plain_number, whole_seconds
from hindscale.core.errors import ParameterError

__all__ = ["pod_autoscaler_document"]

# Where several names mean one metric, the first one is written.
_OF_PODS = {ours: theirs for theirs, ours in reversed(POD_METRICS.items())}
_TOTALS = {ours: theirs for theirs, ours in reversed(TOTAL_METRICS.items())}


def pod_autoscaler_document(
    strategy: str,
    context: ScalingContext,
    metrics: Sequence[tuple[str, float]],
    workload: Workload,
    *,
    windows_s: tuple[float, float],
) -> dict[str, Any]:
    """The manifest of a PodAutoscaler over a Deployment.

    Args:
        strategy: APA or KPA.
        context: Bounds, rates, tolerances and cooldown windows.
        metrics: Ours, each with its target.
        workload: What is scaled.
        windows_s: Length of the long and of the short window.

    Raises:
        ParameterError: If AIBrix has no such metric, or a field cannot carry its value.
    """
    stable_s, panic_s = windows_s
    return {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": workload.metadata | {"annotations": _annotations(context)},
        "spec": {
            "scalingStrategy": strategy,
            "scaleTargetRef": workload.reference,
            "minReplicas": context.min_replicas,
            "maxReplicas": context.max_replicas,
            "observeWindowSeconds": whole_seconds(stable_s, field="observeWindowSeconds"),
            "panicWindowSeconds": whole_seconds(panic_s, field="panicWindowSeconds"),
            "metricsSources": [_source(name, target, workload) for name, target in metrics],
        },
    }


def _annotations(context: ScalingContext) -> dict[str, str]:
    numbers = {PREFIX + name: str(plain_number(getattr(context, field))) for name, field in NUMBERS.items()}
    seconds = {PREFIX + name: f"{plain_number(getattr(context, field))}s" for name, field in DURATIONS.items()}
    return numbers | seconds


def _source(name: str, target: float, workload: Workload) -> dict[str, str]:
    value = {"targetValue": str(plain_number(target))}
    if name in _OF_PODS:
        place = {"metricSourceType": "pod", "protocolType": "http", "port": "8000", "path": "/metrics"}
        return {**place, "targetMetric": _OF_PODS[name], **value}
    if name in _TOTALS:
        place = {"metricSourceType": "external", "protocolType": "http", "endpoint": f"{workload.name}:8000"}
        return {**place, "path": "/metrics", "targetMetric": _TOTALS[name], **value}
    known = ", ".join((*_OF_PODS, *_TOTALS))
    raise ParameterError(f"metric {name}: AIBrix would read absolute amounts of it, not a share; known: {known}")
