"""What the Alibaba Cloud policies remember, and how simple and step rules meet cooldown and warm-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from hindscale.autoscalers._periods import Periods, add_sample
from hindscale.autoscalers._steps import StepAdjustment
from hindscale.autoscalers.alibaba import TriggeredRule, is_triggered, read_triggered_rules, rule_instances
from hindscale.autoscalers.alibaba.writing import triggered_document
from hindscale.autoscalers.aws import Warmup, track_warmup, warming_replicas
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_nonnegative
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._cloud_metrics import bounded, check_cloud_settings, check_metric, measured, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.sizing import capacity_rps

__all__ = [
    "GROUP_NOTE",
    "OF_ESS",
    "AlibabaState",
    "AlibabaTriggered",
    "default_qps",
    "executed",
    "followed",
    "out_base",
    "warming",
]
OF_ESS = "of what ESS does by itself; it cannot be set"
GROUP_NOTE = "MinSize and MaxSize are of the scaling group (ModifyScalingGroup), the rest of CreateScalingRule."
_TASKS_NOTE = "AlarmActions want the ScalingRuleAri that CreateScalingRule answered; Alarms are of CreateAlarm."


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaState:
    """Datapoints, the cooldown that runs, and who is still warming up.

    Attributes:
        periods: CloudMonitor's datapoints.
        in_progress: Whether a scaling activity has not reached its size yet.
        cooldown_s: Of the activity in progress or the latest one.
        cooled_at_s: When the cooldown ends; None for none.
        warmup: Who became ready when.
    """

    periods: Periods = Periods()
    in_progress: bool = False
    cooldown_s: float = 0.0
    cooled_at_s: float | None = None
    warmup: Warmup = Warmup()


def followed(
    state: AlibabaState,
    observation: Observation,
    *,
    metric: str,
    statistic: str,
    period_s: float,
    keep: int,
    warmup_s: float,
) -> tuple[AlibabaState, int]:
    """The state with this tick's sample and what the fleet did; how many datapoints it completed."""
    now_s = observation.time_s
    periods, ended = add_sample(
        state.periods,
        measured(metric, observation),
        now_s=now_s,
        period_s=period_s,
        keep=keep,
        statistic=statistic,
    )
    warmup = track_warmup(state.warmup, ready=observation.ready_replicas, now_s=now_s, warmup_s=warmup_s)
    state = replace(state, periods=periods, warmup=warmup)
    if state.in_progress and observation.starting_replicas + observation.provisioning_replicas == 0:
        # A cooldown begins when the activity is complete.
        state = replace(state, in_progress=False, cooled_at_s=now_s + state.cooldown_s)
    return state, ended


def warming(state: AlibabaState, observation: Observation) -> int:
    """Replicas that start, or have been ready for less than the warm-up."""
    unready = observation.starting_replicas + observation.provisioning_replicas
    return warming_replicas(state.warmup, unready=unready)


def out_base(state: AlibabaState, observation: Observation) -> int:
    """The capacity that scaling out is computed from: without those that warm up."""
    return max(0, observation.requested_replicas - warming(state, observation))


def executed(
    rules: Sequence[TriggeredRule], observation: Observation, state: AlibabaState, *, with_cooldown: bool
) -> tuple[int, str, float]:
    """What the tasks that trigger now come to: the size, why, and the rule's cooldown.

    Of several tasks the one that asks for most counts.

    Args:
        rules: Simple rules (with cooldown) or step rules (with warm-up).
        observation: The fleet.
        state: Its datapoints.
        with_cooldown: Whether the rules are simple ones.
    """
    current, latest = observation.requested_replicas, state.periods.closed[-1]
    found = []
    for rule in rules:
        if latest is None or not is_triggered(
            state.periods.closed,
            threshold=rule.threshold,
            comparison=rule.comparison,
            evaluation_count=rule.evaluation_count,
        ):
            continue
        said = f"{latest:.4g} {rule.comparison} {rule.threshold:g}"
        found.append((*_wanted(rule, latest, said, observation, state, with_cooldown), rule.cooldown_s))
    seen = "no datapoint" if latest is None else f"{latest:.4g}, no task triggers"
    return max(found, key=lambda one: one[0]) if found else (current, seen, 0.0)


def _wanted(
    rule: TriggeredRule, latest: float, said: str, observation: Observation, state: AlibabaState, with_cooldown: bool
) -> tuple[int, str]:
    current, now_s = observation.requested_replicas, observation.time_s
    if with_cooldown:
        if state.in_progress:
            return current, f"{said}: rejected, a scaling activity is in progress"
        if state.cooled_at_s is not None and now_s < state.cooled_at_s:
            return current, f"{said}: rejected, cooldown until {state.cooled_at_s:g} s"
        wanted = rule_instances(rule, instances=current, metric_value=latest)
        return wanted, f"{said}: from {current} to {wanted}"
    wanted = rule_instances(rule, instances=current, metric_value=latest)
    if wanted < current:
        held = warming(state, observation)
        return (
            (current, f"{said}: {held} replicas are warming up")
            if held
            else (wanted, f"{said}: from {current} to {wanted}")
        )
    base = out_base(state, observation)
    wanted = max(current, rule_instances(rule, instances=base, metric_value=latest))
    return wanted, f"{said}: from {base} to {wanted}"


