"""What both AIBrix strategies share: metrics in windows, and one reconcile of the controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hindscale.autoscalers.aibrix import (
    PodAutoscaler,
    Recommendation,
    ScalingContext,
    ScheduledBounds,
    apply_constraints,
    bounds_at,
    pending_guard,
    read_pod_autoscaler,
    recorded,
    stabilized,
    window_average,
)
from hindscale.autoscalers.aibrix.schedules import DAY_S
from hindscale.autoscalers.aibrix.windows import Buckets
from hindscale.autoscalers.aibrix.writing import pod_autoscaler_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_finite, require_ordered, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._cloud_metrics import check_metric, measured, reads_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.sizing import capacity_rps

__all__ = [
    "AibrixState",
    "AibrixStrategy",
    "Metric",
    "Windows",
    "begins_at",
    "checked_metrics",
    "of_strategy",
    "reconciled",
]

STABLE_WINDOW_S = 180.0
PANIC_WINDOW_S = 60.0
SOURCES_NOTE = "Where metricsSources are read (port, path, endpoint) is an assumption: check it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The two windows of one metric."""

    stable: Buckets = ()
    panic: Buckets = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AibrixState:
    """One pair of windows a metric, and the recommendations that the cooldown windows look back on."""

    windows: tuple[Windows, ...] = ()
    history: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of ours and its target."""

    name: str
    target: float

    @property
    def source(self) -> str:
        """Where AIBrix would get it: from the pods, or as a total from outside."""
        return "external" if self.name.startswith("total-") else "pod"


def checked_metrics(metrics: Sequence[str], targets: Sequence[str | float]) -> tuple[Metric, ...]:
    """Metrics with their targets.

    Raises:
        ParameterError: If there are none, not as many targets, or one is unknown or no number > 0.
    """
    if not metrics or len(metrics) != len(targets):
        raise ParameterError(f"targets must be one for each of metrics, were {len(targets)} for {len(metrics)}")
    found = []
    for metric, target in zip(metrics, targets, strict=True):
        check_metric(metric)
        try:
            value = float(target)
        except ValueError:
            raise ParameterError(f"targets must be numbers, was {target!r}") from None
        require_positive(targets=value)
        found.append(Metric(name=metric, target=value))
    return tuple(found)


def of_strategy(manifest: str, strategy: str) -> PodAutoscaler | None:
    """The manifest, if one is named and it has that strategy.

    Raises:
        ParameterError: If it has the other one.
    """
    if not manifest:
        return None
    read = read_pod_autoscaler(manifest)
    if read.strategy != strategy:
        raise ParameterError(
            f"{manifest}: spec.scalingStrategy: Invalid value: {read.strategy!r}:"
            f" must be {strategy}; use the policy aibrix-{read.strategy.lower()}"
        )
    return read


def begins_at(start: datetime | None, timezone: str) -> float:
    """Seconds from Monday 00:00 in a time zone to a moment; 0 where the moment is not known.

    Raises:
        ParameterError: If nobody knows the time zone.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ParameterError(f"spec.schedules[0].timezone: Invalid value: {timezone!r}: unknown time zone") from error
    if start is None:
        return 0.0
    local = start.astimezone(zone) if start.tzinfo else start
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return local.weekday() * DAY_S + (local - midnight).total_seconds()


Algorithm = Callable[[int, tuple[float, float], float, ScalingContext], tuple[int, float, str]]
"""From current replicas, averages of both windows, target and context: replicas, metric value and mode."""


