"""From the cluster's and the revision's settings to what the algorithm computes with."""

from __future__ import annotations

from typing import TypeVar

from hindscale.autoscalers.knative.autoscaler import DeciderSpec
from hindscale.autoscalers.knative.config import TARGET_MIN, AutoscalerConfig
from hindscale.autoscalers.knative.metrics import Collection, new_collection, panic_window_s
from hindscale.autoscalers.knative.revision import Revision
from hindscale.autoscalers.knative.status import ReconcilerSpec

__all__ = [
    "PROGRESS_DEADLINE_S",
    "RPS_TARGET_UTILIZATION",
    "decider_spec",
    "empty_collection",
    "reconciler_spec",
    "resolve_target",
]

RPS_TARGET_UTILIZATION = 0.7
PROGRESS_DEADLINE_S = 600.0

T = TypeVar("T")


def resolve_target(config: AutoscalerConfig, revision: Revision) -> tuple[float, float]:
    """Wanted metric of a pod, and the most it can take: target = max(0.01, total · utilization).

    Concurrency: total is `containerConcurrency`, else the cluster's default; the target annotation takes its
    place, but not above a set `containerConcurrency`. Requests per second: the annotation, else the cluster's
    default. The revision's percentage overrides the cluster's utilization.

    Returns:
        (target, total).

    Source: `pkg/reconciler/autoscaling/resources/target.go`.

    >>> resolve_target(AutoscalerConfig(), Revision())
    (70.0, 100.0)
    >>> resolve_target(AutoscalerConfig(), Revision(container_concurrency=10, target=50.0))
    (7.0, 10.0)
    """
    if revision.metric == "rps":
        total, utilization = config.requests_per_second_target_default, RPS_TARGET_UTILIZATION
    else:
        total = float(revision.container_concurrency) or config.container_concurrency_target_default
        utilization = config.target_fraction
    if revision.target is not None:
        is_capped = revision.metric == "concurrency" and revision.container_concurrency != 0
        total = min(revision.target, float(revision.container_concurrency)) if is_capped else revision.target
    if revision.target_utilization_percentage is not None:
        utilization = revision.target_utilization_percentage / 100
    return max(TARGET_MIN, total * utilization), total


def decider_spec(config: AutoscalerConfig, revision: Revision, *, reachable: bool = True) -> DeciderSpec:
    """What an evaluation is told.

    Source: `pkg/reconciler/autoscaling/kpa/resources/decider.go`.

    >>> decider_spec(AutoscalerConfig(), Revision(panic_threshold_percentage=150.0)).panic_threshold
    1.5
    """
    target, total = resolve_target(config, revision)
    threshold = _or(revision.panic_threshold_percentage, config.panic_threshold_percentage)
    return DeciderSpec(
        target_value=target,
        total_value=total,
        target_burst_capacity=_burst_capacity(config, revision),
        panic_threshold=threshold / 100.0,
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        stable_window_s=_or(revision.window_s, config.stable_window),
        activation_scale=revision.activation_scale or 0,
        scale_down_delay_s=_or(revision.scale_down_delay_s, config.scale_down_delay),
        reachable=reachable,
    )


def reconciler_spec(config: AutoscalerConfig, revision: Revision, *, reachable: bool = True) -> ReconcilerSpec:
    """What the reconciler is told. An initial scale of 0 counts only where the cluster allows it.

    >>> reconciler_spec(AutoscalerConfig(max_scale=9), Revision(min_scale=2)).max_scale
    9
    """
    initial_scale = _or(revision.initial_scale, config.initial_scale)
    if initial_scale == 0 and not config.allow_zero_initial_scale:
        initial_scale = config.initial_scale
    return ReconcilerSpec(
        min_scale=_or(revision.min_scale, config.min_scale),
        max_scale=_or(revision.max_scale, config.max_scale),
        initial_scale=initial_scale,
        reachable=reachable,
        enable_scale_to_zero=config.enable_scale_to_zero,
        stable_window_s=_or(revision.window_s, config.stable_window),
        scale_to_zero_grace_period_s=config.scale_to_zero_grace_period,
        scale_to_zero_pod_retention_period_s=_or(
            revision.scale_to_zero_pod_retention_period_s, config.scale_to_zero_pod_retention_period
        ),
        progress_deadline_s=_or(revision.progress_deadline_s, PROGRESS_DEADLINE_S),
        target_burst_capacity=_burst_capacity(config, revision),
    )


def empty_collection(config: AutoscalerConfig, revision: Revision) -> Collection:
    """The windows of a revision, before anything is recorded."""
    stable_s = _or(revision.window_s, config.stable_window)
    percentage = _or(revision.panic_window_percentage, config.panic_window_percentage)
    return new_collection(
        stable_s,
        panic_window_s(stable_s, percentage),
        algorithm=revision.aggregation,
        scraped=_burst_capacity(config, revision) != -1,
    )


def _burst_capacity(config: AutoscalerConfig, revision: Revision) -> float:
    return _or(revision.target_burst_capacity, config.target_burst_capacity)


def _or(given: T | None, default: T) -> T:
    return default if given is None else given
