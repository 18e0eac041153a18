"""What goes into one pass of the HPA's loop, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.autoscalers.hpa.behavior import Behavior, Recommendation, ScaleEvent
from hindscale.autoscalers.hpa.calculator import Proposal
from hindscale.autoscalers.hpa.metrics import Metric
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.tolerance import Tolerance

__all__ = ["Condition", "Hpa", "Memory", "Outcome", "tolerance_of"]

_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hpa:
    """The spec of a HorizontalPodAutoscaler, as far as it decides.

    Attributes:
        min_replicas: minReplicas; 0 needs the gate HPAScaleToZero.
        max_replicas: maxReplicas.
        metrics: At least one.
        behavior: None if the spec has none, which is another algorithm than the defaults of one.
    """

    min_replicas: int = 1
    max_replicas: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None = None


def tolerance_of(hpa: Hpa, settings: Settings = _DEFAULTS) -> Tolerance:
    """The tolerance in each direction: from `behavior` since 1.33, else the controller's."""
    two_sided, behavior = settings.release.has_two_tolerances, hpa.behavior
    up = behavior.scale_up.tolerance if behavior and two_sided else None
    down = behavior.scale_down.tolerance if behavior and two_sided else None
    return Tolerance(
        up=settings.tolerance if up is None else up,
        down=settings.tolerance if down is None else down,
        is_two_sided=two_sided,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the controller keeps of one HPA, in memory only: a restart of it begins with an empty one.

    Attributes:
        recommendations: What the metrics wanted.
        up_events: Steps up, with `behavior` only.
        down_events: Steps down, with `behavior` only.
        is_scaled_to_zero: The status condition ScaledToZero of the newest release; it survives restarts.
    """

    recommendations: tuple[Recommendation, ...] = ()
    up_events: tuple[ScaleEvent, ...] = ()
    down_events: tuple[ScaleEvent, ...] = ()
    is_scaled_to_zero: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of the status, as this pass set it last.

    Attributes:
        type: AbleToScale, ScalingActive or ScalingLimited.
        is_true: Its status.
        reason: One word.
        message: More words, where there are any.
    """

    type: str
    is_true: bool
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one pass came to.

    Attributes:
        replicas: status.desiredReplicas: the count that was written, or the current one.
        has_rescaled: Whether the count was written.
        conditions: Those that this pass set; others stay as they were.
        proposal: The proposal that decided; None if the metrics did not.
        metric_index: Which metric that was; -1 for none.
        stabilized_reason: ReadyForNewScale, ScaleUpStabilized or ScaleDownStabilized; empty if it did not
            come to that. Once it rescales, SucceededRescale takes its place in the condition.
        error: What the pass returns as its error; it may have scaled all the same.
    """

    replicas: int
    has_rescaled: bool = False
    conditions: tuple[Condition, ...]
    proposal: Proposal | None = None
    metric_index: int = -1
    stabilized_reason: str = ""
    error: str = ""

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if this pass set it."""
        return next((each for each in self.conditions if each.type == kind), None)
