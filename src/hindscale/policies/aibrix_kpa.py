"""AIBrix PodAutoscaler, strategy KPA, as a scaling policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.autoscalers.aibrix import ScalingContext, enters_panic, kpa_replicas
from hindscale.policies._aibrix import AibrixStrategy

__all__ = ["AibrixKpa"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AibrixKpa(AibrixStrategy):
    """⌈average / target⌉ of a long window, in panic of the short one too, at most doubled and halved in one step.

    The average is not multiplied by the replicas, as in the original: metrics want to be totals.
    """

    name: ClassVar[str] = "aibrix-kpa"
    strategy: ClassVar[str] = "KPA"
    emulates: ClassVar[str] = "AIBrix PodAutoscaler, strategy KPA, source of 2026"
    leaves_out: ClassVar[str] = (
        "The HPA strategy (a plain HPA), predictive scaling, roles within a StormService, the GPU optimizer, and the"
        " tolerance around the target that the newest KPA has."
    )
    metrics: tuple[str, ...] = ("total-concurrency",)

    @staticmethod
    def algorithm(
        current: int, averages: tuple[float, float], target: float, context: ScalingContext
    ) -> tuple[int, float, str]:
        stable, panic = averages
        in_panic = enters_panic(stable=stable, panic=panic, panic_threshold=context.panic_threshold)
        replicas = kpa_replicas(current, stable=stable, panic=panic, target=target, context=context, in_panic=in_panic)
        return (replicas, panic, "panic mode") if in_panic else (replicas, stable, "stable mode")
