"""Alibaba Cloud simple scaling rules as a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hindscale.autoscalers._steps import StepAdjustment
from hindscale.core.tunable import Range, Tunable
from hindscale.policies._alibaba import AlibabaTriggered

__all__ = ["AlibabaSimple"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaSimple(AlibabaTriggered):
    """Two event-triggered tasks, each with one adjustment; a cooldown follows every activity.

    ESS has no default rule; ours add one instance at 80 % of what a replica sustains, and remove one at 40 %.

    Attributes:
        scale_out_adjustment: What to grow by, or to.
        scale_in_adjustment: What to shrink by (negative), or to.
        cooldown_s: After an activity is complete, tasks are rejected for so long; >= 0.
    """

    name: ClassVar[str] = "alibaba-simple"
    emulates: ClassVar[str] = "Alibaba Cloud Auto Scaling (ESS), simple scaling rules, as documented in 2026"
    rule_type: ClassVar[str] = "SimpleScalingRule"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        **AlibabaTriggered.tunable,
        "scale_out_adjustment": Range(low=1, high=10),
        "cooldown_s": Range(low=0, high=600, is_whole=True),
    }
    scale_out_adjustment: int = 1
    scale_in_adjustment: int = -1
    cooldown_s: float = 300.0

    @property
    def rule_steps(self) -> tuple[tuple[StepAdjustment, ...], tuple[StepAdjustment, ...]]:
        out, into = (StepAdjustment(adjustment=each) for each in (self.scale_out_adjustment, self.scale_in_adjustment))
        return (out,), (into,)

    @property
    def rule_cooldown_s(self) -> float:
        return self.cooldown_s
