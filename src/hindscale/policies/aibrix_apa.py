"""AIBrix PodAutoscaler, strategy APA, as a scaling policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hindscale.autoscalers.aibrix import ScalingContext, ScheduledBounds, apa_replicas
from hindscale.core.checks import require_finite, require_ordered, require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.values import Decision, Observation
from hindscale.policies._aibrix import (
    PANIC_WINDOW_S,
    STABLE_WINDOW_S,
    AibrixState,
    Metric,
    begins_at,
    checked_metrics,
    of_strategy,
    reconciled,
)
from hindscale.policies._cloud_metrics import reads_of
from hindscale.sizing import capacity_rps

__all__ = ["AibrixApa"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AibrixApa:
    """⌈current · use / target⌉ outside ±10 %, at most doubled and at most halved in one step.

    Attributes:
        manifest: A PodAutoscaler manifest; parameters given beside it win.
        metrics: What is scaled on, separated by semicolons: kv-cache (a share), running-, waiting-, concurrency- or
            qps-per-replica, cpu, memory, accelerator (percent), total-qps or total-concurrency; the largest wish
            counts.
        targets: One a metric, > 0; by default the requests in service at 80 % of what a
            replica sustains within the SLO.
        stable_window_s: Length of the long window; > 0.
        panic_window_s: Length of the short window, > 0 and at most the long one's; unused by APA.
        max_scale_up_rate: At most this factor up in one step, > 0.
        max_scale_down_rate: At most this divisor down in one step, > 0.
        up_tolerance: Relative excess that is left alone, >= 0.
        down_tolerance: Relative shortfall that is left alone, >= 0.
        panic_threshold: Short over long window that panics, > 0; unused by APA.
        scale_up_cooldown_s: Window over which growth takes the largest recommendation, >= 0.
        scale_down_cooldown_s: Window over which shrinking takes the smallest recommendation, >= 0.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        begins_at_s: Seconds from Monday 00:00 to the beginning of the run, for schedules; by default from the
            trace's own start.
        interval_s: Seconds between two reconciles.
    """

    name: ClassVar[str] = "aibrix-apa"
    emulates: ClassVar[str] = "AIBrix PodAutoscaler, strategy APA, source of 2026"
    leaves_out: ClassVar[str] = (
        "The HPA strategy (a plain HPA), predictive scaling, roles within a StormService, and the GPU optimizer. The KV"
        " cache is not simulated: the accelerator's utilization stands in for it."
    )
    own_limits: ClassVar[bool] = True
    manifest: str = ""
    metrics: tuple[str, ...] = ("concurrency-per-replica",)
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

    def __post_init__(self) -> None:
        require_positive(
            interval_s=self.interval_s, panic_window_s=self.panic_window_s, stable_window_s=self.stable_window_s
        )
        require_ordered(panic_window_s=self.panic_window_s, stable_window_s=self.stable_window_s)
        require_finite(begins_at_s=self.begins_at_s)
        read = of_strategy(self.manifest, "APA")
        names = ScalingContext.__dataclass_fields__
        object.__setattr__(self, "context", ScalingContext(**{name: getattr(self, name) for name in names}))
        object.__setattr__(self, "schedules", read.schedules if read else ())
        object.__setattr__(self, "watched", checked_metrics(self.metrics, self.targets))

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = of_strategy(given.get("manifest", ""), "APA")
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
            strategy="APA",
            algorithm=_apa,
        )
        return Decision(desired_replicas=replicas, reason=reason), state


def _apa(current: int, stable: float, _: float, target: float, context: ScalingContext) -> tuple[int, float, str]:
    return apa_replicas(current, use_per_pod=stable, target=target, context=context), stable, "apa"
