"""Alibaba Cloud target tracking rules as a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.autoscalers.alibaba import read_rule, tracked_instances, tracking_alerts
from hindscale.autoscalers.alibaba.writing import tracking_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import (
    require_at_least,
    require_fraction,
    require_nonnegative,
    require_positive,
)
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._alibaba import GROUP_NOTE, OF_ESS, AlibabaState, default_qps, followed, out_base, warming
from hindscale.policies._cloud_metrics import bounded, check_cloud_settings, check_metric, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside

__all__ = ["AlibabaTargetTracking"]
_OUTSIDE = {
    "statistic": OF_ESS,
    "period_s": OF_ESS,
    "low_share": OF_ESS,
    "interval_s": EMULATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaTargetTracking:
    """Hold a metric at its target: out after 3 datapoints above it, in after 15 below 90 % of it.

    instances = ⌈instances · metric / target⌉, without those that warm up when growing; nothing is removed
    while some do.

    Attributes:
        manifest: A JSON or YAML file with the body of CreateScalingRule; parameters given beside it win.
        metric: cpu, memory or accelerator (percent), qps-per-replica, requests-per-replica (a minute) or
            concurrency-per-replica (running and queued).
        target_value: The target, in the metric's unit; > 0. By default 80 % of what a replica sustains
            within the SLO, in requests per second, or 80 percent.
        statistic: How samples become a datapoint: Average, Minimum or Maximum.
        disable_scale_in: Whether nothing is ever removed.
        scale_out_evaluation_count: Datapoints in a row above the target that scale out; >= 1.
        scale_in_evaluation_count: Datapoints in a row below the low threshold that scale in; >= 1.
        estimated_instance_warmup_s: Replicas that have been ready for less do not count; >= 0.
        low_share: The low threshold over the target, in (0, 1]; not public, 0.9 is our reading.
        period_s: Length of a datapoint's period, > 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks; by default the period.
    """

    name: ClassVar[str] = "alibaba-target-tracking"
    emulates: ClassVar[str] = "Alibaba Cloud Auto Scaling (ESS), target tracking rules, as documented in 2026"
    leaves_out: ClassVar[str] = (
        "CloudMonitor's own delay and custom metrics. The formula and the threshold for scaling in are not public;"
        " ours are the documented proportion and 90 % of the target."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_value": Range(low=0.2, high=1.5, times_default=True),
        "scale_out_evaluation_count": Range(low=1, high=5),
        "scale_in_evaluation_count": Range(low=2, high=30),
        "estimated_instance_warmup_s": Range(low=0, high=600, is_whole=True),
    }
    manifest: str = ""
    metric: str = "qps-per-replica"
    target_value: float
    statistic: str = "Average"
    disable_scale_in: bool = False
    scale_out_evaluation_count: int = 3
    scale_in_evaluation_count: int = 15
    estimated_instance_warmup_s: float = 300.0
    low_share: float = 0.9
    period_s: float = 60.0
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0

    def __post_init__(self) -> None:
        check_cloud_settings(self)
        require_positive(target_value=self.target_value)
        require_fraction(low_share=self.low_share)
        require_nonnegative(estimated_instance_warmup_s=self.estimated_instance_warmup_s)
        require_at_least(
            1,
            scale_out_evaluation_count=self.scale_out_evaluation_count,
            scale_in_evaluation_count=self.scale_in_evaluation_count,
        )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_rule(given["manifest"], "TargetTrackingScalingRule") if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        metric = settings.get("metric", "qps-per-replica")
        check_metric(metric)
        settings.setdefault("target_value", default_qps(spec, metric, 0.8))
        settings.setdefault("interval_s", settings.get("period_s", 60.0))
        return cls(**settings)

    @property
    def reads(self) -> tuple[str, ...]:
        return reads_of(self.metric)

    def initial_state(self) -> AlibabaState:
        return AlibabaState()

    def decide(self, observation: Observation, state: AlibabaState) -> tuple[Decision, AlibabaState]:
        state, wanted, reason = self.wanted(observation, state)
        return bounded(self, wanted, reason), state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The target tracking rule that this is."""
        document = tracking_document(
            workload,
            metric=self.metric,
            target_value=self.target_value,
            disable_scale_in=self.disable_scale_in,
            warmup_s=self.estimated_instance_warmup_s,
            evaluation_counts=(self.scale_out_evaluation_count, self.scale_in_evaluation_count),
            bounds=(self.min_replicas, self.max_replicas),
        )
        return Manifest(
            reader=self.name,
            documents=(document,),
            outside=settings_outside(self, _OUTSIDE, defaults={"interval_s": self.period_s}),
            notes=(GROUP_NOTE, *origin_notes(self)),
        )

    def wanted(self, observation: Observation, state: AlibabaState) -> tuple[AlibabaState, int, str]:
        """What the rule asks for before bounds, and why."""
        state, ended = followed(
            state,
            observation,
            metric=self.metric,
            statistic=self.statistic,
            period_s=self.period_s,
            keep=max(self.scale_out_evaluation_count, self.scale_in_evaluation_count),
            warmup_s=self.estimated_instance_warmup_s,
        )
        current = observation.requested_replicas
        if not ended:
            return state, current, f"between datapoints of {self.period_s:g} s"
        latest = state.periods.closed[-1]
        seen = "no datapoint" if latest is None else f"{self.metric} {latest:.4g}, target {self.target_value:g}"
        goes_out, goes_in = tracking_alerts(
            state.periods.closed,
            target_value=self.target_value,
            scale_out_evaluation_count=self.scale_out_evaluation_count,
            scale_in_evaluation_count=self.scale_in_evaluation_count,
            low_share=self.low_share,
        )
        if goes_out and latest is not None:
            base = out_base(state, observation)
            wanted = max(current, tracked_instances(base, latest, self.target_value))
            return state, wanted, f"{seen}: out from {base} to {wanted}"
        if goes_in and latest is not None and not self.disable_scale_in:
            held = warming(state, observation)
            if held:
                return state, current, f"{seen}: {held} replicas are warming up"
            wanted = min(current, tracked_instances(current, latest, self.target_value))
            return state, wanted, f"{seen}: in from {current} to {wanted}"
        return state, current, f"{seen}: no alert"