def default_qps(spec: ServiceSpec, metric: str, share: float) -> float:
    """A share of what a replica sustains, for requests per second; the share in percent of anything else."""
    if metric == "qps-per-replica":
        return round(share * capacity_rps(spec.profile, spec.slo), 6)
    return 100.0 * share


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaTriggered:
    """Two event-triggered tasks, one for each direction: what simple and step scaling rules share.

    Attributes:
        manifest: A JSON or YAML file with ScalingRules (bodies of CreateScalingRule) and Alarms (of
            CreateAlarm); with it, rules and thresholds come from the file.
        metric: cpu, memory or accelerator (percent), qps-per-replica, requests-per-replica (a minute) or
            concurrency-per-replica (running and queued).
        statistic: How samples become a datapoint: Average, Minimum or Maximum.
        scale_out_threshold: The metric at or above which the fleet grows.
        scale_in_threshold: The metric at or below which the fleet shrinks.
        adjustment_type: QuantityChangeInCapacity, PercentChangeInCapacity or TotalCapacity.
        min_adjustment_magnitude: Least change of a percentage, >= 0.
        evaluation_count: Datapoints in a row that must breach; >= 1.
        period_s: Length of a datapoint's period, > 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks; by default the period.
    """

    name: ClassVar[str]
    rule_type: ClassVar[str]
    leaves_out: ClassVar[str] = (
        "CloudMonitor's own delay, scheduled and manual execution, and the limit on instances per activity. How often"
        " a task executes while its alert lasts is not public; here with every datapoint."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "scale_out_threshold": Range(low=0.2, high=1.5, times_default=True),
        "scale_in_threshold": Range(low=0.2, high=1.5, times_default=True),
        "evaluation_count": Range(low=1, high=5),
    }
    manifest: str = ""
    metric: str = "qps-per-replica"
    statistic: str = "Average"
    scale_out_threshold: float
    scale_in_threshold: float
    adjustment_type: str = "QuantityChangeInCapacity"
    min_adjustment_magnitude: int = 0
    evaluation_count: int = 3
    period_s: float = 60.0
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0
    rules: tuple[TriggeredRule, ...] = field(init=False)

    def __post_init__(self) -> None:
        check_cloud_settings(self)
        require_nonnegative(cooldown_s=self.rule_cooldown_s, estimated_instance_warmup_s=self.rule_warmup_s)
        from_file = read_triggered_rules(self.manifest, self.rule_type)[1] if self.manifest else ()
        object.__setattr__(self, "rules", from_file or self._own_rules())

    @property
    def rule_steps(self) -> tuple[tuple[StepAdjustment, ...], tuple[StepAdjustment, ...]]:
        """What the tasks do, growing and shrinking."""
        raise NotImplementedError

    @property
    def rule_cooldown_s(self) -> float:
        """After an activity is complete, simple rules are rejected for so long."""
        return 0.0

    @property
    def rule_warmup_s(self) -> float:
        """Replicas that have been ready for less do not count for step rules."""
        return 0.0

    def _own_rules(self) -> tuple[TriggeredRule, ...]:
        out, into = self.rule_steps
        return tuple(
            TriggeredRule(
                threshold=threshold,
                comparison=comparison,
                evaluation_count=self.evaluation_count,
                adjustment_type=self.adjustment_type,
                steps=steps,
                min_adjustment_magnitude=self.min_adjustment_magnitude,
                cooldown_s=self.rule_cooldown_s,
            )
            for comparison, threshold, steps in (
                (">=", self.scale_out_threshold, out),
                ("<=", self.scale_in_threshold, into),
            )
        )

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        manifest = given.get("manifest")
        read = read_triggered_rules(manifest, cls.rule_type)[0] if manifest else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        metric = settings.get("metric", "qps-per-replica")
        check_metric(metric)
        settings.setdefault("scale_out_threshold", default_qps(spec, metric, 0.8))
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
            warmup_s=self.rule_warmup_s,
        )
        current = observation.requested_replicas
        wanted, reason, cooldown_s = current, f"between datapoints of {self.period_s:g} s", 0.0
        if ended:
            is_simple = self.rule_type == "SimpleScalingRule"
            wanted, said, cooldown_s = executed(self.rules, observation, state, with_cooldown=is_simple)
            reason = f"{self.metric} {said}"
        decision = bounded(self, wanted, reason)
        if current not in {wanted, decision.desired_replicas}:
            state = replace(state, in_progress=True, cooldown_s=cooldown_s, cooled_at_s=None)
        return decision, state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The rules that this is, with their event-triggered tasks."""
        document = triggered_document(
            workload,
            self.rules,
            rule_type=self.rule_type,
            metric=self.metric,
            statistic=self.statistic,
            period_s=self.period_s,
            warmup_s=self.rule_warmup_s,
            bounds=(self.min_replicas, self.max_replicas),
        )
        return Manifest(
            reader=self.name,
            documents=(document,),
            outside=settings_outside(self, {"interval_s": EMULATION}, defaults={"interval_s": self.period_s}),
            notes=(GROUP_NOTE, _TASKS_NOTE, *origin_notes(self)),
        )
