"""Alibaba Cloud step scaling rules as a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hindscale.autoscalers._steps import StepAdjustment, parse_steps
from hindscale.core.tunable import Range, Tunable
from hindscale.policies._alibaba import AlibabaTriggered

__all__ = ["AlibabaStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaStep(AlibabaTriggered):
    """Two event-triggered tasks, each with steps: the further the metric is beyond the threshold, the more.

    ESS has no default rule; ours add one instance, far beyond two, at 80 % of what a replica sustains, and
    remove one at 40 %.

    Attributes:
        scale_out_steps: LOWER:UPPER=ADJUSTMENT, bounds relative to the threshold; by default 1, and 2 from half
            the threshold beyond it.
        scale_in_steps: The same for shrinking, with negative bounds and adjustments.
        estimated_instance_warmup_s: Replicas that have been ready for less do not count; >= 0.
    """

    name: ClassVar[str] = "alibaba-step"
    emulates: ClassVar[str] = "Alibaba Cloud Auto Scaling (ESS), step scaling rules, as documented in 2026"
    rule_type: ClassVar[str] = "StepScalingRule"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        **AlibabaTriggered.tunable,
        "estimated_instance_warmup_s": Range(low=0, high=600, is_whole=True),
    }
    scale_out_steps: tuple[str, ...] = ()
    scale_in_steps: tuple[str, ...] = (":0=-1",)
    estimated_instance_warmup_s: float = 300.0

    @property
    def rule_steps(self) -> tuple[tuple[StepAdjustment, ...], tuple[StepAdjustment, ...]]:
        half = self.scale_out_threshold / 2
        out = self.scale_out_steps or (f"0:{half:.6f}=1", f"{half:.6f}:=2")
        return parse_steps(out, name="scale_out_steps"), parse_steps(self.scale_in_steps, name="scale_in_steps")

    @property
    def rule_warmup_s(self) -> float:
        return self.estimated_instance_warmup_s
