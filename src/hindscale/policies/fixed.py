"""A fleet of constant size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_count
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.sizing import capacity_rps, replicas_for_rate

__all__ = ["Fixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """No scaling at all: the baseline of everyone who provisions for the peak.

    Attributes:
        replicas: The size; by default what the recording's peak needs.
        hindsight: Whether the size was taken from the very recording it is judged on.
    """

    name: ClassVar[str] = "fixed"
    no_manifest: ClassVar[str] = "a fleet of constant size needs no autoscaler, set spec.replicas"
    tunable: ClassVar[Mapping[str, Tunable]] = {"replicas": Range(low=0.2, high=2.0, times_default=True)}
    replicas: int
    hindsight: bool = False

    def __post_init__(self) -> None:
        require_count(replicas=self.replicas)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if "replicas" not in given:
            if spec.peak_rate_rps is None:
                raise ParameterError("fixed needs replicas, and no peak is known to derive it from; fixed:replicas=8")
            peak = replicas_for_rate(spec.peak_rate_rps, capacity_rps=capacity_rps(spec.profile, spec.slo), alpha=1.0)
            given["replicas"] = min(max(peak, spec.min_replicas), spec.max_replicas)
            given["hindsight"] = True
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    def initial_state(self) -> None:
        return None

    def decide(self, observation: Observation, state: None) -> tuple[Decision, None]:
        return Decision(desired_replicas=self.replicas, reason=f"always {self.replicas}"), None
