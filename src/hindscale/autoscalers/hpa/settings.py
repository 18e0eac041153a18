"""The controller manager's own settings, and what differs between the releases that are emulated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hindscale.autoscalers.hpa.tolerance import DEFAULT_TOLERANCE
from hindscale.core.checks import require_nonnegative
from hindscale.core.errors import ParameterError

__all__ = ["DEFAULT_VERSION", "NEWEST", "SYNC_PERIOD_S", "V1_28", "V1_33", "Release", "Settings", "release_of"]

SYNC_PERIOD_S = 15.0
DEFAULT_VERSION = "1.33"
_FIRST_MINOR, _TWO_TOLERANCES_MINOR = 28, 33


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The rules of one release, for those that have changed.

    Attributes:
        has_two_tolerances: Tolerance is one bound a direction, `1 - down <= ratio <= 1 + up`, and may be set
            in `behavior`; before 1.33 it is `|1 - ratio| <= tolerance`.
        missing_container_fails: A pod without the container of a ContainerResource metric fails the whole
            metric; in the newest release it is a pod without a reading.
        ignores_succeeded: Pods that ended well are ignored like those that failed.
        keeps_scaled_to_zero: Metrics are read at 0 replicas only if the HPA itself scaled to 0.
    """

    has_two_tolerances: bool
    missing_container_fails: bool
    ignores_succeeded: bool
    keeps_scaled_to_zero: bool


V1_28 = Release(
    has_two_tolerances=False, missing_container_fails=True, ignores_succeeded=False, keeps_scaled_to_zero=False
)
V1_33 = Release(
    has_two_tolerances=True, missing_container_fails=True, ignores_succeeded=False, keeps_scaled_to_zero=False
)
NEWEST = Release(
    has_two_tolerances=True, missing_container_fails=False, ignores_succeeded=True, keeps_scaled_to_zero=True
)


def release_of(version: str) -> Release:
    """The rules of a version such as `1.28`, `1.33`, or `newest` (the main branch of 2026).

    Raises:
        ParameterError: If it is no version, or older than 1.28.

    >>> release_of("1.31") == V1_28, release_of("v1.34.2") == V1_33
    (True, True)
    """
    if version == "newest":
        return NEWEST
    match = re.fullmatch(r"v?1\.([0-9]+)(?:\.[0-9]+)?", version)
    if match is None or int(match[1]) < _FIRST_MINOR:
        raise ParameterError(f"version must be 'newest' or 1.{_FIRST_MINOR} or later, such as 1.33, was {version!r}")
    return V1_33 if int(match[1]) >= _TWO_TOLERANCES_MINOR else V1_28


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the cluster's operator sets, the same for all HPAs: flags of kube-controller-manager.

    Attributes:
        tolerance: --horizontal-pod-autoscaler-tolerance, relative; >= 0.
        downscale_stabilization_s: --horizontal-pod-autoscaler-downscale-stabilization.
        cpu_initialization_period_s: --horizontal-pod-autoscaler-cpu-initialization-period.
        initial_readiness_delay_s: --horizontal-pod-autoscaler-initial-readiness-delay.
        has_scale_to_zero: The gate HPAScaleToZero, off by default.
        release: The rules that have changed between releases.
    """

    tolerance: float = DEFAULT_TOLERANCE
    downscale_stabilization_s: float = 300.0
    cpu_initialization_period_s: float = 300.0
    initial_readiness_delay_s: float = 30.0
    has_scale_to_zero: bool = False
    release: Release = V1_33

    def __post_init__(self) -> None:
        require_nonnegative(
            tolerance=self.tolerance,
            downscale_stabilization_s=self.downscale_stabilization_s,
            cpu_initialization_period_s=self.cpu_initialization_period_s,
            initial_readiness_delay_s=self.initial_readiness_delay_s,
        )
