"""Kubernetes' HorizontalPodAutoscaler as a scaling policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from hindscale.autoscalers.hpa import Failure, Hpa, Memory, Metric, Outcome, TargetType, propose, reconcile
from hindscale.autoscalers.hpa.calculator import Proposal
from hindscale.autoscalers.hpa.pods import Pod
from hindscale.autoscalers.hpa.settings import DEFAULT_VERSION, SYNC_PERIOD_S
from hindscale.autoscalers.hpa.stabilization import DOWNSCALE_STABILIZATION_S
from hindscale.autoscalers.hpa.tolerance import DEFAULT_TOLERANCE
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.tunable import Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._hpa_pods import of_whole_pods, pods_of, sample_of
from hindscale.policies._hpa_settings import Plan, plan_of, tunable_of
from hindscale.policies._hpa_signals import Signal
from hindscale.policies._hpa_writing import hpa_manifest
from hindscale.sizing import capacity_rps

__all__ = ["HorizontalPodAutoscaler", "HpaState"]

_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaState:
    """What the controller and the cluster remember between two syncs.

    Attributes:
        memory: The controller's logs.
        replicas: The count last written to the scale's spec; -1 before the first sync. A replica that is lost
            does not change it, and is replaced.
        ready: How many pods were ready when, for as long as a reading's window looks back.
    """

    memory: Memory = Memory()
    replicas: int = -1
    ready: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class HorizontalPodAutoscaler:
    """Kubernetes' HPA v2: ⌈usage / target · pods⌉, stabilized over time, limited in rate and bounds.

    Without a manifest it follows cpu at 80 % of the request, or, where a full replica's cpu does not get there,
    the requests in service and queued per pod. Parameters win over the manifest.

    Attributes:
        manifest: File with a HorizontalPodAutoscaler, autoscaling/v2.
        metric: "cpu", "memory", "accelerator" or "concurrency" (requests in service and queued per pod); by
            default the manifest's metrics, and without one cpu.
        target: Wanted metric: a whole percentage of the request, or requests per pod. By default 80 percent,
            and the requests in service at 80 % of what a replica sustains within the SLO.
        signals: What metrics of a manifest are, such as `vllm:num_requests_waiting=queued_requests`; on the
            command line separated by semicolons.
        min_replicas: minReplicas; by default the manifest's, and without one the service's bound, at least 1.
        max_replicas: maxReplicas; by default the manifest's, and without one the service's bound.
        scale_up_stabilization_s: Window of behavior.scaleUp, 0 to 3600 s; None for the manifest's.
        scale_up_select: selectPolicy of behavior.scaleUp: Max, Min or Disabled.
        scale_up_policies: Policies of behavior.scaleUp, such as `Pods 4/15s;Percent 100/15s`.
        scale_down_stabilization_s: Window of behavior.scaleDown, 0 to 3600 s; None for the manifest's.
        scale_down_select: selectPolicy of behavior.scaleDown: Max, Min or Disabled.
        scale_down_policies: Policies of behavior.scaleDown.
        tolerance: The controller's tolerance: relative error that is left alone.
        downscale_stabilization_s: The controller's window where `behavior` says none.
        scale_to_zero: The gate HPAScaleToZero, for minReplicas 0.
        version: The release of Kubernetes: 1.28 or later, or "newest".
        cpu_request: What a pod requests, such as 500m, for targets in cores (averageValue).
        memory_request: What a pod requests, such as 16Gi, for targets in bytes (averageValue).
        metric_window_s: Interval that a pod's reading covers; one that is younger is unready for cpu.
        cold_start_s: How long a pod takes to become ready; by default the service's mean. From 300 s on its
            first cpu readings count at once.
        interval_s: Seconds between two syncs; --horizontal-pod-autoscaler-sync-period.
    """

    name: ClassVar[str] = "hpa"
    emulates: ClassVar[str] = "Kubernetes HorizontalPodAutoscaler v2, kubernetes 1.28 to 1.33, and main of 2026"
    leaves_out: ClassVar[str] = (
        "Pods of a fleet differ in nothing but being settled, just ready, starting or waiting for a node: all"
        " settled ones report the mean, so per-container requests and the selectors of metrics play no part."
    )
    own_limits: ClassVar[bool] = True

    manifest: str = ""
    metric: str = ""
    target: float | None = None
    signals: tuple[str, ...] = ()
    min_replicas: int | None = None
    max_replicas: int | None = None
    scale_up_stabilization_s: float | None = None
    scale_up_select: str = ""
    scale_up_policies: tuple[str, ...] = ()
    scale_down_stabilization_s: float | None = None
    scale_down_select: str = ""
    scale_down_policies: tuple[str, ...] = ()
    tolerance: float = DEFAULT_TOLERANCE
    downscale_stabilization_s: float = DOWNSCALE_STABILIZATION_S
    scale_to_zero: bool = False
    version: str = DEFAULT_VERSION
    cpu_request: str = ""
    memory_request: str = ""
    metric_window_s: float = 15.0
    cold_start_s: float = 0.0
    interval_s: float = SYNC_PERIOD_S

    def __post_init__(self) -> None:
        require_positive(metric_window_s=self.metric_window_s, interval_s=self.interval_s)
        require_nonnegative(cold_start_s=self.cold_start_s)
        _ = self._plan

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if not given.get("manifest"):
            least = 0 if given.get("scale_to_zero") else 1
            given.setdefault("min_replicas", max(least, spec.min_replicas))
            given.setdefault("max_replicas", spec.max_replicas)
            given.setdefault("metric", "cpu" if _can_scale_on_cpu(spec.profile) else "concurrency")
        if given.get("metric") == "concurrency" and given.get("target") is None:
            in_service = capacity_rps(spec.profile, spec.slo) * spec.profile.service_time.mean_s
            given["target"] = round(0.8 * in_service, 3)
        given.setdefault("cold_start_s", spec.profile.cold_start.mean_s)
        return cls(**given)

    @cached_property
    def _plan(self) -> Plan:
        return plan_of(self)

    @property
    def tunable(self) -> Mapping[str, Tunable]:
        return tunable_of(self._plan)

    @property
    def reads(self) -> tuple[str, ...]:
        # Of several metrics one may fail: that blocks the way down, not the way up.
        return self._plan.signals[0].reads if len(self._plan.signals) == 1 else ()

    def initial_state(self) -> HpaState:
        return HpaState()

    def decide(self, observation: Observation, state: HpaState) -> tuple[Decision, HpaState]:
        plan, now_s = self._plan, observation.time_s
        current = self._current(observation, state)
        since_s = observation.measured_at_s - self.metric_window_s - _EPSILON_S
        ready = (*(entry for entry in state.ready if entry[0] >= since_s), (now_s, observation.ready_replicas))
        settled = min(count for _, count in ready)
        pods = pods_of(
            observation, settled=settled, current=current, requests=plan.requests, cold_start_s=self.cold_start_s
        )
        proposals = [
            self._proposal(*each, observation, pods, current)
            for each in zip(plan.hpa.metrics, plan.signals, strict=True)
        ]
        outcome, memory = reconcile(
            plan.hpa, state.memory, current=current, proposals=proposals, now_s=now_s, settings=plan.settings
        )
        decision = Decision(desired_replicas=outcome.replicas, reason=_reason(outcome, plan.hpa, current))
        return decision, HpaState(memory=memory, replicas=outcome.replicas, ready=ready)

    def as_manifest(self, workload: Workload) -> Manifest:
        """The HorizontalPodAutoscaler that this is."""
        return hpa_manifest(self, self._plan, workload)

    def _current(self, observation: Observation, state: HpaState) -> int:
        """The count in the scale's spec: what was written last, or more if somebody else asked for more."""
        if state.replicas < 0:
            # A Deployment under an HPA that may not reach 0 begins with one replica at least.
            return max(observation.requested_replicas, min(1, self._plan.hpa.min_replicas))
        return max(observation.requested_replicas, state.replicas)

    def _proposal(
        self, metric: Metric, signal: Signal, observation: Observation, pods: Sequence[Pod], current: int
    ) -> Proposal | Failure:
        plan = self._plan
        return propose(
            of_whole_pods(metric),
            sample_of(metric, signal, observation, pods, requests=plan.requests, window_s=self.metric_window_s),
            pods=pods,
            current=current,
            status_replicas=current,
            now_s=observation.time_s,
            tolerance=plan.tolerance,
            settings=plan.settings,
        )


