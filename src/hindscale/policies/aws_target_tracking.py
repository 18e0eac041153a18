"""AWS target tracking scaling as a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from hindscale.autoscalers._periods import add_sample
from hindscale.autoscalers.aws import Alarm, read_target_tracking, target_tracking_alarms, tracked_capacity
from hindscale.autoscalers.aws.writing import put_notes, scalable_of, tracking_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import (
    require_nonnegative,
    require_positive,
)
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._aws import AwsState, WatchedAlarm, followed, held_in, out_base, watched, with_activity
from hindscale.policies._cloud_metrics import bounded, check_cloud_settings, check_metric, measured, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.sizing import capacity_rps

__all__ = ["AwsTargetTracking"]

SAFETY_FACTOR = 0.5
"""Share of a replica's capacity that SageMaker's guide to load testing recommends to start with."""
_OWN_ALARMS = "of the alarms that AWS makes, to be read off your account; it cannot be set"
_OUTSIDE = {
    "scale_out_datapoints": _OWN_ALARMS,
    "scale_in_datapoints": _OWN_ALARMS,
    "low_share": _OWN_ALARMS,
    "interval_s": EMULATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsTargetTracking:
    """Hold a metric at its target: out after 3 datapoints above it, in after 15 below 90 % of it.

    capacity = ⌈capacity · metric / target⌉, from the capacity before the activity that still cools down.

    Attributes:
        manifest: A JSON or YAML file with the body of PutScalingPolicy; parameters given beside it win.
        metric: cpu, memory or accelerator (percent), requests-per-replica (a minute), qps-per-replica or
            concurrency-per-replica (running and queued).
        target_value: The target, in the metric's unit; > 0. By default half of what a replica sustains within
            the SLO, in requests per minute, or 70 percent, or 70 percent of the slots.
        statistic: How samples become a datapoint: Average, Minimum or Maximum.
        disable_scale_in: Whether nothing is ever removed.
        scale_out_cooldown_s: Cooldown after scaling out, >= 0.
        scale_in_cooldown_s: Cooldown after scaling in, >= 0.
        estimated_instance_warmup_s: With a number, the rules of EC2 Auto Scaling apply: no cooldowns, and
            replicas count only when they have been ready for so long.
        period_s: Length of a datapoint's period; 60, or 10 for high-resolution metrics.
        scale_out_datapoints: Datapoints in a row above the target that scale out; >= 1.
        scale_in_datapoints: Datapoints in a row below the low threshold that scale in; by default those of
            15 minutes.
        low_share: The low threshold over the target, in (0, 1].
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks; by default the period.
    """

    name: ClassVar[str] = "aws-target-tracking"
    emulates: ClassVar[str] = (
        "AWS Application Auto Scaling and EC2 Auto Scaling, target tracking, as documented in 2025"
    )
    leaves_out: ClassVar[str] = (
        "The delay of CloudWatch itself, several policies on one target, predictive scaling, and scaling from zero,"
        " which per-replica metrics cannot do. The service's formula is not public; ours is the documented proportion."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_value": Range(low=0.2, high=2.0, times_default=True),
        "scale_out_cooldown_s": Range(low=0, high=600, is_whole=True),
        "scale_in_cooldown_s": Range(low=0, high=900, is_whole=True),
    }
    manifest: str = ""
    metric: str = "requests-per-replica"
    target_value: float
    statistic: str = "Average"
    disable_scale_in: bool = False
    scale_out_cooldown_s: float = 300.0
    scale_in_cooldown_s: float = 300.0
    estimated_instance_warmup_s: float | None = None
    period_s: float = 60.0
    scale_out_datapoints: int = 3
    scale_in_datapoints: int = 15
    low_share: float = 0.9
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0

    def __post_init__(self) -> None:
        check_cloud_settings(self)
        require_nonnegative(
            scale_out_cooldown_s=self.scale_out_cooldown_s, scale_in_cooldown_s=self.scale_in_cooldown_s
        )
        if self.estimated_instance_warmup_s is not None:
            require_nonnegative(estimated_instance_warmup_s=self.estimated_instance_warmup_s)
        _ = self.alarms  # their checks

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_target_tracking(given["manifest"]) if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        metric = settings.get("metric", "requests-per-replica")
        if "target_value" not in settings:
            check_metric(metric)
            settings["target_value"] = _default_target(spec, metric)
        period_s = settings.setdefault("period_s", 60.0)
        require_positive(period_s=period_s)
        settings.setdefault("scale_in_datapoints", _datapoints_in(period_s))
        settings.setdefault("interval_s", period_s)
        return cls(**settings)

    @property
    def alarms(self) -> tuple[Alarm, Alarm]:
        """AlarmHigh and AlarmLow."""
        return target_tracking_alarms(
            self.target_value,
            period_s=self.period_s,
            scale_out_datapoints=self.scale_out_datapoints,
            scale_in_datapoints=self.scale_in_datapoints,
            low_share=self.low_share,
        )

    @property
    def reads(self) -> tuple[str, ...]:
        return reads_of(self.metric)

    def initial_state(self) -> AwsState:
        return AwsState(alarms=(WatchedAlarm(), WatchedAlarm()))

    def decide(self, observation: Observation, state: AwsState) -> tuple[Decision, AwsState]:
        state = followed(state, observation, warmup_s=self.estimated_instance_warmup_s)
        value = measured(self.metric, observation)
        keep = 2 * max(self.scale_out_datapoints, self.scale_in_datapoints)
        periods, ended = add_sample(
            state.periods,
            value,
            now_s=observation.time_s,
            period_s=self.period_s,
            keep=keep,
            statistic=self.statistic,
        )
        state = replace(state, periods=periods)
        capacity = observation.requested_replicas
        wanted, reason = capacity, f"between datapoints of {self.period_s:g} s"
        if ended:
            wanted, reason, state = self._evaluated(observation, state)
        decision = bounded(self, wanted, reason)
        if capacity not in {wanted, decision.desired_replicas}:
            state = self._acted(observation, state, decision.desired_replicas)
        return decision, state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The scaling policy that this is, of Application Auto Scaling, or with a warm-up of EC2 Auto Scaling."""
        warmup_s = self.estimated_instance_warmup_s
        scalable = scalable_of(self.metric, workload, has_warmup=warmup_s is not None)
        document = tracking_document(
            scalable,
            workload,
            target_value=self.target_value,
            statistic=self.statistic,
            period_s=self.period_s,
            disable_scale_in=self.disable_scale_in,
            cooldowns_s=(self.scale_out_cooldown_s, self.scale_in_cooldown_s),
            warmup_s=warmup_s,
            bounds=(self.min_replicas, self.max_replicas),
        )
        derived = {"scale_in_datapoints": _datapoints_in(self.period_s), "interval_s": self.period_s}
        return Manifest(
            reader=self.name,
            documents=(document,),
            outside=settings_outside(self, _OUTSIDE, defaults=derived),
            notes=(*put_notes(scalable), *origin_notes(self)),
        )

    def _evaluated(self, observation: Observation, state: AwsState) -> tuple[int, str, AwsState]:
        """What the alarms ask for after the latest datapoint, why, and the alarms' states."""
        high, low = self.alarms
        datapoints = state.periods.closed
        high_state, goes_out = watched(high, state.alarms[0], datapoints, now_s=observation.time_s)
        low_state, goes_in = watched(low, state.alarms[1], datapoints, now_s=observation.time_s)
        state = replace(state, alarms=(high_state, low_state))
        latest = datapoints[-1]
        capacity = observation.requested_replicas
        seen = "no datapoint" if latest is None else f"{self.metric} {latest:.4g}, target {self.target_value:g}"
        if goes_out and latest is not None:
            return self._out(observation, state, latest, f"AlarmHigh: {seen}")
        if goes_in and latest is not None and not self.disable_scale_in:
            return self._in(observation, state, latest, f"AlarmLow: {seen}")
        return capacity, f"{seen}, alarms {high_state.state}, {low_state.state}", state

    def _out(self, observation: Observation, state: AwsState, latest: float, seen: str) -> tuple[int, str, AwsState]:
        capacity, warmup_s = observation.requested_replicas, self.estimated_instance_warmup_s
        base = out_base(state, observation, cooldown_s=self.scale_out_cooldown_s, warmup_s=warmup_s)
        wanted = tracked_capacity(base, latest, self.target_value)
        if wanted <= capacity:
            return capacity, f"{seen}: from {base} to {wanted}, no more than was added", state
        return wanted, f"{seen}: from {base} to {wanted}", state

    def _in(self, observation: Observation, state: AwsState, latest: float, seen: str) -> tuple[int, str, AwsState]:
        capacity, warmup_s = observation.requested_replicas, self.estimated_instance_warmup_s
        held = held_in(state, observation, cooldown_s=self.scale_in_cooldown_s, warmup_s=warmup_s)
        if held:
            return capacity, f"{seen}: {held}", state
        wanted = min(capacity, tracked_capacity(capacity, latest, self.target_value))
        return wanted, f"{seen}: from {capacity} to {wanted}", state

    def _acted(self, observation: Observation, state: AwsState, replicas: int) -> AwsState:
        return with_activity(
            state,
            observation,
            replicas,
            cooldown_s=self.scale_out_cooldown_s,
            warmup_s=self.estimated_instance_warmup_s,
        )


def _datapoints_in(period_s: float) -> int:
    """Datapoints of the 15 minutes that AlarmLow waits."""
    return max(1, round(15 * 60.0 / period_s))


def _default_target(spec: ServiceSpec, metric: str) -> float:
    """SageMaker's recommendation for requests: what a replica sustains · 60 · 0.5; 70 % of anything else."""
    sustained = SAFETY_FACTOR * capacity_rps(spec.profile, spec.slo)
    if metric == "requests-per-replica":
        return round(60.0 * sustained, 3)
    if metric == "qps-per-replica":
        return round(sustained, 6)
    return round(0.7 * spec.profile.slots, 3) if metric == "concurrency-per-replica" else 70.0