def reconciled(
    observation: Observation,
    state: AibrixState,
    *,
    metrics: tuple[Metric, ...],
    windows_s: tuple[float, float],
    context: ScalingContext,
    schedules: tuple[ScheduledBounds, ...],
    begins_at_s: float,
    strategy: str,
    algorithm: Algorithm,
) -> tuple[int, str, AibrixState]:
    """One reconcile: the size, why, and what is remembered.

    Source: AIBrix `pkg/controller/podautoscaler/podautoscaler_controller.go`, computeScaleDecision.
    """
    current, now_s = observation.requested_replicas, observation.time_s
    low, high, active = bounds_at(
        begins_at_s + now_s, schedules, min_replicas=context.min_replicas, max_replicas=context.max_replicas
    )
    if current == 0 and low > 0:
        wakes = any(one.name == active and one.min_replicas is not None for one in schedules)
        reason = "current replicas below minimum" if wakes else "scaling disabled: current replicas is 0"
        return (low if wakes else 0), reason, state
    bounded = replace(context, min_replicas=low, max_replicas=high)
    windows = _recorded(observation, state, metrics, windows_s)
    best, said = _largest(current, windows, metrics, bounded, algorithm)
    if observation.ready_replicas < current:
        ready = observation.ready_replicas
        guarded = pending_guard(best, current=current, ready=ready, pending=current - ready, strategy=strategy)
        said = f"{said}; {guarded.reason}" if guarded.replicas != best.replicas else said
        best = guarded
    stable, history = stabilized(best.replicas, current=current, history=state.history, now_s=now_s, context=bounded)
    said = f"{said}; cooldown window gives {stable}" if stable != best.replicas else said
    replicas = max(low, min(high, stable))
    return replicas, said, AibrixState(windows=windows, history=history)


def _recorded(
    observation: Observation, state: AibrixState, metrics: tuple[Metric, ...], windows_s: tuple[float, float]
) -> tuple[Windows, ...]:
    """The windows with what was measured now; where nothing was, they stay, old values and all."""
    before = state.windows or tuple(Windows() for _ in metrics)
    return tuple(_sampled(observation, *each, windows_s) for each in zip(metrics, before, strict=True))


def _sampled(observation: Observation, metric: Metric, windows: Windows, windows_s: tuple[float, float]) -> Windows:
    value, now_s = measured(metric.name, observation), observation.time_s
    if value is None:
        return windows
    return Windows(
        stable=recorded(windows.stable, value, now_s=now_s, window_s=windows_s[0]),
        panic=recorded(windows.panic, value, now_s=now_s, window_s=windows_s[1]),
    )


