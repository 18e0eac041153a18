"""Alibaba Cloud predictive rules as a policy, beside a target tracking rule for the same metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from hindscale.autoscalers.alibaba import (
    BEHAVIORS,
    hourly_forecast,
    planned_bounds,
    predicted_instances,
    prediction_bounds,
    read_rule,
)
from hindscale.autoscalers.alibaba.predictive import DAY_HOURS, HISTORY_HOURS, HOUR_S
from hindscale.autoscalers.alibaba.writing import predictive_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_count, require_nonnegative
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._alibaba import GROUP_NOTE, AlibabaState, default_qps
from hindscale.policies._cloud_metrics import check_metric, measured, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.policies.alibaba_target_tracking import AlibabaTargetTracking

__all__ = ["AlibabaPredictive", "AlibabaPredictiveState"]

_EPSILON = 1e-9
_BESIDE = (
    "It moves the bounds only: emit alibaba-target-tracking with the same metric and target for the rule beside it."
)
_OUTSIDE = {
    "estimated_instance_warmup_s": "EstimatedInstanceWarmup of the target tracking rule beside it",
    "interval_s": EMULATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaPredictiveState:
    """The target tracking rule's state, the load of past hours, and the plan.

    Attributes:
        tracking: Of the target tracking rule.
        hours: Load by the hour, newest last: the metric summed over replicas; NaN for nothing measured.
        hour: Number of the hour being gathered; -1 before the first tick.
        total: Sum of its samples.
        samples: How many it has.
        plan: Predicted instances by the hour; None for nothing.
        plan_begins_hour: Number of the plan's first hour.
    """

    tracking: AlibabaState
    hours: tuple[float, ...] = ()
    hour: int = -1
    total: float = 0.0
    samples: int = 0
    plan: tuple[int | None, ...] = ()
    plan_begins_hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlibabaPredictive:
    """A plan by the hour sets the minimum (and maximum); a target tracking rule moves the size between them.

    The plan is made once a day from at least 24 hours of history. ESS forecasts by machine learning that is
    not public: the mean of the same hour of the days before stands in for it.

    Attributes:
        manifest: A JSON or YAML file with the body of CreateScalingRule; parameters given beside it win.
        metric: cpu, memory or accelerator (percent), qps-per-replica, requests-per-replica (a minute) or
            concurrency-per-replica (running and queued).
        target_value: The target of both rules, in the metric's unit; > 0. By default 80 % of what a replica
            sustains within the SLO, in requests per second, or 80 percent.
        predict_only: Whether the plan is only made and never acted on.
        value_behavior: How prediction and maximum meet: MaxOverridePredictiveValue,
            PredictiveValueOverrideMax or PredictiveValueOverrideMaxWithBuffer.
        value_buffer_percent: The buffer of the last of these, in percent, [0, 100].
        task_buffer_s: How much before its hour a task runs, in [0, 3600].
        estimated_instance_warmup_s: Of the target tracking rule.
        min_replicas: The group's own minimum, >= 0; by default the service's bound.
        max_replicas: InitialMaxSize, >= 1; by default the service's bound.
        interval_s: Seconds between two ticks.
    """

    name: ClassVar[str] = "alibaba-predictive"
    emulates: ClassVar[str] = "Alibaba Cloud Auto Scaling (ESS), predictive rules, as documented in 2026"
    leaves_out: ClassVar[str] = (
        "The forecast itself, which is not public: the mean of the same hour of the days before stands in for it, so"
        " this says nothing of how well ESS predicts."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_value": Range(low=0.2, high=1.5, times_default=True),
        "task_buffer_s": Range(low=0, high=1800, is_whole=True),
        "estimated_instance_warmup_s": Range(low=0, high=600, is_whole=True),
    }
    manifest: str = ""
    metric: str = "qps-per-replica"
    target_value: float
    predict_only: bool = False
    value_behavior: str = BEHAVIORS[0]
    value_buffer_percent: int = 0
    task_buffer_s: float = 0.0
    estimated_instance_warmup_s: float = 300.0
    min_replicas: int = 1
    max_replicas: int = 1
    interval_s: float = 60.0
    tracking: AlibabaTargetTracking = field(init=False)

    def __post_init__(self) -> None:
        require_count(value_buffer_percent=self.value_buffer_percent)
        require_nonnegative(task_buffer_s=self.task_buffer_s)
        if self.task_buffer_s > HOUR_S or self.value_buffer_percent > 100:
            raise ParameterError("task_buffer_s must be <= 1h and value_buffer_percent <= 100")
        prediction_bounds(0, initial_min=0, initial_max=1, behavior=self.value_behavior)  # its checks
        tracking = AlibabaTargetTracking(
            metric=self.metric,
            target_value=self.target_value,
            estimated_instance_warmup_s=self.estimated_instance_warmup_s,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            interval_s=self.interval_s,
        )
        object.__setattr__(self, "tracking", tracking)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_rule(given["manifest"], "PredictiveScalingRule") if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        metric = settings.get("metric", "qps-per-replica")
        check_metric(metric)
        settings.setdefault("target_value", default_qps(spec, metric, 0.8))
        return cls(**settings)

    @property
    def reads(self) -> tuple[str, ...]:
        return reads_of(self.metric)

    def initial_state(self) -> AlibabaPredictiveState:
        return AlibabaPredictiveState(tracking=self.tracking.initial_state())

    def decide(
        self, observation: Observation, state: AlibabaPredictiveState
    ) -> tuple[Decision, AlibabaPredictiveState]:
        state = self._gathered(observation, state)
        tracking, wanted, reason = self.tracking.wanted(observation, state.tracking)
        low, high = self._bounds(observation.time_s, state)
        replicas = max(low, min(high, wanted))
        if replicas != wanted:
            reason = f"{reason}; prediction task sets [{low}, {high}]"
        return Decision(desired_replicas=replicas, reason=reason), replace(state, tracking=tracking)

    def as_manifest(self, workload: Workload) -> Manifest:
        """The predictive rule that this is; the target tracking rule beside it is one of its own."""
        document = predictive_document(
            workload,
            metric=self.metric,
            target_value=self.target_value,
            predict_only=self.predict_only,
            value_behavior=self.value_behavior,
            value_buffer_percent=self.value_buffer_percent,
            task_buffer_s=self.task_buffer_s,
            bounds=(self.min_replicas, self.max_replicas),
        )
        return Manifest(
            reader=self.name,
            documents=(document,),
            outside=settings_outside(self, _OUTSIDE),
            notes=(GROUP_NOTE, _BESIDE, *origin_notes(self)),
        )

    def _bounds(self, now_s: float, state: AlibabaPredictiveState) -> tuple[int, int]:
        if self.predict_only:
            return self.min_replicas, self.max_replicas
        return planned_bounds(
            state.plan,
            plan_begins_hour=state.plan_begins_hour,
            now_s=now_s,
            task_buffer_s=self.task_buffer_s,
            initial_min=self.min_replicas,
            initial_max=self.max_replicas,
            behavior=self.value_behavior,
            buffer_percent=self.value_buffer_percent,
        )

    def _gathered(self, observation: Observation, state: AlibabaPredictiveState) -> AlibabaPredictiveState:
        """The state with this tick's load; at the end of a day, with a new plan."""
        hour = max(math.ceil(observation.time_s / HOUR_S - _EPSILON) - 1, 0)
        state = self._closed_before(hour, state)
        value = measured(self.metric, observation)
        if value is not None:
            load = value * observation.ready_replicas
            state = replace(state, total=state.total + load, samples=state.samples + 1)
        is_end = observation.time_s / HOUR_S >= hour + 1 - _EPSILON
        return self._closed_before(hour + 1, state) if is_end else state

    def _closed_before(self, hour: int, state: AlibabaPredictiveState) -> AlibabaPredictiveState:
        if state.hour < 0:
            return replace(state, hour=hour)
        for _ in range(min(hour - state.hour, HISTORY_HOURS + 1)):
            load = state.total / state.samples if state.samples else math.nan
            hours = (*state.hours, load)[-HISTORY_HOURS:]
            state = replace(state, hours=hours, hour=state.hour + 1, total=0.0, samples=0)
            if state.hour % DAY_HOURS == 0:
                state = self._planned(state)
        return replace(state, hour=max(hour, state.hour))

    def _planned(self, state: AlibabaPredictiveState) -> AlibabaPredictiveState:
        forecast = hourly_forecast(state.hours)
        plan = tuple(None if math.isnan(load) else predicted_instances(load, self.target_value) for load in forecast)
        return replace(state, plan=plan, plan_begins_hour=state.hour)
