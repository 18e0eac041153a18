"""A PodAutoscaler manifest, `autoscaling.aibrix.ai/v1alpha1`, with its annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hindscale.autoscalers.aibrix.schedules import ScheduledBounds, schedules_from
from hindscale.autoscalers.kubernetes.errors import unknown_field
from hindscale.autoscalers.kubernetes.fields import Fields
from hindscale.autoscalers.kubernetes.manifest import load_manifest
from hindscale.autoscalers.writing import plain_number
from hindscale.core.errors import ParameterError

__all__ = [
    "DURATIONS",
    "NUMBERS",
    "POD_METRICS",
    "PREFIX",
    "TOTAL_METRICS",
    "PodAutoscaler",
    "read_pod_autoscaler",
]

PREFIX = "autoscaling.aibrix.ai/"
MAX_WINDOW_S = 3600
NUMBERS = {
    "max-scale-up-rate": "max_scale_up_rate",
    "max-scale-down-rate": "max_scale_down_rate",
    "scale-up-tolerance": "up_tolerance",
    "scale-down-tolerance": "down_tolerance",
    "panic-threshold": "panic_threshold",
}
DURATIONS = {
    "scale-up-cooldown-window": "scale_up_cooldown_s",
    "scale-down-cooldown-window": "scale_down_cooldown_s",
}
POD_METRICS = {
    "num_requests_running": "running-per-replica",
    "num_requests_waiting": "waiting-per-replica",
    "gpu_cache_usage_perc": "kv-cache",
    "kv_cache_usage_perc": "kv-cache",
    "kv_cache_utilization": "kv-cache",
    "qps": "qps-per-replica",
    "concurrency": "concurrency-per-replica",
}
TOTAL_METRICS = {"qps": "total-qps", "concurrency": "total-concurrency", "num_requests": "total-concurrency"}
_SOURCE = ("metricSourceType", "protocolType", "endpoint", "path", "port", "targetMetric", "targetValue")
_SPEC = (
    *("scaleTargetRef", "subTargetSelector", "minReplicas", "maxReplicas", "schedules", "metricsSources"),
    *("observeWindowSeconds", "panicWindowSeconds", "predictive", "scalingStrategy"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAutoscaler:
    """What a manifest says.

    Attributes:
        strategy: APA or KPA.
        settings: Settings of the policy by name, only those that are given.
        schedules: Bounds by the time of day.
        timezone: Of the schedules.
    """

    strategy: str
    settings: Mapping[str, object]
    schedules: tuple[ScheduledBounds, ...] = ()
    timezone: str = "UTC"


def read_pod_autoscaler(source: str | Path) -> PodAutoscaler:
    """The one PodAutoscaler of a file.

    Raises:
        ParameterError: With the field's path, worded as a Kubernetes API server does.
    """
    manifest = load_manifest(source, kind="PodAutoscaler", api_versions=("autoscaling.aibrix.ai/v1alpha1",))
    manifest.only("apiVersion", "kind", "metadata", "spec", "status")
    spec = manifest.fields("spec").only(*_SPEC)
    strategy = spec.text("scalingStrategy", choices=("APA", "KPA", "HPA"))
    if strategy == "HPA":
        raise spec.invalid("scalingStrategy", "creates a plain HorizontalPodAutoscaler; use the policy hpa")
    low = spec.integer("minReplicas", default=1, minimum=0)
    high = spec.integer("maxReplicas", minimum=1)
    if low > high:
        raise spec.invalid("minReplicas", f"must be less than or equal to maxReplicas ({high})")
    settings: dict[str, object] = {"min_replicas": low, "max_replicas": high}
    settings.update(_annotations(manifest))
    settings.update(_windows(spec))
    settings.update(_metric(spec))
    predictive = spec.fields("predictive", default=None)
    if predictive is not None and predictive.text("mode", default="Preview") == "Auto":
        raise predictive.invalid("mode", "predictive scaling is not emulated; Preview does not change decisions")
    schedules, timezone = schedules_from(spec, min_replicas=low, max_replicas=high)
    return PodAutoscaler(strategy=strategy, settings=settings, schedules=schedules, timezone=timezone)


def _annotations(manifest: Fields) -> dict[str, object]:
    metadata = manifest.fields("metadata", default=None)
    if metadata is None:
        return {}
    texts = metadata.text_mapping("annotations")
    fields = Fields(texts, "metadata.annotations", manifest.source)
    known = {PREFIX + name for name in (*NUMBERS, *DURATIONS, "scale-to-zero")}
    read: dict[str, object] = {}
    for key in texts:
        if key.startswith(PREFIX) and key not in known:
            raise unknown_field(fields.where(key), key, known)
    for name, setting in NUMBERS.items():
        if fields.has(PREFIX + name):
            read[setting] = _positive(fields, PREFIX + name, may_be_zero=setting.endswith("tolerance"))
    for name, setting in DURATIONS.items():
        if fields.has(PREFIX + name):
            read[setting] = fields.duration_s(PREFIX + name, minimum_s=0)
    return read


def _positive(fields: Fields, name: str, *, may_be_zero: bool = False) -> float:
    """A number that is written as a text."""
    text = fields.text(name)
    try:
        value = float(text)
    except ValueError:
        raise fields.invalid(name, "must be a valid number") from None
    if not math.isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
        raise fields.invalid(name, "must be a finite number greater than 0")
    return value


def _windows(spec: Fields) -> dict[str, object]:
    read: dict[str, object] = {}
    stable = spec.integer("observeWindowSeconds", default=180, minimum=1, maximum=MAX_WINDOW_S)
    panic = spec.integer("panicWindowSeconds", default=60, minimum=1, maximum=MAX_WINDOW_S)
    if panic > stable:
        raise spec.invalid("panicWindowSeconds", f"must be less than or equal to observeWindowSeconds ({stable})")
    for name, setting, value in (
        ("observeWindowSeconds", "stable_window_s", stable),
        ("panicWindowSeconds", "panic_window_s", panic),
    ):
        if spec.has(name):
            read[setting] = float(value)
    return read


def _metric(spec: Fields) -> dict[str, object]:
    """The metrics as the policy's settings: their names here and their targets, in the same order."""
    sources = spec.items("metricsSources")
    if not sources:
        raise spec.required("metricsSources", "at least one metricsSource is required")
    metrics, targets = [], []
    for source in sources:
        source.only(*_SOURCE)
        kind = source.text("metricSourceType", choices=("pod", "resource", "custom", "external", "domain"))
        if kind == "resource":
            raise source.invalid("metricSourceType", "absolute amounts are not simulated; use metric=cpu or memory")
        known = POD_METRICS if kind in {"pod", "custom"} else TOTAL_METRICS
        # vLLM's own names begin with its name, as `vllm:num_requests_running`.
        text = source.text("targetMetric")
        metric = known.get(text.removeprefix("vllm:"))
        if metric is None:
            source.text("targetMetric", choices=tuple(known))
            raise AssertionError
        target = _positive(source, "targetValue")
        if metric == "kv-cache" and target > 1:
            raise source.invalid("targetValue", f"vLLM reports a fraction of the cache; did you mean {target / 100:g}?")
        metrics.append(metric)
        targets.append(str(plain_number(target)))
    if len(set(metrics)) != len(metrics):
        raise ParameterError(f"{spec.where('metricsSources')}: Invalid value: the same metric is named twice")
    return {"metrics": tuple(metrics), "targets": tuple(targets)}
