"""From the policy `hpa` to the manifest that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hindscale.autoscalers.hpa import Hpa, Metric, MetricType, TargetType
from hindscale.autoscalers.hpa.behavior import Behavior, PolicyType, ScalingPolicy, ScalingRules
from hindscale.autoscalers.hpa.tolerance import DEFAULT_TOLERANCE
from hindscale.autoscalers.hpa.writing import hpa_document
from hindscale.autoscalers.writing import Manifest, Outside, Workload, whole_seconds
from hindscale.core.errors import ParameterError
from hindscale.core.rounding import ceil
from hindscale.policies._hpa_settings import Plan
from hindscale.policies._hpa_signals import RESOURCE_TYPES, SIGNALS, Signal, parse_signals
from hindscale.policies._writing import EMULATION, UNKNOWN, origin_notes, settings_outside

__all__ = ["CONTROLLER", "hpa_manifest", "load_manifest"]

_FLAG = "flag --horizontal-pod-autoscaler-{} of kube-controller-manager"
CONTROLLER = {
    "tolerance": _FLAG.format("tolerance"),
    "downscale_stabilization_s": _FLAG.format("downscale-stabilization"),
    "version": "the release of Kubernetes",
}
"""What the HPA's controller is told, for every HPA of a cluster."""
_OUTSIDE = {
    **CONTROLLER,
    "interval_s": _FLAG.format("sync-period"),
    "scale_to_zero": "feature gate HPAScaleToZero of the API server and kube-controller-manager",
    "cpu_request": "resources.requests of the Deployment's containers",
    "memory_request": "resources.requests of the Deployment's containers",
}
_SIGNALS = "what the metrics are among hindscale's measurements"
_OF_CPU = {"metric_window_s": EMULATION, "cold_start_s": EMULATION}
"""They say which pods are unready for cpu, and play no part otherwise."""
_LOAD = "concurrency"
_APIS = {
    MetricType.PODS: "the custom metrics API must serve {}, for each pod",
    MetricType.EXTERNAL: "the external metrics API must serve {}, for the whole service",
}


def hpa_manifest(policy: Any, plan: Plan, workload: Workload) -> Manifest:
    """The HorizontalPodAutoscaler of a policy's plan.

    Raises:
        ParameterError: If it follows a metric that cannot be written.
    """
    follows_cpu = any(metric.type in RESOURCE_TYPES and metric.name == "cpu" for metric in plan.hpa.metrics)
    places = _OUTSIDE | (_OF_CPU if follows_cpu else {})
    hpa, signals = _named(plan.hpa, policy.signals, workload.metric)
    return Manifest(
        reader="hpa",
        documents=(hpa_document(hpa, workload),),
        outside=(*settings_outside(policy, places, defaults={"cold_start_s": UNKNOWN}), *_signals_outside(signals)),
        notes=(*_metric_notes(hpa, plan.signals), *origin_notes(policy)),
    )


def _named(hpa: Hpa, signals: tuple[str, ...], name: str) -> tuple[Hpa, tuple[str, ...]]:
    """The HPA with its one custom metric called by that name, and what the reader is told of the name.

    Raises:
        ParameterError: If there is not one such metric.
    """
    if not name:
        return hpa, signals
    custom = [metric for metric in hpa.metrics if metric.type in _APIS]
    if len(custom) != 1:
        followed = ", ".join(metric.name for metric in hpa.metrics)
        raise ParameterError(f"metric {name!r} would name one metric of the user's own, but this follows {followed}")
    signal = parse_signals(signals).get(custom[0].name, custom[0].name)
    metrics = tuple(replace(each, name=name) if each == custom[0] else each for each in hpa.metrics)
    return replace(hpa, metrics=metrics), () if name == signal else (f"{name}={signal}",)


def _signals_outside(signals: tuple[str, ...]) -> tuple[Outside, ...]:
    return (Outside(parameter="signals", value=signals, place=_SIGNALS),) if signals else ()


def _metric_notes(hpa: Hpa, signals: Sequence[Signal]) -> tuple[str, ...]:
    return tuple(
        f"Metric {metric.name}: {_APIS[metric.type].format(' + '.join(signal.reads))}."
        for metric, signal in zip(hpa.metrics, signals, strict=True)
        if metric.type in _APIS
    )


def load_manifest(target: float, *, tolerance: float, workload: Workload) -> Manifest:
    """⌈(ongoing + queued) / target⌉ as an HPA: an external metric's average value over all pods, ready or not.

    The HPA's own limit on growth is lifted, and its window for shrinking is the workload's. What is left of a
    difference is rounding: an HPA counts in thousandths.

    Args:
        target: Requests per replica, in service and queued.
        tolerance: Relative error that is left alone.
        workload: What is scaled, with the bounds.

    Raises:
        ParameterError: If the bounds or the window cannot be written.
    """
    if workload.min_replicas == 0:
        raise ParameterError("min_replicas must be >= 1 for an HPA, was 0; KEDA can: emit the policy keda")
    metric = Metric(
        type=MetricType.EXTERNAL, name=_LOAD, target_type=TargetType.AVERAGE_VALUE, target=ceil(1000.0 * target)
    )
    plain = Hpa(
        min_replicas=workload.min_replicas,
        max_replicas=workload.max_replicas,
        metrics=(metric,),
        behavior=_unlimited(workload),
    )
    hpa, signals = _named(plain, (), workload.metric)
    told = Outside(parameter="tolerance", value=tolerance, place=CONTROLLER["tolerance"])
    return Manifest(
        reader="hpa",
        documents=(hpa_document(hpa, workload),),
        outside=(*((told,) if tolerance != DEFAULT_TOLERANCE else ()), *_signals_outside(signals)),
        notes=_metric_notes(hpa, (SIGNALS[_LOAD],)),
    )


def _unlimited(workload: Workload) -> Behavior:
    """Growth in one step, and shrinking in one step once a wish has lasted."""
    window_s = float(whole_seconds(workload.scale_down_window_s, field="stabilizationWindowSeconds"))
    all_at_once = ScalingPolicy(type=PolicyType.PODS, value=workload.max_replicas, period_s=15.0)
    return Behavior(
        scale_up=ScalingRules(stabilization_window_s=0.0, policies=(all_at_once,)),
        scale_down=ScalingRules(stabilization_window_s=window_s, policies=(all_at_once,)),
    )
