"""The Vertical Pod Autoscaler over simulated replicas, as a value: the object, and the flags of its parts.

`simulation.resizing` plays it through time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.autoscalers.vpa.config import DEFAULTS, RecommenderConfig
from hindscale.autoscalers.vpa.manifest import read_vertical_pod_autoscaler
from hindscale.autoscalers.vpa.policy import (
    CHANGE_REQUIREMENTS,
    UPDATE_MODES,
    ContainerPolicy,
    EvictionRequirement,
    UpdatePolicy,
    policy_for,
)
from hindscale.autoscalers.vpa.priority import UPDATER_DEFAULTS, UpdaterConfig
from hindscale.core.checks import require_at_least, require_count, require_ordered, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ServiceProfile
from hindscale.simulation.cluster import replica_pod

__all__ = ["RESOURCES", "VerticalAutoscaler", "require_resizable"]

RESOURCES = ("cpu", "memory")
MODES = ("Off", "Initial", "Recreate", "Auto")
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerticalAutoscaler:
    """A VerticalPodAutoscaler over all replicas, each of one container; flags have its names and its defaults.

    Attributes:
        update_mode: `Off` only records what is recommended; `Initial` gives it to new replicas; `Recreate`, or
            `Auto`, also evicts those that are far from it.
        min_replicas: Fewest live replicas at which any is evicted; None for the updater's flag.
        min_allowed: Least that is recommended; None for no such bound.
        max_allowed: Most that is recommended; None for no such bound.
        controlled_resources: Of `cpu` and `memory`; the others stay as the service requests them.
        eviction_requirements: A replica is evicted only if the target differs in these directions.
        recommender_interval_s: Time between two samples of every replica's use, and recommendations; > 0.
        updater_interval_s: Time between two looks at who should be evicted; > 0.
        cpu_histogram_decay_half_life_s: A sample weighs half after it; > 0.
        memory_histogram_decay_half_life_s: The same for memory.
        memory_aggregation_interval_s: Of each interval of this length the peak counts; > 0.
        recommender: The recommender's other flags.
        updater: The updater's other flags.
    """

    update_mode: str = "Recreate"
    min_replicas: int | None = None
    min_allowed: Amounts = NOTHING
    max_allowed: Amounts = NOTHING
    controlled_resources: tuple[str, ...] = RESOURCES
    eviction_requirements: tuple[EvictionRequirement, ...] = ()
    recommender_interval_s: float = 60.0
    updater_interval_s: float = 60.0
    cpu_histogram_decay_half_life_s: float = _DAY_S
    memory_histogram_decay_half_life_s: float = _DAY_S
    memory_aggregation_interval_s: float = _DAY_S
    recommender: RecommenderConfig = DEFAULTS
    updater: UpdaterConfig = UPDATER_DEFAULTS

    def __post_init__(self) -> None:
        try:
            self._check()
        except ParameterError as error:
            raise ParameterError(f"vertical.{error}") from None

    def _check(self) -> None:
        _require_mode(self.update_mode)
        if self.min_replicas is not None:
            require_at_least(1, min_replicas=self.min_replicas)
        _require_resources(controlled_resources=self.controlled_resources)
        for each in self.eviction_requirements:
            _require_resources(eviction_requirements=each.resources)
            if each.change_requirement not in CHANGE_REQUIREMENTS:
                known = did_you_mean(each.change_requirement, CHANGE_REQUIREMENTS)
                raise ParameterError(f"eviction_requirements: unknown {each.change_requirement!r}; {known}")
        _require_allowed(self.min_allowed, self.max_allowed)
        require_positive(
            recommender_interval_s=self.recommender_interval_s,
            updater_interval_s=self.updater_interval_s,
            cpu_histogram_decay_half_life_s=self.cpu_histogram_decay_half_life_s,
            memory_histogram_decay_half_life_s=self.memory_histogram_decay_half_life_s,
            memory_aggregation_interval_s=self.memory_aggregation_interval_s,
        )

    @classmethod
    def from_manifest(cls, source: str | Path, *, container: str = "*", **given: Any) -> Self:
        """What a VerticalPodAutoscaler object asks for.

        Args:
            source: A path, or the YAML itself.
            container: The replicas' one container: the policy of this name counts, else the one for `*`.
            given: Attributes that win over the object.

        Raises:
            ParameterError: If a field does not fit or is not simulated, or no policy is for the container.
        """
        vpa = read_vertical_pod_autoscaler(source)
        policy = policy_for(container, vpa.container_policies)
        place = "spec.resourcePolicy.containerPolicies"
        if policy is None and vpa.container_policies:
            raise ParameterError(f"{place}: none is for container {container!r} or for '*'; name the service like one")
        policy = policy or ContainerPolicy()
        if policy.mode == "Off":
            raise ParameterError(f"{place}: mode of container {container!r} is Off, so nothing would be recommended")
        update = vpa.update_policy
        values = {
            "update_mode": update.update_mode,
            "min_replicas": update.min_replicas,
            "eviction_requirements": update.eviction_requirements,
            "min_allowed": policy.min_allowed,
            "max_allowed": policy.max_allowed,
            "controlled_resources": policy.controlled_resources,
        }
        return cls(**(values | given))

    @property
    def update_policy(self) -> UpdatePolicy:
        """The part of the object that the updater reads."""
        return UpdatePolicy(
            update_mode=self.update_mode,
            min_replicas=self.min_replicas,
            eviction_requirements=self.eviction_requirements,
        )

    @property
    def container_policy(self) -> ContainerPolicy:
        """The part of the object that the recommender reads."""
        return ContainerPolicy(
            min_allowed=self.min_allowed,
            max_allowed=self.max_allowed,
            controlled_resources=self.controlled_resources,
        )

    def __str__(self) -> str:
        return f"{self.update_mode}, {' and '.join(self.controlled_resources)}"


def require_resizable(vertical: VerticalAutoscaler, profile: ServiceProfile) -> Amounts:
    """What a replica requests before anybody changes it, if it is known what it uses of that.

    Raises:
        ParameterError: If a controlled resource is not requested, or the service does not say how much it uses.
    """
    request = profile.resource_request
    resources = replica_pod(request, "replica").requests if request is not None else None
    for resource in vertical.controlled_resources:
        way_out = f"or leave {resource} out of vertical.controlled_resources"
        if resources is None or not resources.of(resource):
            entry = "cpu_cores" if resource == "cpu" else "memory_gib"
            raise ParameterError(
                f"vertical: {resource} is controlled, but a replica of {profile.name} requests none;"
                f" set service.resource_request.{entry}, {way_out}"
            )
        if resource not in profile.resources:
            raise ParameterError(
                f"vertical: {resource} is controlled, but how much of it a replica of {profile.name} uses is not"
                f" stated; set service.resources.{resource}, {way_out}"
            )
    assert resources is not None
    return Amounts(cpu_millicores=resources.cpu_millicores, memory_bytes=resources.memory_bytes)


def _require_mode(mode: str) -> None:
    if mode in MODES:
        return
    if mode in UPDATE_MODES:
        raise ParameterError(f"update_mode: {mode} resizes replicas in place, which is not simulated; use Recreate")
    raise ParameterError(f"update_mode: unknown {mode!r}; {did_you_mean(mode, MODES)}")


def _require_resources(**resources: tuple[str, ...]) -> None:
    for name, given in resources.items():
        if not given:
            raise ParameterError(f"{name} must name cpu, memory or both, was empty")
        for resource in given:
            if resource not in RESOURCES:
                raise ParameterError(f"{name}: unknown {resource!r}; {did_you_mean(resource, RESOURCES)}")


def _require_allowed(low: Amounts, high: Amounts) -> None:
    for resource in RESOURCES:
        least, most = low.of(resource), high.of(resource)
        given = {f"min_allowed.{resource}": least, f"max_allowed.{resource}": most}
        amounts = {name: amount for name, amount in given.items() if amount is not None}
        require_count(**amounts)
        if most:  # 0 is no bound
            require_ordered(**amounts)
