"""Alibaba Cloud step scaling rules as a policy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from hindscale.autoscalers._periods import STATISTICS
from hindscale.autoscalers._steps import parse_steps
from hindscale.autoscalers.alibaba import TriggeredRule, read_triggered_rules
from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ServiceSpec
from hindscale.core.values import Decision, Observation
from hindscale.policies._alibaba import AlibabaState, default_qps, executed, followed
from hindscale.policies._cloud_metrics import check_metric, reads_of

__all__ = ["AlibabaStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaStep:
    """Two event-triggered tasks, each with steps: the further the metric is beyond the threshold, the more.

    ESS has no default rule; ours add one instance, far beyond two, at 80 % of what a replica sustains, and
    remove one at 40 %.

    Attributes:
        manifest: A JSON or YAML file with ScalingRules (bodies of CreateScalingRule) and Alarms (of
            CreateAlarm); with it, rules and thresholds come from the file.
        metric: cpu, memory or accelerator (percent), qps-per-replica, requests-per-replica (a minute) or
            concurrency-per-replica (running and queued).
        statistic: How samples become a datapoint: Average, Minimum or Maximum.
        scale_out_threshold: The metric at or above which the fleet grows.
        scale_out_steps: LOWER:UPPER=ADJUSTMENT, bounds relative to the threshold; by default 1, and 2 from half
            the threshold beyond it.
        scale_in_threshold: The metric at or below which the fleet shrinks.
        scale_in_steps: The same for shrinking, with negative bounds and adjustments.
        adjustment_type: QuantityChangeInCapacity, PercentChangeInCapacity or TotalCapacity.
        min_adjustment_magnitude: Least change of a percentage, >= 0.
        evaluation_count: Datapoints in a row that must breach; >= 1.
        estimated_instance_warmup_s: Replicas that have been ready for less do not count; >= 0.
        period_s: Length of a datapoint's period, > 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks; by default the period.
    """

    name: ClassVar[str] = "alibaba-step"
    emulates: ClassVar[str] = "Alibaba Cloud Auto Scaling (ESS), step scaling rules, as documented in 2026"
    leaves_out: ClassVar[str] = (
        "CloudMonitor's own delay, scheduled and manual execution, and the limit on instances per activity. How often"
        " a task executes while its alert lasts is not public; here with every datapoint."
    )
    own_limits: ClassVar[bool] = True
    manifest: str = ""
    metric: str = "qps-per-replica"
    statistic: str = "Average"
    scale_out_threshold: float
    scale_out_steps: tuple[str, ...]
    scale_in_threshold: float
    scale_in_steps: tuple[str, ...] = (":0=-1",)
    adjustment_type: str = "QuantityChangeInCapacity"
    min_adjustment_magnitude: int = 0
    evaluation_count: int = 3
    estimated_instance_warmup_s: float = 300.0
    period_s: float = 60.0
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0
    rules: tuple[TriggeredRule, ...] = field(init=False)

    def __post_init__(self) -> None:
        check_metric(self.metric)
        if self.statistic not in STATISTICS:
            raise ParameterError(
                f"statistic: nobody knows {self.statistic!r}; {did_you_mean(self.statistic, STATISTICS)}"
            )
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        require_ordered(interval_s=self.interval_s, period_s=self.period_s)  # or periods would lack samples
        require_positive(interval_s=self.interval_s, period_s=self.period_s)
        require_nonnegative(estimated_instance_warmup_s=self.estimated_instance_warmup_s)
        from_file = read_triggered_rules(self.manifest, "StepScalingRule")[1] if self.manifest else ()
        object.__setattr__(self, "rules", from_file or self._own_rules())

    def _own_rules(self) -> tuple[TriggeredRule, ...]:
        given = (
            (">=", self.scale_out_threshold, self.scale_out_steps),
            ("<=", self.scale_in_threshold, self.scale_in_steps),
        )
        return tuple(
            TriggeredRule(
                threshold=threshold,
                comparison=comparison,
                evaluation_count=self.evaluation_count,
                adjustment_type=self.adjustment_type,
                steps=parse_steps(steps, name="steps"),
                min_adjustment_magnitude=self.min_adjustment_magnitude,
            )
            for comparison, threshold, steps in given
        )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        manifest = given.get("manifest")
        read = read_triggered_rules(manifest, "StepScalingRule")[0] if manifest else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        metric = settings.get("metric", "qps-per-replica")
        check_metric(metric)
        settings.setdefault("scale_out_threshold", default_qps(spec, metric, 0.8))
        half = settings["scale_out_threshold"] / 2
        settings.setdefault("scale_out_steps", (f"0:{half:.6f}=1", f"{half:.6f}:=2"))
        settings.setdefault("scale_in_threshold", default_qps(spec, metric, 0.4))
        settings.setdefault("interval_s", settings.get("period_s", 60.0))
        return cls(**settings)

    @property
    def reads(self) -> tuple[str, ...]:
        return reads_of(self.metric)

    def initial_state(self) -> AlibabaState:
        return AlibabaState()

    def decide(self, observation: Observation, state: AlibabaState) -> tuple[Decision, AlibabaState]:
        state, ended = followed(
            state,
            observation,
            metric=self.metric,
            statistic=self.statistic,
            period_s=self.period_s,
            keep=max(rule.evaluation_count for rule in self.rules),
            warmup_s=self.estimated_instance_warmup_s,
        )
        current = observation.requested_replicas
        wanted, reason, cooldown_s = current, f"between datapoints of {self.period_s:g} s", 0.0
        if ended:
            wanted, said, cooldown_s = executed(self.rules, observation, state, with_cooldown=False)
            reason = f"{self.metric} {said}"
        replicas = max(self.min_replicas, min(self.max_replicas, wanted))
        if replicas != wanted:
            reason = f"{reason}, bounded to {replicas}"
        if current not in {wanted, replicas}:
            state = replace(state, in_progress=True, cooldown_s=cooldown_s, cooled_at_s=None)
        return Decision(desired_replicas=replicas, reason=reason), state
