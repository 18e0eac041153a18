"""Ray Serve's `autoscaling_config`, its defaults, and where it stands in a Serve config file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hindscale.autoscalers._configs import read_mapping
from hindscale.autoscalers.kubernetes.fields import Fields
from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["AGGREGATION_FUNCTIONS", "AutoscalingConfig", "config_from", "read_config"]

DEFAULT_TARGET_ONGOING_REQUESTS = 2.0
DEFAULT_METRICS_INTERVAL_S = 10.0
AUTO_MAX_REPLICAS = 100
"""`max_replicas` of a deployment with `num_replicas: auto` that gives none; a bare autoscaling_config has 1."""

AGGREGATION_FUNCTIONS = ("mean", "max", "min")
DEFAULT_POLICIES = (
    "ray.serve.autoscaling_policy:default_autoscaling_policy",
    "ray.serve.autoscaling_policy:replica_queue_length_autoscaling_policy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingConfig:
    """One deployment's `autoscaling_config`, with Ray Serve's own names and defaults.

    Attributes:
        min_replicas: Never fewer, >= 0.
        max_replicas: Never more, >= 1 and >= `min_replicas`.
        initial_replicas: The size at first, between the two; None for `min_replicas`.
        target_ongoing_requests: Wanted requests per replica, running and queued; > 0.
        metrics_interval_s: Seconds between two reports of replicas and handles; > 0.
        look_back_period_s: Seconds that a report averages over; > 0.
        smoothing_factor: Gain on every change, > 0. Deprecated upstream, still read.
        upscale_smoothing_factor: Deprecated name of `upscaling_factor`.
        downscale_smoothing_factor: Deprecated name of `downscaling_factor`.
        upscaling_factor: Gain on growth, > 0; None falls back on the deprecated names.
        downscaling_factor: Gain on shrinking, > 0; None falls back on the deprecated names.
        upscale_delay_s: How long growth must be wanted without a break, >= 0.
        downscale_delay_s: The same for shrinking.
        downscale_to_zero_delay_s: The same for the last replica; None for `downscale_delay_s`.
        aggregation_function: How samples of the look-back become one number: mean, max or min.
    """

    min_replicas: int = 1
    max_replicas: int = 1
    initial_replicas: int | None = None
    target_ongoing_requests: float = DEFAULT_TARGET_ONGOING_REQUESTS
    metrics_interval_s: float = DEFAULT_METRICS_INTERVAL_S
    look_back_period_s: float = 30.0
    smoothing_factor: float = 1.0
    upscale_smoothing_factor: float | None = None
    downscale_smoothing_factor: float | None = None
    upscaling_factor: float | None = None
    downscaling_factor: float | None = None
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0
    downscale_to_zero_delay_s: float | None = None
    aggregation_function: str = "mean"

    def __post_init__(self) -> None:
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        if self.initial_replicas is not None:
            require_count(initial_replicas=self.initial_replicas)
            require_ordered(min_replicas=self.min_replicas, initial_replicas=self.initial_replicas)
            require_ordered(initial_replicas=self.initial_replicas, max_replicas=self.max_replicas)
        given = {name: getattr(self, name) for name in _POSITIVE if getattr(self, name) is not None}
        require_positive(**given)
        delays = {name: getattr(self, name) for name in _DELAYS if getattr(self, name) is not None}
        require_nonnegative(**delays)
        if self.aggregation_function not in AGGREGATION_FUNCTIONS:
            raise ParameterError(
                f"aggregation_function: nobody knows {self.aggregation_function!r};"
                f" {did_you_mean(self.aggregation_function, AGGREGATION_FUNCTIONS)}"
            )

    @property
    def gain_up(self) -> float:
        """The factor on growth: the new name first, then the deprecated ones."""
        return self.upscaling_factor or self.upscale_smoothing_factor or self.smoothing_factor

    @property
    def gain_down(self) -> float:
        """The factor on shrinking: the new name first, then the deprecated ones."""
        return self.downscaling_factor or self.downscale_smoothing_factor or self.smoothing_factor


_COUNTS = {"min_replicas": 0, "initial_replicas": 0, "max_replicas": 1}
_POSITIVE = (
    "target_ongoing_requests",
    "metrics_interval_s",
    "look_back_period_s",
    "smoothing_factor",
    "upscale_smoothing_factor",
    "downscale_smoothing_factor",
    "upscaling_factor",
    "downscaling_factor",
)
_DELAYS = ("upscale_delay_s", "downscale_delay_s", "downscale_to_zero_delay_s")
_FIELDS = tuple(field.name for field in dataclasses.fields(AutoscalingConfig))


def read_config(source: str | Path, *, deployment: str = "") -> dict[str, object]:
    """What a Serve config file says of one deployment's autoscaling, by the names of `AutoscalingConfig`.

    The file is a Serve config (`applications` with `deployments`), one deployment, or a bare
    `autoscaling_config`. `num_replicas: auto` brings its own `max_replicas` of 100.

    Args:
        source: A path; or the text itself, known by its line breaks.
        deployment: Its name; needed where more than one deployment autoscales.

    Returns:
        Only what the file gives; what is left out keeps Ray Serve's default.

    Raises:
        ParameterError: With the field's path, if the file is no such configuration.
    """
    top = read_mapping(source)
    if not {"applications", "deployments", "autoscaling_config", "num_replicas"} & set(top.values):
        return config_from(top)
    found = {each.text("name", default="deployment"): each for each in _autoscaled(top)}
    if deployment and deployment not in found:
        raise ParameterError(
            f"{top.where('deployments')}: no autoscaled deployment {deployment!r}; {did_you_mean(deployment, found)}"
        )
    if not deployment and len(found) != 1:
        names = ", ".join(sorted(found)) or "none"
        raise ParameterError(f"{top.where('deployments')}: needs the parameter deployment, autoscaled are: {names}")
    chosen = found[deployment] if deployment else next(iter(found.values()))
    return _of_deployment(chosen)


def _autoscaled(top: Fields) -> Iterator[Fields]:
    deployments = [one for application in top.items("applications") for one in application.items("deployments")]
    deployments += top.items("deployments")
    if not top.has("applications") and not top.has("deployments"):
        deployments = [top]
    for one in deployments:
        if one.has("autoscaling_config") or one.values.get("num_replicas") == "auto":
            yield one


def _of_deployment(deployment: Fields) -> dict[str, object]:
    replicas = deployment.values.get("num_replicas")
    config = deployment.fields("autoscaling_config", default=None)
    if replicas is not None and replicas != "auto" and config is not None:
        raise deployment.invalid("num_replicas", 'must be "auto" or absent beside autoscaling_config')
    # Not part of the decision, but a deployment that Serve would refuse is refused here too.
    deployment.integer("max_ongoing_requests", default=None, minimum=1)
    read = config_from(config) if config is not None else {}
    return {"max_replicas": AUTO_MAX_REPLICAS, **read} if replicas == "auto" else read


def config_from(fields: Fields) -> dict[str, object]:
    """The values of an `autoscaling_config` mapping, checked one by one and against each other.

    Raises:
        ParameterError: With the field's path.
    """
    fields.only(*_FIELDS, "policy", "prometheus_metrics")
    read: dict[str, object] = {}
    for name, minimum in _COUNTS.items():
        if fields.has(name):
            read[name] = fields.integer(name, minimum=minimum)
    for name in (*_POSITIVE, *_DELAYS):
        if fields.has(name):
            read[name] = _number(fields, name)
    if fields.has("aggregation_function"):
        read["aggregation_function"] = fields.text("aggregation_function", choices=AGGREGATION_FUNCTIONS)
    _check_policy(fields)
    _check_order(fields, read)
    return read


def _number(fields: Fields, name: str) -> float:
    value = fields.number(name, minimum=0)
    if name in _POSITIVE and value <= 0:
        raise fields.invalid(name, "must be greater than 0")
    return value


def _check_policy(fields: Fields) -> None:
    policy = fields.fields("policy", default=None)
    if policy is None:
        return
    for name in policy.only("name", "policy_function", "policy_kwargs").values:
        if name != "policy_kwargs" and policy.text(name) not in DEFAULT_POLICIES:
            raise policy.invalid(name, "a custom policy is code of its own and cannot be emulated")


def _check_order(fields: Fields, read: dict[str, object]) -> None:
    low, high = read.get("min_replicas", 1), read.get("max_replicas")
    initial = read.get("initial_replicas")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise fields.invalid("max_replicas", f"must be greater than or equal to min_replicas ({low})")
    if isinstance(initial, int) and isinstance(low, int) and initial < low:
        raise fields.invalid("initial_replicas", f"must be greater than or equal to min_replicas ({low})")
    if isinstance(initial, int) and isinstance(high, int) and initial > high:
        raise fields.invalid("initial_replicas", f"must be less than or equal to max_replicas ({high})")
