"""SkyServe's request-rate autoscaler as a scaling policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.autoscalers.skyserve import (
    DECISION_INTERVAL_S,
    DEFAULT_DOWNSCALE_DELAY_S,
    DEFAULT_UPSCALE_DELAY_S,
    NO_REPLICA_DECISION_INTERVAL_S,
    QPS_WINDOW_S,
    Hysteresis,
    ReplicaPolicy,
    decision_interval_s,
    final_target_replicas,
    read_replica_policy,
    target_replicas,
    with_hysteresis,
)
from hindscale.autoscalers.skyserve.writing import service_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside
from hindscale.sizing import capacity_rps

__all__ = ["SkyServe", "SkyServeState"]

_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyServeState:
    """Requests of the last minute, tick by tick, and what the counters stand at.

    Attributes:
        arrivals: Begin and end of a tick, and the requests that arrived in it.
        seen_at_s: The last tick.
        decided_at_s: The last decision.
        hysteresis: The target that holds, and the counters; None before the first decision.
    """

    arrivals: tuple[tuple[float, float, float], ...] = ()
    seen_at_s: float | None = None
    decided_at_s: float | None = None
    hysteresis: Hysteresis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyServe:
    """⌈requests of 60 s / 60 / target⌉ replicas, once enough decisions in a row agree.

    Decisions come every 20 s, every 5 s while nothing runs. Delays are counted in decisions.

    Attributes:
        manifest: A SkyPilot task file with service.replica_policy; parameters given beside it win.
        min_replicas: Never fewer, >= 0; by default the service's bound.
        max_replicas: Never more, >= 1; by default the service's bound.
        target_qps_per_replica: Requests per second wanted at one replica, > 0; by default 80 % of what it
            sustains within the SLO.
        num_overprovision: Replicas on top of the target, >= 0; they may exceed max_replicas.
        upscale_delay_s: How long growth must be wanted, >= 0.
        downscale_delay_s: How long shrinking must be wanted, >= 0.
        interval_s: Seconds between two ticks; a tick decides only when a decision is due.
    """

    name: ClassVar[str] = "skyserve"
    emulates: ClassVar[str] = "SkyServe request-rate autoscaler, SkyPilot source of 2026"
    leaves_out: ClassVar[str] = (
        "Spot fallback, mixed fleets with a rate per accelerator, rolling updates, and the choice of which replica to"
        " stop. The load balancer's own reporting interval of 20 s is taken to be in step with decisions."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target_qps_per_replica": Range(low=0.2, high=1.5, times_default=True),
        "upscale_delay_s": Range(low=0, high=600, is_whole=True),
        "downscale_delay_s": Range(low=60, high=2400, is_log=True, is_whole=True),
        "num_overprovision": Range(low=0, high=5),
    }
    manifest: str = ""
    min_replicas: int = 1
    max_replicas: int = 1
    target_qps_per_replica: float
    num_overprovision: int = 0
    upscale_delay_s: float = DEFAULT_UPSCALE_DELAY_S
    downscale_delay_s: float = DEFAULT_DOWNSCALE_DELAY_S
    interval_s: float = NO_REPLICA_DECISION_INTERVAL_S

    def __post_init__(self) -> None:
        require_positive(interval_s=self.interval_s)
        _ = self.policy  # its checks

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        read = read_replica_policy(given["manifest"]) if given.get("manifest") else {}
        bounds = {"min_replicas": spec.min_replicas, "max_replicas": spec.max_replicas}
        settings: dict[str, Any] = {**bounds, **read, **given}
        if read and "max_replicas" not in {**read, **given}:
            settings["max_replicas"] = max(1, settings["min_replicas"])  # SkyServe: a fleet of constant size
        if "target_qps_per_replica" not in settings:
            settings["target_qps_per_replica"] = round(0.8 * capacity_rps(spec.profile, spec.slo), 6)
        return cls(**settings)

    @property
    def policy(self) -> ReplicaPolicy:
        """The same parameters as SkyServe has them."""
        return ReplicaPolicy(
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            target_qps_per_replica=self.target_qps_per_replica,
            num_overprovision=self.num_overprovision,
            upscale_delay_seconds=self.upscale_delay_s,
            downscale_delay_seconds=self.downscale_delay_s,
        )

    @property
    def reads(self) -> tuple[str, ...]:
        return ("arrival_rate_rps",)

    def initial_state(self) -> SkyServeState:
        return SkyServeState()

    def decide(self, observation: Observation, state: SkyServeState) -> tuple[Decision, SkyServeState]:
        now_s = observation.time_s
        arrivals = self._arrivals(observation, state)
        hysteresis = state.hysteresis or Hysteresis(target=self.min_replicas)
        final = final_target_replicas(hysteresis.target, self.policy)
        due_s = -1.0 if state.decided_at_s is None else state.decided_at_s + decision_interval_s(final)
        decided_at_s, reason = state.decided_at_s, f"target {hysteresis.target}, next decision at {due_s:g} s"
        if now_s >= due_s - _EPSILON_S:
            requests = sum(_within(one, now_s - QPS_WINDOW_S) for one in arrivals)
            wanted = target_replicas(requests, self.policy)
            hysteresis = with_hysteresis(wanted, hysteresis, self.policy)
            final, decided_at_s = final_target_replicas(hysteresis.target, self.policy), now_s
            reason = self._reason(requests, wanted, hysteresis)
        after = SkyServeState(arrivals=arrivals, seen_at_s=now_s, decided_at_s=decided_at_s, hysteresis=hysteresis)
        return Decision(desired_replicas=final, reason=reason), after

    def as_manifest(self, workload: Workload) -> Manifest:
        """The service section of a SkyPilot task, with the replica_policy that this is."""
        return Manifest(
            reader="skyserve",
            documents=(service_document(self.policy),),
            outside=settings_outside(self, {"interval_s": EMULATION}),
            notes=(f"Merge it into the task file of {workload.name}.", *origin_notes(self)),
        )

    def _arrivals(self, observation: Observation, state: SkyServeState) -> tuple[tuple[float, float, float], ...]:
        """Requests tick by tick, those of the last minute; a rate covers the time since the tick before."""
        now_s = observation.time_s
        since_s = now_s - self.interval_s if state.seen_at_s is None else state.seen_at_s
        kept = tuple(one for one in state.arrivals if one[1] > now_s - QPS_WINDOW_S)
        return (*kept, (since_s, now_s, observation.arrival_rate_rps * (now_s - since_s)))

    def _reason(self, requests: float, wanted: int, hysteresis: Hysteresis) -> str:
        rate = f"{requests / QPS_WINDOW_S:.4g} qps / {self.target_qps_per_replica:g}: wants {wanted}"
        up, down = hysteresis.upscale_counter, hysteresis.downscale_counter
        if up:
            return f"{rate}, upscale counter {up}/{int(self.upscale_delay_s / DECISION_INTERVAL_S)}"
        if down:
            return f"{rate}, downscale counter {down}/{int(self.downscale_delay_s / DECISION_INTERVAL_S)}"
        spares = f", {self.num_overprovision} overprovisioned" if self.num_overprovision else ""
        return f"{rate}, target {hysteresis.target}{spares}"


def _within(arrival: tuple[float, float, float], oldest_s: float) -> float:
    """The part of a tick's requests that arrived after a time, taken as spread evenly."""
    begin_s, end_s, requests = arrival
    if begin_s >= oldest_s - _EPSILON_S:
        return requests
    return requests * (end_s - oldest_s) / (end_s - begin_s)
