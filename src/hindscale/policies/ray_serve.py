"""Ray Serve's `autoscaling_config` as a scaling policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from hindscale.autoscalers.ray_serve import (
    CONTROL_LOOP_INTERVAL_S,
    AutoscalingConfig,
    apply_bounds,
    decision_replicas,
    read_config,
    window_average,
)
from hindscale.autoscalers.ray_serve.writing import deployment_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside

__all__ = ["RayServe", "RayServeState"]

_EPSILON_S = 1e-6
_CONFIG = tuple(field.name for field in dataclasses.fields(AutoscalingConfig))


@dataclass(frozen=True, slots=True, kw_only=True)
class RayServeState:
    """What handles have sampled and reported, and how many passes in a row wanted the same direction."""

    samples: tuple[tuple[float, float], ...] = ()
    reported_at_s: float | None = None
    total_requests: float = 0.0
    counter: int = 0
    decided_at_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class RayServe:
    """Total requests, running and queued, over the target per replica; act only after a delay.

    The controller of Ray Serve decides every 0.1 s, but on numbers that are reported every
    `metrics_interval_s`. One tick here stands for all passes since the one before, on what was reported
    then; the tick's own pass sees its own numbers.

    Attributes:
        manifest: A Serve config file with an autoscaling_config; parameters given beside it win.
        deployment: Which deployment of the file, where more than one autoscales.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        initial_replicas: The size at first, within the bounds; by default the fleet's own.
        target_ongoing_requests: Wanted requests per replica, running and queued; > 0.
        metrics_interval_s: Seconds between two reports of the requests; > 0.
        look_back_period_s: Seconds that a report averages over; > 0.
        smoothing_factor: Gain on every change, > 0; deprecated upstream.
        upscale_smoothing_factor: Deprecated name of upscaling_factor.
        downscale_smoothing_factor: Deprecated name of downscaling_factor.
        upscaling_factor: Gain on growth, > 0; by default the smoothing factors.
        downscaling_factor: Gain on shrinking, > 0; by default the smoothing factors.
        upscale_delay_s: How long growth must be wanted without a break, >= 0.
        downscale_delay_s: The same for shrinking.
        downscale_to_zero_delay_s: The same for the last replica; by default downscale_delay_s.
        aggregation_function: How a look-back becomes one number: mean, max or min.
        interval_s: Seconds between two ticks; smaller ones cost time and hardly change anything.
    """

    name: ClassVar[str] = "ray-serve"
    emulates: ClassVar[str] = "Ray Serve deployment autoscaling, default policy, Ray source of 2026"
    leaves_out: ClassVar[str] = (
        "Custom and application-level policies (code of their own), the async-queue policy, and the placement of"
        " replicas. Reports of all handles and replicas are taken to arrive together."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_ongoing_requests": Range(low=0.25, high=8.0, times_default=True, is_log=True),
        "upscale_delay_s": Range(low=0, high=60, is_whole=True),
        "downscale_delay_s": Range(low=30, high=1200, is_log=True, is_whole=True),
        "look_back_period_s": Range(low=10, high=120, is_log=True, is_whole=True),
    }
    manifest: str = ""
    deployment: str = ""
    min_replicas: int = 1
    max_replicas: int = 1
    initial_replicas: int | None = None
    target_ongoing_requests: float = 2.0
    metrics_interval_s: float = 10.0
    look_back_period_s: float = 30.0
    smoothing_factor: float = 1.0
    upscale_smoothing_factor: float | None = None
    downscale_smoothing_factor: float | None = None
    upscaling_factor: float | None = None
    downscaling_factor: float | None = None
    upscale_delay_s: float = 30.0
    downscale_delay_s: float = 600.0
    downscale_to_zero_delay_s: float | None = None
    aggregation_function: str = "mean"
    interval_s: float = 1.0

    def __post_init__(self) -> None:
        require_positive(interval_s=self.interval_s)
        _ = self.config  # its checks

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_config(given["manifest"], deployment=given.get("deployment", "")) if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        return cls(**{**bounds, **read, **given})

    @cached_property
    def config(self) -> AutoscalingConfig:
        """The same parameters as Ray Serve has them."""
        return AutoscalingConfig(**{name: getattr(self, name) for name in _CONFIG})

    @property
    def reads(self) -> tuple[str, ...]:
        return ("ongoing_requests", "queued_requests")

    def initial_state(self) -> RayServeState:
        return RayServeState()

    def decide(self, observation: Observation, state: RayServeState) -> tuple[Decision, RayServeState]:
        if state.decided_at_s is None and self.initial_replicas is not None:
            target, counter = self.initial_replicas, 0
        else:
            target, counter = self._passed(observation, state)
        samples, reported_at_s, total = self._reported(observation, state)
        replicas, counter = self._decided(total, observation, target, counter, passes=1)
        state = RayServeState(
            samples=samples,
            reported_at_s=reported_at_s,
            total_requests=total,
            counter=counter,
            decided_at_s=observation.time_s,
        )
        return Decision(desired_replicas=replicas, reason=self._reason(total, replicas, counter, observation)), state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The deployment's entry of a Serve config file, with the autoscaling_config that this is."""
        return Manifest(
            reader="ray-serve",
            documents=(deployment_document(self.config, workload),),
            outside=settings_outside(self, {"interval_s": EMULATION}),
            notes=("It belongs under applications: deployments: of your Serve config file.", *origin_notes(self)),
        )

    def _passed(self, observation: Observation, state: RayServeState) -> tuple[int, int]:
        """Target and counter after the passes since the last tick, before this one's own."""
        target = apply_bounds(observation.requested_replicas, lower=self.min_replicas, upper=self.max_replicas)
        if state.decided_at_s is None:
            return target, 0
        passes = round((observation.time_s - state.decided_at_s) / CONTROL_LOOP_INTERVAL_S) - 1
        if passes < 1:
            return target, state.counter
        return self._decided(state.total_requests, observation, target, state.counter, passes=passes)

    def _decided(
        self, total: float, observation: Observation, target: int, counter: int, *, passes: int
    ) -> tuple[int, int]:
        return decision_replicas(
            total_requests=total,
            running_replicas=observation.ready_replicas,
            target_replicas=target,
            counter=counter,
            config=self.config,
            passes=passes,
        )

    def _reported(
        self, observation: Observation, state: RayServeState
    ) -> tuple[tuple[tuple[float, float], ...], float, float]:
        """Samples of the look-back, and when and what was last reported."""
        now_s, queued = observation.time_s, observation.queued_requests
        oldest_s = now_s - self.look_back_period_s
        kept = tuple(sample for sample in state.samples if sample[0] > oldest_s)
        samples = (*kept, (now_s, observation.ongoing_requests + queued))
        # Without replicas a handle reports a waiting request at once; there is nothing to average.
        if observation.ready_replicas == 0 and queued > 0:
            return samples, now_s, queued
        last_s = state.reported_at_s
        if last_s is not None and now_s - last_s < self.metrics_interval_s - _EPSILON_S:
            return samples, last_s, state.total_requests
        return samples, now_s, self._aggregated(samples, oldest_s)

    def _aggregated(self, samples: tuple[tuple[float, float], ...], oldest_s: float) -> float:
        if self.aggregation_function == "mean":
            return window_average(samples, window_start_s=oldest_s) or 0.0
        values = [value for _, value in samples]
        return max(values) if self.aggregation_function == "max" else min(values)

    def _reason(self, total: float, replicas: int, counter: int, observation: Observation) -> str:
        load = f"{total:.4g} requests / target_ongoing_requests {self.target_ongoing_requests:g}"
        if observation.ready_replicas == 0:
            return f"cold start: {total:.4g} requests waiting, no replica runs"
        if counter == 0:
            verb = "keep" if replicas == observation.requested_replicas else "scale to"
            return f"{load}: {verb} {replicas}"
        delay, held_s = ("upscale_delay_s", "downscale_delay_s")[counter < 0], abs(counter) * CONTROL_LOOP_INTERVAL_S
        return f"{load}: {delay} since {held_s:.1f} s, keep {replicas}"