def _largest(
    current: int,
    windows: tuple[Windows, ...],
    metrics: tuple[Metric, ...],
    context: ScalingContext,
    algorithm: Algorithm,
) -> tuple[Recommendation, str]:
    """The recommendation of the metric that asks for most; the first of those that ask for as many."""
    found: list[tuple[Recommendation, str]] = []
    for metric, window in zip(metrics, windows, strict=True):
        averages = window_average(window.stable), window_average(window.panic)
        replicas, value, mode = algorithm(current, averages, metric.target, context)
        constrained = apply_constraints(replicas, context)
        said = f"{metric.name} {value:.4g}, target {metric.target:g}: {mode}, wants {constrained}"
        recommendation = Recommendation(
            replicas=constrained, metric_value=value, target=metric.target, source=metric.source
        )
        found.append((recommendation, said))
    return max(found, key=lambda one: one[0].replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class AibrixStrategy:
    """What the strategies share: all but how one metric becomes a count.

    Attributes:
        manifest: A PodAutoscaler manifest; parameters given beside it win.
        metrics: What is scaled on, separated by semicolons: kv-cache (a share), running-, waiting-, concurrency- or
            qps-per-replica, cpu, memory, accelerator (percent), total-qps or total-concurrency; the largest wish
            counts.
        targets: One a metric, > 0; by default the requests in service at 80 % of what a replica sustains within
            the SLO.
        stable_window_s: Length of the long window; > 0.
        panic_window_s: Length of the short window, > 0 and at most the long one's; KPA alone looks at it.
        max_scale_up_rate: At most this factor up in one step, > 0.
        max_scale_down_rate: At most this divisor down in one step, > 0.
        up_tolerance: Relative excess that APA leaves alone, >= 0.
        down_tolerance: Relative shortfall that APA leaves alone, >= 0.
        panic_threshold: Short over long window at which KPA panics, > 0.
        scale_up_cooldown_s: Window over which growth takes the largest recommendation, >= 0.
        scale_down_cooldown_s: Window over which shrinking takes the smallest recommendation, >= 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        begins_at_s: Seconds from Monday 00:00 to the beginning of the run, for schedules; by default from the
            trace's own start.
        interval_s: Seconds between two reconciles.
    """

    strategy: ClassVar[str]
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "targets": Range(low=0.2, high=1.5, times_default=True),
        "max_scale_up_rate": Range(low=1.5, high=10, is_log=True),
        "scale_down_cooldown_s": Range(low=0, high=900, is_whole=True),
    }
    manifest: str = ""
    metrics: tuple[str, ...]
    targets: tuple[str, ...]
    stable_window_s: float = STABLE_WINDOW_S
    panic_window_s: float = PANIC_WINDOW_S
    max_scale_up_rate: float = 2.0
    max_scale_down_rate: float = 2.0
    up_tolerance: float = 0.1
    down_tolerance: float = 0.1
    panic_threshold: float = 2.0
    scale_up_cooldown_s: float = 0.0
    scale_down_cooldown_s: float = 300.0
    min_replicas: int = 1
    max_replicas: int = 1
    begins_at_s: float = 0.0
    interval_s: float = 10.0
    context: ScalingContext = field(init=False)
    schedules: tuple[ScheduledBounds, ...] = field(init=False)
    watched: tuple[Metric, ...] = field(init=False)

    @staticmethod
    def algorithm(
        current: int, averages: tuple[float, float], target: float, context: ScalingContext
    ) -> tuple[int, float, str]:
        """Replicas for one metric, before the rates, with the value that decided and the mode.

        Args:
            current: Replicas asked for.
            averages: Means of the long and of the short window.
            target: The metric's target.
            context: Rates, tolerances and the panic threshold.
        """
        raise NotImplementedError

    def __post_init__(self) -> None:
        require_positive(
            interval_s=self.interval_s, panic_window_s=self.panic_window_s, stable_window_s=self.stable_window_s
        )
        require_ordered(panic_window_s=self.panic_window_s, stable_window_s=self.stable_window_s)
        require_finite(begins_at_s=self.begins_at_s)
        read = of_strategy(self.manifest, self.strategy)
        names = ScalingContext.__dataclass_fields__
        object.__setattr__(self, "context", ScalingContext(**{name: getattr(self, name) for name in names}))
        object.__setattr__(self, "schedules", read.schedules if read else ())
        object.__setattr__(self, "watched", checked_metrics(self.metrics, self.targets))

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = of_strategy(given.get("manifest", ""), cls.strategy)
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **(read.settings if read else {}), **given}
        if read and read.schedules:
            settings.setdefault("begins_at_s", begins_at(spec.start, read.timezone))
        if "targets" not in settings and "metrics" not in settings:
            in_service = capacity_rps(spec.profile, spec.slo) * spec.profile.service_time.mean_s
            settings["targets"] = (f"{0.8 * in_service:.3f}",)
        settings.setdefault("targets", ())
        return cls(**settings)

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reading for metric in self.metrics for reading in reads_of(metric)))

    def initial_state(self) -> AibrixState:
        return AibrixState()

    def decide(self, observation: Observation, state: AibrixState) -> tuple[Decision, AibrixState]:
        replicas, reason, state = reconciled(
            observation,
            state,
            metrics=self.watched,
            windows_s=(self.stable_window_s, self.panic_window_s),
            context=self.context,
            schedules=self.schedules,
            begins_at_s=self.begins_at_s,
            strategy=self.strategy,
            algorithm=self.algorithm,
        )
        return Decision(desired_replicas=replicas, reason=reason), state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The PodAutoscaler that this is."""
        if self.schedules:
            raise ParameterError(f"schedules cannot be emitted: their time zone is not kept; edit {self.manifest}")
        document = pod_autoscaler_document(
            self.strategy,
            self.context,
            [(metric.name, metric.target) for metric in self.watched],
            workload,
            windows_s=(self.stable_window_s, self.panic_window_s),
        )
        return Manifest(
            reader=f"aibrix-{self.strategy.lower()}",
            documents=(document,),
            outside=settings_outside(self, {"interval_s": EMULATION}),
            notes=(SOURCES_NOTE, *origin_notes(self)),
        )
