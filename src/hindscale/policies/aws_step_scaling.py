"""AWS step scaling as a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from hindscale.autoscalers._periods import add_sample
from hindscale.autoscalers._steps import parse_steps
from hindscale.autoscalers.aws import Alarm, StepPolicy, read_scaling_policies, step_capacity
from hindscale.autoscalers.aws.writing import put_notes, scalable_of, step_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import (
    require_nonnegative,
)
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._aws import AwsState, WatchedAlarm, followed, held_in, out_base, watched, with_activity
from hindscale.policies._cloud_metrics import bounded, check_cloud_settings, measured, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.policies.utilization import responsive_resources

__all__ = ["AwsStepScaling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsStepScaling:
    """Two alarms, each with steps: the further the metric is beyond the threshold, the larger the change.

    The defaults are the example of the EC2 Auto Scaling guide: at 60 % CPU 10 % more, at 70 % 30 % more; at
    40 % 10 % fewer, at 30 % 30 % fewer. AWS itself has no default.

    Attributes:
        manifest: A JSON or YAML file with ScalingPolicies (bodies of PutScalingPolicy) and MetricAlarms (of
            PutMetricAlarm); with it, steps and alarms come from the file.
        metric: cpu, memory or accelerator (percent), requests-per-replica (a minute), qps-per-replica or
            concurrency-per-replica (running and queued); by default the first resource that crosses both
            thresholds between an idle and a full replica.
        statistic: How samples become a datapoint: Average, Minimum or Maximum.
        scale_out_threshold: The metric at or above which the fleet grows.
        scale_out_steps: LOWER:UPPER=ADJUSTMENT, bounds relative to the threshold; separated by semicolons.
        scale_in_threshold: The metric at or below which the fleet shrinks.
        scale_in_steps: The same for shrinking, with negative bounds and adjustments.
        adjustment_type: ChangeInCapacity, PercentChangeInCapacity or ExactCapacity.
        min_adjustment_magnitude: Least change of a percentage, >= 0.
        evaluation_periods: Datapoints that an alarm looks at; >= 1.
        datapoints_to_alarm: How many of them must breach; by default all.
        treat_missing_data: What a missing datapoint is: missing, notBreaching, breaching or ignore.
        cooldown_s: Cooldown after either direction, >= 0.
        estimated_instance_warmup_s: With a number, the rules of EC2 Auto Scaling apply: no cooldowns, and
            replicas count only when they have been ready for so long.
        period_s: Length of a datapoint's period, > 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks; by default the period.
    """

    name: ClassVar[str] = "aws-step-scaling"
    emulates: ClassVar[str] = "AWS Application Auto Scaling and EC2 Auto Scaling, step scaling, as documented in 2025"
    leaves_out: ClassVar[str] = "The delay of CloudWatch itself, several metrics, metric math and composite alarms."
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "scale_out_threshold": Range(low=0.3, high=1.5, times_default=True),
        "scale_in_threshold": Range(low=0.1, high=1.5, times_default=True),
        "cooldown_s": Range(low=0, high=600, is_whole=True),
        "evaluation_periods": Range(low=1, high=5),
    }
    manifest: str = ""
    metric: str = "cpu"
    statistic: str = "Average"
    scale_out_threshold: float = 60.0
    scale_out_steps: tuple[str, ...] = ("0:10=10", "10:=30")
    scale_in_threshold: float = 40.0
    scale_in_steps: tuple[str, ...] = (":-10=-30", "-10:0=-10")
    adjustment_type: str = "PercentChangeInCapacity"
    min_adjustment_magnitude: int = 1
    evaluation_periods: int = 2
    datapoints_to_alarm: int | None = None
    treat_missing_data: str = "missing"
    cooldown_s: float = 300.0
    estimated_instance_warmup_s: float | None = None
    period_s: float = 60.0
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0
    policies: tuple[StepPolicy, ...] = field(init=False)

    def __post_init__(self) -> None:
        check_cloud_settings(self)
        if self.estimated_instance_warmup_s is not None:
            require_nonnegative(estimated_instance_warmup_s=self.estimated_instance_warmup_s)
        from_file = read_scaling_policies(self.manifest)[1] if self.manifest else ()
        object.__setattr__(self, "policies", from_file or self._own_policies())
        if not self.policies:
            raise ParameterError("scale_out_steps or scale_in_steps must hold at least one step, both are empty")

    def _own_policies(self) -> tuple[StepPolicy, ...]:
        out = ("GreaterThanOrEqualToThreshold", self.scale_out_threshold, self.scale_out_steps, "scale_out_steps")
        into = ("LessThanOrEqualToThreshold", self.scale_in_threshold, self.scale_in_steps, "scale_in_steps")
        return tuple(
            StepPolicy(
                alarm=self._alarm(comparison, threshold),
                steps=parse_steps(steps, name=name),
                adjustment_type=self.adjustment_type,
                min_adjustment_magnitude=self.min_adjustment_magnitude,
                cooldown_s=self.cooldown_s,
            )
            for comparison, threshold, steps, name in (out, into)
            if steps
        )

    def _alarm(self, comparison: str, threshold: float) -> Alarm:
        needed = self.evaluation_periods if self.datapoints_to_alarm is None else self.datapoints_to_alarm
        return Alarm(
            threshold=threshold,
            comparison=comparison,
            evaluation_periods=self.evaluation_periods,
            datapoints_to_alarm=needed,
            period_s=self.period_s,
            treat_missing_data=self.treat_missing_data,
        )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_scaling_policies(given["manifest"])[0] if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        settings.setdefault("interval_s", settings.get("period_s", 60.0))
        if "metric" not in settings:
            lower, upper = (
                settings.get("scale_in_threshold", 40.0) / 100,
                settings.get("scale_out_threshold", 60.0) / 100,
            )
            # A metric that never crosses the thresholds would never scale: CPU where it does, else what does.
            settings["metric"] = responsive_resources(spec, lower=lower, upper=upper)[0]
        return cls(**settings)

    @property
    def reads(self) -> tuple[str, ...]:
        return reads_of(self.metric)

    def initial_state(self) -> AwsState:
        return AwsState(alarms=tuple(WatchedAlarm() for _ in self.policies))

    def decide(self, observation: Observation, state: AwsState) -> tuple[Decision, AwsState]:
        state = followed(state, observation, warmup_s=self.estimated_instance_warmup_s)
        periods, ended = add_sample(
            state.periods,
            measured(self.metric, observation),
            now_s=observation.time_s,
            period_s=self.period_s,
            keep=2 * max(policy.alarm.evaluation_periods for policy in self.policies),
            statistic=self.statistic,
        )
        state = replace(state, periods=periods)
        capacity = observation.requested_replicas
        wanted, reason, cooldown_s = capacity, f"between datapoints of {self.period_s:g} s", self.cooldown_s
        if ended:
            wanted, reason, cooldown_s, state = self._evaluated(observation, state)
        decision = bounded(self, wanted, reason)
        if capacity not in {wanted, decision.desired_replicas}:
            replicas, warmup_s = decision.desired_replicas, self.estimated_instance_warmup_s
            state = with_activity(state, observation, replicas, cooldown_s=cooldown_s, warmup_s=warmup_s)
        return decision, state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The scaling policies that this is, with their alarms."""
        warmup_s = self.estimated_instance_warmup_s
        scalable = scalable_of(self.metric, workload, has_warmup=warmup_s is not None)
        document = step_document(
            scalable,
            workload,
            self.policies,
            statistic=self.statistic,
            warmup_s=warmup_s,
            bounds=(self.min_replicas, self.max_replicas),
        )
        return Manifest(
            reader=self.name,
            documents=(document,),
            outside=settings_outside(self, {"interval_s": EMULATION}, defaults={"interval_s": self.period_s}),
            notes=(*put_notes(scalable, has_alarms=True), *origin_notes(self)),
        )

    def _evaluated(self, observation: Observation, state: AwsState) -> tuple[int, str, float, AwsState]:
        """The largest capacity that an invoked policy asks for, why, its cooldown, and the alarms' states."""
        capacity, latest = observation.requested_replicas, state.periods.closed[-1]
        watching, wishes = [], []
        for policy, before in zip(self.policies, state.alarms, strict=True):
            alarm, acts = watched(policy.alarm, before, state.periods.closed, now_s=observation.time_s)
            watching.append(alarm)
            if acts and latest is not None:
                wishes.append((*self._wish(policy, latest, observation, state), policy.cooldown_s))
        state = replace(state, alarms=tuple(watching))
        seen = "no datapoint" if latest is None else f"{self.metric} {latest:.4g}"
        if not wishes:
            return capacity, f"{seen}, alarms {', '.join(alarm.state for alarm in watching)}", self.cooldown_s, state
        wanted, said, cooldown_s = max(wishes, key=lambda wish: wish[0])
        return wanted, f"{seen} {said}", cooldown_s, state

    def _wish(self, policy: StepPolicy, latest: float, observation: Observation, state: AwsState) -> tuple[int, str]:
        capacity, warmup_s = observation.requested_replicas, self.estimated_instance_warmup_s
        beyond = f"{latest - policy.alarm.threshold:+.4g} from {policy.alarm.threshold:g}"
        plain = step_capacity(policy, capacity=capacity, metric_value=latest)
        if plain < capacity:
            held = held_in(state, observation, cooldown_s=policy.cooldown_s, warmup_s=warmup_s)
            return (capacity, f"{beyond}: {held}") if held else (plain, f"{beyond}: from {capacity} to {plain}")
        base = out_base(state, observation, cooldown_s=policy.cooldown_s, warmup_s=warmup_s)
        wanted = max(capacity, step_capacity(policy, capacity=base, metric_value=latest))
        return wanted, f"{beyond}: from {base} to {wanted}"
