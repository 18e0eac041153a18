"""The cluster's settings: the ConfigMap `config-autoscaler`, with its defaults and ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.autoscalers.knative._texts import (
    BURST_CAPACITY,
    MAX_INT32,
    boolean_text,
    is_burst_capacity,
    number_text,
    require_whole_seconds,
    require_within,
    whole_text,
)
from hindscale.autoscalers.kubernetes import Fields, fields_of, load_manifest
from hindscale.core.units import format_duration

__all__ = [
    "PANIC_THRESHOLD_RANGE",
    "PANIC_WINDOW_RANGE",
    "TARGET_MIN",
    "WINDOW_RANGE_S",
    "AutoscalerConfig",
    "config_from_map",
    "load_config",
]

TARGET_MIN = 0.01
WINDOW_RANGE_S = (6.0, 3600.0)
PANIC_WINDOW_RANGE = (1.0, 100.0)
PANIC_THRESHOLD_RANGE = (110.0, 1000.0)
KPA = "kpa.autoscaling.knative.dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerConfig:
    """The keys of `config-autoscaler`, under their own names; percentages as they are written there.

    Attributes:
        pod_autoscaler_class: Who scales a revision that does not say.
        enable_scale_to_zero: Whether any revision may fall to 0.
        allow_zero_initial_scale: Whether a revision may begin with 0 pods.
        max_scale_up_rate: > 1; at most this multiple of the ready pods at a time.
        max_scale_down_rate: > 1; at least the ready pods divided by this.
        container_concurrency_target_percentage: In (0, 100]; up to 1 it is read as a fraction.
        container_concurrency_target_default: Concurrency of a pod without a limit of its own.
        requests_per_second_target_default: Requests per second of a pod, where that is the metric.
        target_burst_capacity: >= 0, or -1 for unlimited.
        panic_window_percentage: Of the stable window; 1 to 100.
        panic_threshold_percentage: Of the ready pods; 110 to 1000.
        activator_capacity: Concurrent requests of one activator; >= 1.
        initial_scale: Pods of a new revision.
        min_scale: The least pods.
        max_scale: The most pods; 0 for no limit.
        max_scale_limit: The highest `max_scale` allowed; 0 for any.
        stable_window: 6 s to 1 h, in whole seconds.
        scale_down_delay: In whole seconds.
        scale_to_zero_grace_period: In seconds; > 0.
        scale_to_zero_pod_retention_period: In seconds.
    """

    pod_autoscaler_class: str = KPA
    enable_scale_to_zero: bool = True
    allow_zero_initial_scale: bool = False
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    container_concurrency_target_percentage: float = 70.0
    container_concurrency_target_default: float = 100.0
    requests_per_second_target_default: float = 200.0
    target_burst_capacity: float = 211.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    activator_capacity: float = 100.0
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0
    stable_window: float = 60.0
    scale_down_delay: float = 0.0
    scale_to_zero_grace_period: float = 30.0
    scale_to_zero_pod_retention_period: float = 0.0

    @property
    def target_fraction(self) -> float:
        """The utilization of the concurrency target, as a fraction: 70 and 0.7 are the same.

        >>> AutoscalerConfig().target_fraction
        0.7
        """
        percentage = self.container_concurrency_target_percentage
        return percentage / 100.0 if percentage > 1.0 else percentage


def load_config(source: str | Path) -> AutoscalerConfig:
    """The settings of a ConfigMap manifest.

    Args:
        source: Path of the file, or its text.

    Raises:
        ParameterError: If it is no ConfigMap, or a key is unknown or out of its range.
    """
    manifest = load_manifest(source, kind="ConfigMap", api_versions=("v1",))
    data = manifest.text_mapping("data")
    return config_from_map(data, path="data", source=manifest.source)


def config_from_map(data: Mapping[str, str], *, path: str = "data", source: str = "") -> AutoscalerConfig:
    """The settings of a ConfigMap's `data`. What is not given keeps its default; `_example` is not read.

    Args:
        data: Texts by key.
        path: Where the mapping stands, for messages.
        source: Name of its file, for messages.

    Raises:
        ParameterError: If a key is unknown, or a value does not parse or is out of its range.

    Source: `pkg/autoscaler/config/config.go`.

    >>> config_from_map({"stable-window": "2m", "max-scale-up-rate": "10"}).stable_window
    120.0
    >>> config_from_map({"stable-window": "5s"})
    Traceback (most recent call last):
        ...
    hindscale.core.errors.ParameterError: data.stable-window: Invalid value: "5s": must be in [6s; 1h]
    """
    keys = {field.name.replace("_", "-"): field for field in dataclasses.fields(AutoscalerConfig)}
    given = {key: value for key, value in data.items() if key != "_example"}
    fields = fields_of(given, path=path, source=source).only(*keys)
    values = {keys[key].name: _READERS[str(keys[key].type)](fields, key) for key in given}
    config = AutoscalerConfig(**values)
    _validate(config, fields)
    return config


def _validate(config: AutoscalerConfig, fields: Fields) -> None:
    require_within(fields, "stable-window", config.stable_window, WINDOW_RANGE_S, as_text=format_duration)
    require_whole_seconds(fields, "stable-window", config.stable_window)
    require_whole_seconds(fields, "scale-down-delay", config.scale_down_delay)
    require_within(fields, "panic-window-percentage", config.panic_window_percentage, PANIC_WINDOW_RANGE)
    require_within(fields, "panic-threshold-percentage", config.panic_threshold_percentage, PANIC_THRESHOLD_RANGE)
    fraction = config.target_fraction
    checks = (
        ("max-scale-up-rate", config.max_scale_up_rate > 1, "must be greater than 1.0"),
        ("max-scale-down-rate", config.max_scale_down_rate > 1, "must be greater than 1.0"),
        ("scale-to-zero-grace-period", config.scale_to_zero_grace_period > 0, "must be positive"),
        ("scale-to-zero-pod-retention-period", config.scale_to_zero_pod_retention_period >= 0, "cannot be negative"),
        ("scale-down-delay", config.scale_down_delay >= 0, "cannot be negative"),
        ("target-burst-capacity", is_burst_capacity(config.target_burst_capacity), BURST_CAPACITY),
        ("container-concurrency-target-percentage", 0 < fraction <= 1, "must be in (0, 100]"),
        (
            "container-concurrency-target-default",
            fraction * config.container_concurrency_target_default >= TARGET_MIN,
            f"the target, after its percentage, must be at least {TARGET_MIN}",
        ),
        (
            "requests-per-second-target-default",
            config.requests_per_second_target_default >= TARGET_MIN,
            f"must be at least {TARGET_MIN}",
        ),
        ("activator-capacity", config.activator_capacity >= 1, "must be at least 1"),
    )
    _require_all(fields, checks)
    _validate_scales(config, fields)


def _validate_scales(config: AutoscalerConfig, fields: Fields) -> None:
    least = 0 if config.allow_zero_initial_scale else 1
    limit = config.max_scale_limit
    most = limit or MAX_INT32
    lowest = 1 if limit else 0
    checks = (
        ("initial-scale", config.initial_scale >= least, f"must be at least {least}"),
        ("min-scale", config.min_scale >= 0, "must be at least 0"),
        ("max-scale-limit", limit >= 0, "must be at least 0"),
        ("max-scale", lowest <= config.max_scale <= most, f"must be in [{lowest}, max-scale-limit({limit})] range"),
        (
            "max-scale",
            not config.max_scale or config.max_scale >= config.min_scale,
            f"must not be less than min-scale, {config.min_scale}",
        ),
    )
    _require_all(fields, checks)


def _require_all(fields: Fields, checks: tuple[tuple[str, bool, str], ...]) -> None:
    for key, holds, reason in checks:
        if not holds:
            raise fields.invalid(key, reason)


def _text_or_duration(fields: Fields, key: str) -> float:
    return fields.duration_s(key) if key in _DURATIONS else number_text(fields, key)


_DURATIONS = {
    "stable-window",
    "scale-down-delay",
    "scale-to-zero-grace-period",
    "scale-to-zero-pod-retention-period",
}
_READERS: Mapping[str, Callable[[Fields, str], Any]] = {
    "str": lambda fields, key: fields.text(key),
    "bool": boolean_text,
    "int": whole_text,
    "float": _text_or_duration,
}
