"""What a VerticalPodAutoscaler object asks for, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hindscale.autoscalers.vpa.amounts import Amounts

__all__ = [
    "CHANGE_REQUIREMENTS",
    "CONTAINER_MODES",
    "RECREATE",
    "UPDATE_MODES",
    "ContainerPolicy",
    "EvictionRequirement",
    "UpdatePolicy",
    "VerticalPodAutoscaler",
    "policy_for",
]

UPDATE_MODES = ("Off", "Initial", "Recreate", "InPlaceOrRecreate", "InPlace", "Auto")
CONTAINER_MODES = ("Auto", "Off")
CHANGE_REQUIREMENTS = ("TargetHigherThanRequests", "TargetLowerThanRequests")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPolicy:
    """How one container, or every other one (`*`), may be changed.

    Attributes:
        container_name: The container, or `*`.
        mode: `Auto`, or `Off` for no recommendation.
        min_allowed: Least that is recommended; None or 0 for no such bound.
        max_allowed: Most that is recommended; None or 0 for no such bound.
        controlled_resources: Resources that are recommended at all.
        controlled_values: `RequestsAndLimits` or `RequestsOnly`; kept for completeness, limits are not emulated.
        oom_bump_up_ratio: In place of the recommender's own; None for that.
        oom_min_bump_up_bytes: Likewise.
    """

    container_name: str = "*"
    mode: str = "Auto"
    min_allowed: Amounts = Amounts()
    max_allowed: Amounts = Amounts()
    controlled_resources: tuple[str, ...] = ("cpu", "memory")
    controlled_values: str = "RequestsAndLimits"
    oom_bump_up_ratio: float | None = None
    oom_min_bump_up_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionRequirement:
    """Evict only if the target is higher (or lower) than the request for one of the resources.

    Attributes:
        resources: `cpu`, `memory` or both.
        change_requirement: `TargetHigherThanRequests` or `TargetLowerThanRequests`.
    """

    resources: tuple[str, ...]
    change_requirement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePolicy:
    """When recommendations are applied to pods.

    Attributes:
        update_mode: `Off`: never; `Initial`: to new pods; `Recreate` and `Auto`: by evicting pods;
            `InPlaceOrRecreate`: by resizing them, and by evicting where that fails; `InPlace`: only by resizing.
        min_replicas: Live pods needed for an update; None for the updater's own setting.
        eviction_requirements: All must hold for one container of the pod.
        evict_after_oom_s: In place of the updater's own setting; None for that.
    """

    update_mode: str = "Recreate"
    min_replicas: int | None = None
    eviction_requirements: tuple[EvictionRequirement, ...] = ()
    evict_after_oom_s: float | None = None


RECREATE = UpdatePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerticalPodAutoscaler:
    """One object: whom it watches, how pods are updated, and each container's policy."""

    name: str = ""
    target: str = ""  # kind/name of the workload
    update_policy: UpdatePolicy = UpdatePolicy()
    container_policies: tuple[ContainerPolicy, ...] = ()


def policy_for(container: str, policies: Iterable[ContainerPolicy]) -> ContainerPolicy | None:
    """The container's own policy, else the one for `*`, else None.

    >>> policy_for("model", [ContainerPolicy(), ContainerPolicy(container_name="model", mode="Off")]).mode
    'Off'
    """
    by_name = {policy.container_name: policy for policy in reversed(tuple(policies))}
    return by_name.get(container, by_name.get("*"))
