"""The Knative Pod Autoscaler as a scaling policy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

from hindscale.autoscalers.knative import (
    TICK_INTERVAL_S,
    AutoscalerConfig,
    AutoscalerState,
    Collection,
    DeciderSpec,
    ReconcilerState,
    Revision,
    ScaleResult,
    Scaling,
    evaluate,
    initial_autoscaler_state,
    initial_reconciler_state,
    load_config,
    load_revision,
    reconcile,
    record_value,
    stable_and_panic,
)
from hindscale.autoscalers.knative.activator import SCALE_UNKNOWN
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_at_least, require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._knative_settings import REVISION_FIELDS, Settings, cluster_fields, settings_of
from hindscale.policies._knative_writing import knative_manifest

__all__ = ["Knative", "KnativeState"]

NOT_YET = ScaleResult(desired_pods=SCALE_UNKNOWN, excess_burst_capacity=0, valid=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnativeState:
    """What the autoscaler and the reconciler remember between two evaluations.

    Attributes:
        collection: The stable and the panic window.
        autoscaler: Panic and scale-down delay; None before the first evaluation.
        reconciler: The revision's status; None before the first evaluation.
        last: The last decision; it stands while there is no valid one.
    """

    collection: Collection
    autoscaler: AutoscalerState | None = None
    reconciler: ReconcilerState | None = None
    last: ScaleResult = NOT_YET


@dataclass(frozen=True, slots=True, kw_only=True)
class Knative:
    """Knative's KPA: ⌈average / target⌉ over a stable and a panic window, on concurrency or requests per second.

    A pod's target is a share of what it can take. A surge of the short window holds the most pods that were
    wanted until it has been over for a stable window; 0 is reached through the activator.

    Attributes:
        manifest: File with a Knative Service, Configuration or Revision, whose annotations are read.
        config_map: File with the ConfigMap `config-autoscaler`.
        metric: "concurrency" or "rps".
        container_concurrency: Requests that a pod takes at a time; 0 for no limit. By default what the manifest
            says, and without one the service's slots.
        target: Wanted metric of a pod, before the utilization; None for the container's concurrency, else 100
            (200 requests per second).
        target_utilization_percentage: Share of the target that is aimed for; None for 70.
        window_s: The stable window, 6 s to 1 h; None for 60 s.
        panic_window_percentage: The panic window as a share of the stable one, 1 to 100; None for 10.
        panic_threshold_percentage: Panic begins at this share of the ready pods, 110 to 1000; None for 200.
        max_scale_up_rate: At most this multiple of the ready pods in one evaluation; > 1.
        max_scale_down_rate: At least the ready pods divided by this; > 1.
        target_burst_capacity: Requests that must find room at once; -1 for any number; None for 211.
        min_scale: The least pods; by default the manifest's, and without one the comparison's.
        max_scale: The most pods, 0 for no limit; by default the manifest's, and without one the comparison's.
        initial_scale: Pods until so many were ready once; None for 1.
        activation_scale: The least pods but 0; None for no such limit.
        scale_down_delay_s: A lower number must last this long; None for 0.
        enable_scale_to_zero: Whether 0 is allowed.
        scale_to_zero_grace_period_s: The last pod stays this long after the activator is in the path.
        scale_to_zero_pod_retention_period_s: The last pod stays at least this long; None for 0.
        progress_deadline_s: Pods must have come up by then; None for 600 s.
        metric_aggregation_algorithm: "linear" or "weighted-exponential".
        interval_s: Seconds between two evaluations; each observation stands for the seconds of one interval.
    """

    name: ClassVar[str] = "knative"
    emulates: ClassVar[str] = "Knative Serving KPA, main branch of August 2026"
    leaves_out: ClassVar[str] = (
        "Every pod is asked each second, none is sampled; an activator's first request is seen at the next evaluation,"
        " up to 2 s later, and activators add no latency and do not balance the load."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_utilization_percentage": Range(low=20, high=100, if_none=70),
        "window_s": Range(low=15, high=600, is_log=True, is_whole=True, if_none=60),
        "panic_window_percentage": Range(low=5, high=50, if_none=10),
        "panic_threshold_percentage": Range(low=110, high=400, if_none=200),
        "scale_down_delay_s": Range(low=0, high=900, is_whole=True, if_none=0),
    }

    manifest: str = ""
    config_map: str = ""
    metric: str = "concurrency"
    container_concurrency: int = 0
    target: float | None = None
    target_utilization_percentage: float | None = None
    window_s: float | None = None
    panic_window_percentage: float | None = None
    panic_threshold_percentage: float | None = None
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    target_burst_capacity: float | None = None
    min_scale: int = 0
    max_scale: int = 0
    initial_scale: int | None = None
    activation_scale: int | None = None
    scale_down_delay_s: float | None = None
    enable_scale_to_zero: bool = True
    scale_to_zero_grace_period_s: float = 30.0
    scale_to_zero_pod_retention_period_s: float | None = None
    progress_deadline_s: float | None = None
    metric_aggregation_algorithm: str = "linear"
    interval_s: float = TICK_INTERVAL_S

    def __post_init__(self) -> None:
        require_positive(interval_s=self.interval_s)
        require_at_least(0, container_concurrency=self.container_concurrency)
        _settings(self)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        config_map, manifest = given.get("config_map", ""), given.get("manifest", "")
        config = load_config(config_map) if config_map else AutoscalerConfig()
        revision = load_revision(manifest, config) if manifest else Revision(container_concurrency=spec.profile.slots)
        said = {field: getattr(revision, attribute) for field, attribute in REVISION_FIELDS.items()}
        given = {field: value for field, value in said.items() if value is not None} | given
        if config_map:
            given = cluster_fields(config, given) | given
        bounds = {
            "min_scale": config.min_scale or spec.min_replicas,
            "max_scale": config.max_scale or spec.max_replicas,
        }
        return cls(**(bounds | given))

    @property
    def reads(self) -> tuple[str, ...]:
        return ("arrival_rate_rps",) if self.metric == "rps" else ("ongoing_requests", "queued_requests")

    def initial_state(self) -> KnativeState:
        return KnativeState(collection=_settings(self).collection)

    def decide(self, observation: Observation, state: KnativeState) -> tuple[Decision, KnativeState]:
        settings, now_s, ready = _settings(self), observation.time_s, observation.ready_replicas
        collection = self._recorded(observation, state.collection)
        averages = stable_and_panic(collection, now_s)
        result, autoscaler = evaluate(
            settings.decider,
            state.autoscaler or initial_autoscaler_state(ready, now_s),
            now_s=now_s,
            ready_pods=ready,
            averages=averages,
        )
        if not result.valid:
            result = replace(state.last, valid=False)
        scaling, reconciler = reconcile(
            settings.reconciler,
            state.reconciler or initial_reconciler_state(ready, observation.requested_replicas, now_s),
            desired=result.desired_pods,
            excess_burst_capacity=result.excess_burst_capacity,
            ready_pods=ready,
            now_s=now_s,
        )
        pods = scaling.want if scaling.apply else observation.requested_replicas
        reason = _reason(averages, settings.decider, autoscaler, result, scaling)
        state = KnativeState(collection=collection, autoscaler=autoscaler, reconciler=reconciler, last=result)
        return Decision(desired_replicas=pods, reason=reason), state

    def as_manifest(self, workload: Workload) -> Manifest:
        """The annotations of the revision that this is, within a Service."""
        return knative_manifest(self, workload)

    def _recorded(self, observation: Observation, collection: Collection) -> Collection:
        """The windows with the seconds of this interval; without pods or requests there is nobody to report."""
        if self.metric == "rps":
            load = observation.arrival_rate_rps
        else:
            load = observation.ongoing_requests + observation.queued_requests
        if not observation.ready_replicas and not load:
            return collection
        last = collection.stable.last_write
        second = math.floor(observation.time_s)
        for bucket in range(second + 1 - max(1, round(self.interval_s)), second + 1):
            if last is None or bucket > last:
                collection = record_value(collection, float(bucket), load)
        return collection


@lru_cache(maxsize=64)
def _settings(policy: Knative) -> Settings:
    return settings_of(policy)


def _reason(
    averages: tuple[float, float] | None,
    spec: DeciderSpec,
    autoscaler: AutoscalerState,
    result: ScaleResult,
    scaling: Scaling,
) -> str:
    """One line: the mode and its numbers, then what the reconciler changed."""
    if averages is None:
        mode = "no data to scale on"
    elif autoscaler.panic_time_s is None:
        mode = f"stable mode: {averages[0]:.4g} / {spec.target_value:g} per pod"
    else:
        most = autoscaler.max_panic_pods
        mode = f"panic mode: {averages[1]:.4g} / {spec.target_value:g} per pod, {most} at most so far"
    wanted = "unknown" if result.desired_pods < 0 else str(result.desired_pods)
    return f"{mode}: {wanted} wanted" + (f"; {scaling.reason}" if scaling.reason else "")
