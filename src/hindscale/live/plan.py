"""Everything that settles what a live run decides, as one value that can be written down and read again.

A decision is replayed from the plan, the state before it and what was observed. So the plan holds texts and numbers
only, and the policies are built from it in the same way every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from hindscale.core.catalog import parse_entry
from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.control import Guardrail, Policy
from hindscale.core.distributions import distribution_from
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import Balancer, ResourceRequest, ResourceUse, ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.guardrails import GUARDRAILS, in_order
from hindscale.guardrails.bounds import Bounds
from hindscale.policies import build_policy

__all__ = ["Plan", "Watch"]

_DISTRIBUTIONS = ("service_time", "cold_start", "provisioning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """When a policy that was just promoted is sent back.

    Attributes:
        for_s: It is on probation for this long; 0 never sends back.
        requests: Fewer requests than this prove nothing.
    """

    for_s: float = 600.0
    requests: int = 100

    def __post_init__(self) -> None:
        require_nonnegative(watch_for_s=self.for_s, watch_requests=self.requests)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is run, and by which rules.

    Attributes:
        name: The service's name.
        profile: What a replica is.
        slo: What users are promised.
        policy: The policy that decides, as `name:key=value,...`.
        shadows: Policies that are scored beside it.
        guardrails: Limits besides the bounds, in the same form.
        control_interval_s: Seconds between decisions; a policy with a pace of its own keeps to that.
        min_replicas, max_replicas: The bounds.
        initial_replicas: Replicas that a fleet begins with.
        max_age_s: Measurements older than this hold the fleet; None for four control intervals.
        act: Whether targets are carried out. Otherwise they are only written down.
        is_paused: Whether targets are not carried out for the time being.
        watch: When a promotion is taken back.
    """

    name: str
    profile: ServiceProfile
    slo: Slo
    policy: str = "target-tracking"
    shadows: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ("stabilization",)
    control_interval_s: float = 15.0
    min_replicas: int = 1
    max_replicas: int = 10
    initial_replicas: int = 1
    max_age_s: float | None = None
    act: bool = False
    is_paused: bool = False
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        require_positive(control_interval_s=self.control_interval_s)
        if self.max_age_s is not None:
            require_positive(max_age_s=self.max_age_s)
        everyone = (self.policy, *self.shadows)
        for text in everyone:
            if everyone.count(text) > 1:
                raise ParameterError(f"each policy must be there once, but {text!r} appears twice")
            self.build(text)
        self.limits(self.policy)

    @property
    def acts(self) -> bool:
        """Whether targets are carried out now."""
        return self.act and not self.is_paused

    @property
    def policies(self) -> tuple[str, ...]:
        """All policies, the one that decides first."""
        return (self.policy, *self.shadows)

    @property
    def oldest_s(self) -> float:
        """Measurements older than this hold the fleet."""
        return 4 * self.control_interval_s if self.max_age_s is None else self.max_age_s

    @cached_property
    def spec(self) -> ServiceSpec:
        """The service as policies see it."""
        return ServiceSpec(
            profile=self.profile,
            slo=self.slo,
            control_interval_s=self.control_interval_s,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
        )

    def build(self, text: str) -> Policy[Any]:
        """A policy from its text.

        Raises:
            ParameterError: If it is unknown or its parameters do not fit.
        """
        name, given = parse_entry(text)
        policy = build_policy(name, self.spec, given)
        if getattr(policy, "hindsight", False):
            raise ParameterError(f"{text}: is sized on a recording of the traffic, and tomorrow's is not known")
        return policy

    def interval_s(self, text: str) -> float:
        """Seconds between a policy's decisions: the service's, but for one that has a pace of its own."""
        own: float | None = getattr(self.build(text), "interval_s", None)
        return self.control_interval_s if own is None else own

    def limits(self, text: str) -> tuple[Guardrail[Any], ...]:
        """The guardrails of a policy. One that stands for a whole autoscaler has its own, and keeps the bounds."""
        bounds = Bounds(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        if getattr(self.build(text), "own_limits", False):
            return (bounds,)
        return in_order((*(_guardrail(each) for each in self.guardrails), bounds))

    def promoted(self, text: str) -> Plan:
        """The plan with a shadow in the deciding policy's place, and that one among the shadows.

        Raises:
            ParameterError: If there is no such shadow.
        """
        if text not in self.shadows:
            raise ParameterError(f"promote: {text!r} is not a shadow policy; {did_you_mean(text, self.shadows)}")
        others = tuple(self.policy if each == text else each for each in self.shadows)
        return replace(self, policy=text, shadows=others)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        profile = {each.name: getattr(self.profile, each.name) for each in fields(self.profile)}
        profile |= {name: profile[name].to_dict() for name in _DISTRIBUTIONS}
        profile["balancer"] = str(self.profile.balancer)
        profile["resources"] = {name: asdict(use) for name, use in self.profile.resources.items()}
        request = self.profile.resource_request
        profile["resource_request"] = None if request is None else asdict(request)
        return plain | {"profile": profile, "slo": str(self.slo), "watch": asdict(self.watch)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` wrote down."""
        values, profile = dict(plain), dict(plain["profile"])
        profile |= {name: distribution_from(profile[name]) for name in _DISTRIBUTIONS}
        profile["balancer"] = Balancer(profile["balancer"])
        profile["resources"] = {name: ResourceUse(**use) for name, use in profile["resources"].items()}
        request = profile["resource_request"]
        profile["resource_request"] = None if request is None else ResourceRequest(**request)
        values |= {name: tuple(values[name]) for name in ("shadows", "guardrails")}
        values |= {
            "profile": ServiceProfile(**profile),
            "slo": Slo.parse(values["slo"]),
            "watch": Watch(**values["watch"]),
        }
        return cls(**values)


def _guardrail(text: str) -> Guardrail[Any]:
    name, given = parse_entry(text)
    if name == "bounds":
        raise ParameterError("guardrail bounds is always there; set min_replicas and max_replicas instead")
    guardrail: Guardrail[Any] = GUARDRAILS.find(name)(**GUARDRAILS.parse_parameters(name, given))
    return guardrail
