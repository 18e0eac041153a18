"""The probabilistic model of utilization as a scaling policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_fraction, require_ordered, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import RESOURCES, ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import UPPER_BOUND, Decision, Observation
from hindscale.policies.utilization import LOWER, UPPER, responsive_resources, wake_up
from hindscale.sizing.normal import NormalSizing

__all__ = ["NormalModel"]

Sample = tuple[float, float]  # (time, utilization * replicas: the work there was)


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalModel:
    """Add N_plus = P N^2 / (1 - P N) replicas with P = P(U > T_U), or remove N_minus = P N with P = P(U < T_L).

    U is taken for normal with the mean and deviation of a window. Utilization alone would not survive a
    change of the fleet: the window keeps the work (utilization times replicas) and divides it by the
    replicas there are now, starting ones included. N_plus is rounded to the nearest, N_minus down; where
    both say something, the fleet grows. For P N >= 1 the formula has no finite answer, and the policy asks
    for as many replicas as the bounds allow.

    Attributes:
        upper: T_U, as a fraction; in (0, 1].
        lower: T_L, as a fraction; in (0, 1] and below `upper`.
        window_s: Length of the window in seconds; > 0.
        resource: cpu, memory or accelerator; by default the first that crosses both thresholds.
    """

    name: ClassVar[str] = "normal-model"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "upper": Range(low=0.2, high=0.95),
        "lower": Range(low=0.05, high=0.7),
        "window_s": Range(low=60, high=1200, is_log=True, is_whole=True),
    }
    upper: float = UPPER
    lower: float = LOWER
    window_s: float = 300.0
    resource: str = "cpu"

    def __post_init__(self) -> None:
        require_fraction(upper=self.upper, lower=self.lower)
        require_ordered(lower=self.lower, upper=self.upper)
        require_positive(window_s=self.window_s)
        if self.resource not in RESOURCES:
            raise ParameterError(
                f"resource: nobody measures {self.resource!r}; {did_you_mean(self.resource, RESOURCES)}"
            )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if "resource" not in given:
            upper, lower = given.get("upper", UPPER), given.get("lower", LOWER)
            given["resource"] = responsive_resources(spec, upper=upper, lower=lower)[0]
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return (f"{self.resource}_utilization",)

    def initial_state(self) -> tuple[Sample, ...]:
        return ()

    def decide(self, observation: Observation, state: tuple[Sample, ...]) -> tuple[Decision, tuple[Sample, ...]]:
        current = observation.requested_replicas
        if current == 0:
            return wake_up(observation), ()
        work = getattr(observation, f"{self.resource}_utilization") * observation.ready_replicas
        oldest_s = observation.time_s - self.window_s
        state = (*(sample for sample in state if sample[0] > oldest_s), (observation.time_s, work))
        window = [work / current for _, work in state]
        sizing = NormalSizing.of(window, current, upper=self.upper, lower=self.lower)
        if sizing is None:
            return Decision(desired_replicas=current, reason="nothing measured in the window yet"), state
        return _decision(sizing, current), state


def _decision(sizing: NormalSizing, current: int) -> Decision:
    seen = f"U ~ N({sizing.mu:.3f}, {sizing.sigma:.3f}²)"
    added, removed = sizing.replicas_to_add, sizing.replicas_to_remove
    if added is None:
        odds = f"P(above)·N = {sizing.share_above * current:.2f} ≥ 1"
        return Decision(desired_replicas=UPPER_BOUND, reason=f"{seen}: {odds} has no finite answer, so the upper bound")
    if added:
        return Decision(desired_replicas=current + added, reason=f"{seen}: N+ = {sizing.n_plus:.2f}")
    if removed:
        return Decision(desired_replicas=current - removed, reason=f"{seen}: N- = {sizing.n_minus:.2f}")
    reason = f"{seen}: N+ = {sizing.n_plus:.2f}, N- = {sizing.n_minus:.2f}, neither is a replica"
    return Decision(desired_replicas=current, reason=reason)
