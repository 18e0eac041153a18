"""The part of a backtest's configuration that lets requests follow what is used: `[vertical]`."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.config import RecommenderConfig
from hindscale.autoscalers.vpa.policy import EvictionRequirement
from hindscale.autoscalers.vpa.priority import UpdaterConfig
from hindscale.cli.config_types import Duration, Table, given_values
from hindscale.simulation.vertical import VerticalAutoscaler

__all__ = ["VerticalConfig", "vertical_values"]

GIB = 1 << 30


class AllowedConfig(Table):
    """A bound of what is recommended, in the units of `service.resource_request`."""

    cpu_cores: float | None = None
    memory_gib: float | None = None

    def amounts(self) -> Amounts:
        """The value."""
        return Amounts(
            cpu_millicores=None if self.cpu_cores is None else round(self.cpu_cores * 1000),
            memory_bytes=None if self.memory_gib is None else round(self.memory_gib * GIB),
        )


class EvictionRequirementConfig(Table):
    """See `EvictionRequirement`."""

    resources: list[str]
    change_requirement: str

    def requirement(self) -> EvictionRequirement:
        """The value."""
        return EvictionRequirement(resources=tuple(self.resources), change_requirement=self.change_requirement)


class RecommenderTable(Table):
    """The recommender's flags. What is not given has the default of `RecommenderConfig`."""

    recommendation_margin_fraction: float | None = None
    pod_recommendation_min_cpu_millicores: float | None = None
    pod_recommendation_min_memory_mb: float | None = None
    target_cpu_percentile: float | None = None
    recommendation_lower_bound_cpu_percentile: float | None = None
    recommendation_upper_bound_cpu_percentile: float | None = None
    confidence_interval_cpu_s: Duration | None = None
    target_memory_percentile: float | None = None
    recommendation_lower_bound_memory_percentile: float | None = None
    recommendation_upper_bound_memory_percentile: float | None = None
    confidence_interval_memory_s: Duration | None = None
    round_cpu_millicores: int | None = None
    round_memory_bytes: int | None = None
    container_recommendation_max_allowed_cpu_millicores: int | None = None
    container_recommendation_max_allowed_memory_bytes: int | None = None


class UpdaterTable(Table):
    """The updater's flags. What is not given has the default of `UpdaterConfig`."""

    min_replicas: int | None = None
    eviction_tolerance: float | None = None
    pod_update_threshold: float | None = None
    in_recommendation_bounds_eviction_lifetime_threshold_s: Duration | None = None
    evict_after_oom_threshold_s: Duration | None = None
    in_place_skip_disruption_budget: bool | None = None


class VerticalConfig(Table):
    """See `VerticalAutoscaler`, whose defaults hold for what neither the manifest nor an entry gives."""

    manifest: str | None = None  # a VerticalPodAutoscaler object; entries win over it
    update_mode: str | None = None
    min_replicas: int | None = None
    min_allowed: AllowedConfig | None = None
    max_allowed: AllowedConfig | None = None
    controlled_resources: list[str] | None = None
    eviction_requirements: list[EvictionRequirementConfig] | None = None
    recommender_interval_s: Duration | None = None
    updater_interval_s: Duration | None = None
    cpu_histogram_decay_half_life_s: Duration | None = None
    memory_histogram_decay_half_life_s: Duration | None = None
    memory_aggregation_interval_s: Duration | None = None
    recommender: RecommenderTable | None = None
    updater: UpdaterTable | None = None

    def vertical(self, container: str) -> VerticalAutoscaler:
        """The value.

        Args:
            container: Name of the service, which chooses among the policies of a manifest.

        Raises:
            ParameterError: If something is out of range or not simulated.
        """
        given = given_values(self)
        manifest = given.pop("manifest", None)
        for name in {"min_allowed", "max_allowed"} & given.keys():
            given[name] = given[name].amounts()
        if "controlled_resources" in given:
            given["controlled_resources"] = tuple(given["controlled_resources"])
        if "eviction_requirements" in given:
            given["eviction_requirements"] = tuple(each.requirement() for each in given["eviction_requirements"])
        if "recommender" in given:
            given["recommender"] = RecommenderConfig(**given_values(given["recommender"]))
        if "updater" in given:
            given["updater"] = UpdaterConfig(**given_values(given["updater"]))
        if manifest is None:
            return VerticalAutoscaler(**given)
        return VerticalAutoscaler.from_manifest(manifest, container=container, **given)


def vertical_values(vertical: VerticalAutoscaler) -> dict[str, Any]:
    """The autoscaler as plain values that make the same one again, without the manifest."""
    values = {each.name: getattr(vertical, each.name) for each in fields(vertical)}
    return values | {
        "manifest": None,
        "min_allowed": _allowed(vertical.min_allowed),
        "max_allowed": _allowed(vertical.max_allowed),
        "controlled_resources": list(vertical.controlled_resources),
        "eviction_requirements": [
            {"resources": list(each.resources), "change_requirement": each.change_requirement}
            for each in vertical.eviction_requirements
        ],
        "recommender": asdict(vertical.recommender),
        "updater": asdict(vertical.updater),
    }


def _allowed(amounts: Amounts) -> dict[str, float | None]:
    cpu, memory = amounts.cpu_millicores, amounts.memory_bytes
    return {
        "cpu_cores": None if cpu is None else cpu / 1000,
        "memory_gib": None if memory is None else memory / GIB,
    }