def _can_scale_on_cpu(profile: ServiceProfile) -> bool:
    """Whether a full replica's cpu is above 80 % and the tolerance: below, that target would never add a replica."""
    return "cpu" in profile.resources and profile.resources["cpu"].full > 0.8 * (1.0 + DEFAULT_TOLERANCE)


def _reason(outcome: Outcome, hpa: Hpa, current: int) -> str:
    """One line: the metric that decided and what it wanted, then what held it back."""
    active, limited = outcome.condition("ScalingActive"), outcome.condition("ScalingLimited")
    if active is None:
        bound = "maxReplicas" if current > hpa.max_replicas else "minReplicas"
        return f"{current} replicas are outside of {bound}: {outcome.replicas}"
    if not active.is_true:
        return f"{active.reason}: {active.message}"
    assert outcome.proposal is not None
    metric = hpa.metrics[outcome.metric_index]
    reason = f"{metric.name} {_measured(outcome.proposal, metric)}: {outcome.proposal.replicas} wanted"
    if outcome.stabilized_reason != "ReadyForNewScale":
        reason += f"; {outcome.stabilized_reason}"
    if limited is not None and limited.is_true:
        reason += f"; {limited.reason}: {outcome.replicas}"
    return f"{reason}; {outcome.error}" if outcome.error else reason


def _measured(proposal: Proposal, metric: Metric) -> str:
    """The value and its target as `kubectl get hpa` shows them."""
    if metric.target_type is TargetType.UTILIZATION:
        return f"{proposal.percent}%/{metric.target}%"
    if proposal.value_milli is None:
        return f"?/{metric.target / 1000:g}"
    per_pod = " per pod" if metric.target_type is TargetType.AVERAGE_VALUE else ""
    return f"{proposal.value_milli / 1000:.4g}/{metric.target / 1000:g}{per_pod}"
