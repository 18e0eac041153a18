"""AIBrix's two algorithms of its own: APA follows a utilization per pod, KPA a total.

KPA as it is written divides the averaged metric by the target and does not multiply by the pods. That is
right for a total, such as what the GPU optimizer publishes, and wrong for a mean over pods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)

__all__ = ["ScalingContext", "apa_replicas", "apply_constraints", "enters_panic", "kpa_replicas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingContext:
    """What a PodAutoscaler configures, with the annotations' defaults.

    Attributes:
        min_replicas: Never fewer, >= 0.
        max_replicas: Never more, >= 1.
        max_scale_up_rate: At most this factor up in one step, > 0.
        max_scale_down_rate: At most this divisor down in one step, > 0.
        up_tolerance: Relative excess that APA leaves alone, >= 0.
        down_tolerance: Relative shortfall that APA leaves alone, >= 0.
        panic_threshold: KPA panics where the short window exceeds the long one by more than this factor.
        scale_up_cooldown_s: Window over which growth takes the largest recommendation, >= 0.
        scale_down_cooldown_s: Window over which shrinking takes the smallest recommendation, >= 0.
    """

    min_replicas: int = 1
    max_replicas: int = 1
    max_scale_up_rate: float = 2.0
    max_scale_down_rate: float = 2.0
    up_tolerance: float = 0.1
    down_tolerance: float = 0.1
    panic_threshold: float = 2.0
    scale_up_cooldown_s: float = 0.0
    scale_down_cooldown_s: float = 300.0

    def __post_init__(self) -> None:
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        require_positive(
            max_scale_up_rate=self.max_scale_up_rate,
            max_scale_down_rate=self.max_scale_down_rate,
            panic_threshold=self.panic_threshold,
        )
        require_nonnegative(
            up_tolerance=self.up_tolerance,
            down_tolerance=self.down_tolerance,
            scale_up_cooldown_s=self.scale_up_cooldown_s,
            scale_down_cooldown_s=self.scale_down_cooldown_s,
        )


def apa_replicas(current: int, *, use_per_pod: float, target: float, context: ScalingContext) -> int:
    """⌈current · use / target⌉ outside the tolerances, at most ⌈rate · current⌉ and at least ⌊current / rate⌋.

    Args:
        current: Replicas asked for now; >= 0.
        use_per_pod: The stable window's average.
        target: Wanted per pod; > 0.
        context: Tolerances and rates.

    Returns:
        Before minimum and maximum.

    Source: AIBrix `pkg/controller/podautoscaler/algorithm/apa.go`.

    >>> context = ScalingContext(max_replicas=100)
    >>> [apa_replicas(4, use_per_pod=use, target=50.0, context=context) for use in (55.0, 80.0, 500.0, 10.0)]
    [4, 7, 8, 2]
    """
    require_positive(target=target)
    ratio = use_per_pod / target
    if ratio > 1 + context.up_tolerance:
        return min(math.ceil(current * ratio), math.ceil(context.max_scale_up_rate * current))
    if ratio < 1 - context.down_tolerance:
        return max(math.ceil(current * ratio), math.floor(current / context.max_scale_down_rate))
    return current


def enters_panic(*, stable: float, panic: float, panic_threshold: float) -> bool:
    """Whether the short window has run away from the long one, or the long one has nothing.

    Source: AIBrix `pkg/controller/podautoscaler/algorithm/kpa.go`.

    >>> enters_panic(stable=10.0, panic=20.0, panic_threshold=2.0)
    False
    """
    return stable <= 0 or panic / stable > panic_threshold


def kpa_replicas(
    current: int,
    *,
    stable: float,
    panic: float,
    target: float,
    context: ScalingContext,
    in_panic: bool,
    activation_scale: int = 1,
    max_panic_pods: int = 0,
) -> int:
    """⌈stable / target⌉, in panic the larger of that and ⌈panic / target⌉, within the rates.

    Args:
        current: Replicas asked for now; >= 0.
        stable: The long window's average.
        panic: The short window's average.
        target: > 0.
        context: The rates: at most max(1, ⌈up · current⌉), at least ⌊current / down⌋.
        in_panic: From `enters_panic`.
        activation_scale: Fewest replicas once any are wanted; 1 in practice, nothing sets it.
        max_panic_pods: The most that were wanted since the panic began. The controller's own context always
            says 0 and forgets what it is told, so that in practice panic does not keep replicas.

    Returns:
        Before minimum and maximum.

    Source: AIBrix `pkg/controller/podautoscaler/algorithm/kpa.go`, `context/context.go`.

    >>> context = ScalingContext(max_replicas=100)
    >>> kpa_replicas(3, stable=30.0, panic=50.0, target=10.0, context=context, in_panic=True)
    5
    """
    require_positive(target=target)
    most = max(1, math.ceil(context.max_scale_up_rate * current))
    fewest = math.floor(current / context.max_scale_down_rate)
    wanted = [min(max(math.ceil(value / target), fewest), most) for value in (stable, panic)]
    from_stable, from_panic = (max(activation_scale, one) if one > 0 else one for one in wanted)
    return max(from_stable, from_panic, max_panic_pods) if in_panic else from_stable


def apply_constraints(replicas: int, context: ScalingContext) -> int:
    """Within [min, max]; where they contradict each other, the minimum holds.

    Source: AIBrix `pkg/controller/podautoscaler/algorithm/algorithm.go`.
    """
    if replicas < context.min_replicas:
        return context.min_replicas
    return min(replicas, context.max_replicas)
