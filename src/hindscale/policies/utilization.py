"""Utilization thresholds: out above T_U, in below T_L."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_fraction, require_ordered
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import RESOURCES, ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.sizing.utilization import ROUNDINGS, Rounding, scale_in_replicas, scale_out_replicas

__all__ = ["LOWER", "UPPER", "Utilization", "responsive_resources", "wake_up"]

UPPER, LOWER = 0.8, 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilization:
    """Scale out when any resource is above T_U, in when all of them are below T_L.

    N counts the replicas that the utilization was measured on. See `hindscale.sizing.utilization` for
    the two readings of the formulas.

    Attributes:
        upper: T_U, as a fraction; in (0, 1].
        lower: T_L, as a fraction; in (0, 1] and below `upper`.
        resources: Which of cpu, memory, accelerator to watch; by default all whose utilization crosses
            both thresholds between an idle and a full replica, since others could never trigger.
        rounding: "product" scales in proportion; "ratio" rounds first, as the formulas are printed.
    """

    name: ClassVar[str] = "utilization"
    no_manifest: ClassVar[str] = "it has a threshold for each direction, an HPA one target; nearest is hpa:target=80"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "upper": Range(low=0.2, high=0.95),
        "lower": Range(low=0.05, high=0.7),
    }
    upper: float = UPPER
    lower: float = LOWER
    resources: tuple[str, ...] = ("cpu",)
    rounding: Rounding = "product"

    def __post_init__(self) -> None:
        require_fraction(upper=self.upper, lower=self.lower)
        require_ordered(lower=self.lower, upper=self.upper)
        if self.lower == self.upper:
            raise ParameterError(f"lower must be < upper, both are {self.upper:g}; the fleet would never come to rest")
        if not self.resources:
            raise ParameterError(f"resources must name at least one of {', '.join(RESOURCES)}, was empty")
        for resource in self.resources:
            if resource not in RESOURCES:
                raise ParameterError(f"resources: nobody measures {resource!r}; {did_you_mean(resource, RESOURCES)}")
        if self.rounding not in ROUNDINGS:
            raise ParameterError(f"rounding must be 'product' or 'ratio', was {self.rounding!r}")

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if "resources" not in given:
            upper, lower = given.get("upper", UPPER), given.get("lower", LOWER)
            given["resources"] = responsive_resources(spec, upper=upper, lower=lower)
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(f"{resource}_utilization" for resource in self.resources)

    def initial_state(self) -> None:
        return None

    def decide(self, observation: Observation, state: None) -> tuple[Decision, None]:
        current = observation.requested_replicas
        if current == 0:
            return wake_up(observation), None
        used = {resource: getattr(observation, f"{resource}_utilization") for resource in self.resources}
        measured_on = observation.ready_replicas
        if max(used.values()) > self.upper:
            wanted = max(self._out(measured_on, value) for value in used.values())
            # Replicas that are still starting were ordered for this same load: never order fewer now.
            desired, sign, threshold = max(wanted, current), ">", self.upper
        elif max(used.values()) < self.lower:
            wanted = max(self._in(measured_on, value) for value in used.values())
            desired, sign, threshold = min(wanted, current), "<", self.lower
        else:
            desired, sign, threshold = current, "", 0.0
        seen = ", ".join(f"{resource} {value:.1%}" for resource, value in used.items())
        reason = f"{seen} {sign} {threshold:.0%} on {measured_on}" if sign else f"{seen} within thresholds"
        return Decision(desired_replicas=desired, reason=reason), None

    def _out(self, replicas: int, value: float) -> int:
        return scale_out_replicas(replicas, value, self.upper, rounding=self.rounding)

    def _in(self, replicas: int, value: float) -> int:
        return scale_in_replicas(replicas, value, self.lower, rounding=self.rounding)


def responsive_resources(spec: ServiceSpec, *, upper: float, lower: float) -> tuple[str, ...]:
    """The resources of a service that cross both thresholds between an idle and a full replica.

    Raises:
        ParameterError: If there is none.
    """
    uses = spec.profile.resources
    found = tuple(resource for resource, use in uses.items() if use.idle < lower and use.full > upper)
    if not found:
        ranges = ", ".join(f"{resource} {use.idle:.0%} to {use.full:.0%}" for resource, use in uses.items())
        raise ParameterError(
            f"no resource of {spec.profile.name} crosses both {lower:.0%} and {upper:.0%} ({ranges});"
            " choose other thresholds or name resources"
        )
    return found


def wake_up(observation: Observation) -> Decision:
    """A fleet of none has no utilization: one replica if there is any load."""
    is_loaded = observation.arrival_rate_rps > 0 or observation.queued_requests > 0
    return Decision(
        desired_replicas=int(is_loaded), reason="no replicas, load" if is_loaded else "no replicas, no load"
    )
