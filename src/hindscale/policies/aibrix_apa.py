"""AIBrix PodAutoscaler, strategy APA, as a scaling policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hindscale.autoscalers.aibrix import ScalingContext, apa_replicas
from hindscale.policies._aibrix import AibrixStrategy

__all__ = ["AibrixApa"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AibrixApa(AibrixStrategy):
    """⌈current · use / target⌉ outside ±10 %, at most doubled and at most halved in one step."""

    name: ClassVar[str] = "aibrix-apa"
    strategy: ClassVar[str] = "APA"
    emulates: ClassVar[str] = "AIBrix PodAutoscaler, strategy APA, source of 2026"
    leaves_out: ClassVar[str] = (
        "The HPA strategy (a plain HPA), predictive scaling, roles within a StormService, and the GPU optimizer. The KV"
        " cache is not simulated: the accelerator's utilization stands in for it."
    )
    metrics: tuple[str, ...] = ("concurrency-per-replica",)

    @staticmethod
    def algorithm(
        current: int, averages: tuple[float, float], target: float, context: ScalingContext
    ) -> tuple[int, float, str]:
        stable, _ = averages
        return apa_replicas(current, use_per_pod=stable, target=target, context=context), stable, "apa"
