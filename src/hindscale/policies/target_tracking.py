"""Hold the mean load per replica at a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_positive, require_share
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._hpa_writing import load_manifest
from hindscale.sizing import capacity_rps, replicas_for_load

__all__ = ["TargetTracking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTracking:
    """Hold the mean load per replica at a target, leaving small errors alone (the HPA rule).

    desired = ⌈(ongoing + queued) / target⌉.

    Attributes:
        target_per_replica: Wanted requests per replica, in service and queued; by default the number that
            is in service at 80 % of what one replica sustains within the SLO (Little's law).
        tolerance: Relative error that is left alone, in [0, 1).
    """

    name: ClassVar[str] = "target-tracking"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_per_replica": Range(low=0.2, high=1.5, times_default=True),
        "tolerance": Range(low=0.0, high=0.3),
    }
    target_per_replica: float
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        require_positive(target_per_replica=self.target_per_replica)
        require_share(tolerance=self.tolerance)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if "target_per_replica" not in given:
            in_service = capacity_rps(spec.profile, spec.slo) * spec.profile.service_time.mean_s
            given["target_per_replica"] = round(0.8 * in_service, 3)
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("ongoing_requests", "queued_requests")

    def initial_state(self) -> None:
        return None

    def decide(self, observation: Observation, state: None) -> tuple[Decision, None]:
        requests = observation.ongoing_requests + observation.queued_requests
        # Starting replicas count: they will answer this load once warm, and a policy that forgot them
        # would order them again on every tick of a cold start.
        current = observation.requested_replicas
        desired = replicas_for_load(requests, self.target_per_replica)
        if abs(requests / self.target_per_replica - current) <= self.tolerance * current:
            desired = current
        reason = f"{requests:.4g} requests / {self.target_per_replica:g} per replica"
        return Decision(desired_replicas=desired, reason=reason), None

    def as_manifest(self, workload: Workload) -> Manifest:
        """An HPA on an external metric: the same rule, as fast as this one, and as slow to shrink as the guardrail."""
        return load_manifest(self.target_per_replica, tolerance=self.tolerance, workload=workload)
