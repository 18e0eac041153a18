"""From the fields of the policy `knative` to the specs of the emulation, and from manifests to the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hindscale.autoscalers.knative import (
    AutoscalerConfig,
    Collection,
    DeciderSpec,
    ReconcilerSpec,
    Revision,
    config_from_map,
    decider_spec,
    empty_collection,
    reconciler_spec,
    revision_from_annotations,
)
from hindscale.autoscalers.knative.writing import annotations_of

__all__ = ["REVISION_FIELDS", "Settings", "cluster_fields", "revision_of", "settings_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the stages are told, and the windows before anything is recorded."""

    decider: DeciderSpec
    reconciler: ReconcilerSpec
    collection: Collection


REVISION_FIELDS = {
    "container_concurrency": "container_concurrency",
    "metric": "metric",
    "metric_aggregation_algorithm": "aggregation",
    "target": "target",
    "target_utilization_percentage": "target_utilization_percentage",
    "target_burst_capacity": "target_burst_capacity",
    "window_s": "window_s",
    "panic_window_percentage": "panic_window_percentage",
    "panic_threshold_percentage": "panic_threshold_percentage",
    "min_scale": "min_scale",
    "max_scale": "max_scale",
    "initial_scale": "initial_scale",
    "activation_scale": "activation_scale",
    "scale_down_delay_s": "scale_down_delay_s",
    "scale_to_zero_pod_retention_period_s": "scale_to_zero_pod_retention_period_s",
    "progress_deadline_s": "progress_deadline_s",
}
"""Fields of the policy that a revision sets, with its own names for them."""


def cluster_fields(config: AutoscalerConfig, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a ConfigMap says of the fields that nothing else sets; `given` holds what does."""
    if given.get("metric") == "rps":
        target = {"target": config.requests_per_second_target_default}
    else:
        percentage = config.container_concurrency_target_percentage
        target = {"target_utilization_percentage": percentage if percentage > 1.0 else percentage * 100.0}
        if not given["container_concurrency"]:
            target["target"] = config.container_concurrency_target_default
    return target | {
        "target_burst_capacity": config.target_burst_capacity,
        "window_s": config.stable_window,
        "panic_window_percentage": config.panic_window_percentage,
        "panic_threshold_percentage": config.panic_threshold_percentage,
        "max_scale_up_rate": config.max_scale_up_rate,
        "max_scale_down_rate": config.max_scale_down_rate,
        "initial_scale": config.initial_scale,
        "scale_down_delay_s": config.scale_down_delay,
        "enable_scale_to_zero": config.enable_scale_to_zero,
        "scale_to_zero_grace_period_s": config.scale_to_zero_grace_period,
        "scale_to_zero_pod_retention_period_s": config.scale_to_zero_pod_retention_period,
    }


def settings_of(policy: Any) -> Settings:
    """The specs for a policy's fields, which pass the checks of the annotations and keys they stand for."""
    config = config_from_map(
        {
            "max-scale-up-rate": repr(policy.max_scale_up_rate),
            "max-scale-down-rate": repr(policy.max_scale_down_rate),
            "enable-scale-to-zero": str(policy.enable_scale_to_zero),
            "scale-to-zero-grace-period": f"{policy.scale_to_zero_grace_period_s!r}s",
            "allow-zero-initial-scale": str(policy.initial_scale == 0),
        },
        path="",
    )
    written = annotations_of(revision_of(policy))
    revision = revision_from_annotations(
        written, container_concurrency=policy.container_concurrency, config=config, path=""
    )
    return Settings(
        decider=decider_spec(config, revision),
        reconciler=reconciler_spec(config, revision),
        collection=empty_collection(config, revision),
    )


def revision_of(policy: Any) -> Revision:
    """The revision that a policy's fields stand for, unchecked."""
    return Revision(**{attribute: getattr(policy, field) for field, attribute in REVISION_FIELDS.items()})
