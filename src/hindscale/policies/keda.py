"""KEDA as a scaling policy: its operator around zero, and the HPA it creates from one on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

from hindscale.autoscalers.hpa import Memory, Outcome, reconcile
from hindscale.autoscalers.hpa.settings import DEFAULT_VERSION, SYNC_PERIOD_S
from hindscale.autoscalers.hpa.tolerance import DEFAULT_TOLERANCE
from hindscale.autoscalers.keda import OperatorState, Query, Step, load_scaled_object, poll, query
from hindscale.autoscalers.keda.polling import POLLING_INTERVAL_S
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.checks import require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.values import Decision, Observation
from hindscale.policies._keda_hpa import proposals_of, said
from hindscale.policies._keda_settings import Plan, common_interval_s, plan_of
from hindscale.policies._keda_writing import keda_manifest
from hindscale.sizing import capacity_rps

__all__ = ["Keda", "KedaState"]

_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class KedaState:
    """What KEDA, its HPA and the cluster remember.

    Attributes:
        operator: The ScaledObject's status.
        memory: The HPA controller's logs.
        failures: Failures in a row of each trigger; empty before the first query.
        cached: What each trigger measured at the last poll; None for one that failed.
        next_poll_s: When the operator polls again.
        next_sync_s: When the HPA syncs again.
        replicas: The count last written to the scale's spec; -1 before the first decision. A replica that is lost
            does not change it, and is replaced.
    """

    operator: OperatorState = OperatorState()
    memory: Memory = Memory()
    failures: tuple[int, ...] = ()
    cached: tuple[float | None, ...] = ()
    next_poll_s: float = -math.inf
    next_sync_s: float = -math.inf
    replicas: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Keda:
    """KEDA: polls decide between 0 and 1, and drop any number to 0; an HPA scales from 1 on.

    Without a manifest there is one trigger, on the requests in service and queued, with an AverageValue target.

    Attributes:
        manifest: File with a ScaledObject, keda.sh/v1alpha1.
        metric: Without a manifest, what the trigger measures, such as concurrency or queued_requests.
        target: Without a manifest, the wanted metric per replica; by default the requests that are in service
            at 80 % of what a replica sustains within the SLO.
        activation: Without a manifest, the trigger is active strictly above it.
        metric_type: Without a manifest, AverageValue or Value.
        signals: What the triggers of a manifest measure, by name or as s0, s1, ...; such as `queue=queued_requests`.
        targets: Targets of triggers whose metadata do not say them, such as external ones: `s0=10`.
        min_replica_count: minReplicaCount; by default the manifest's, and without one the comparison's bound.
        max_replica_count: maxReplicaCount; by default the manifest's, and without one the comparison's bound.
        idle_replica_count: idleReplicaCount, below the minimum; None for unset.
        polling_interval_s: pollingInterval; None for 30 s.
        cooldown_period_s: cooldownPeriod; None for 300 s.
        initial_cooldown_period_s: initialCooldownPeriod; None for 0.
        tolerance: The HPA controller's tolerance: relative error that is left alone.
        downscale_stabilization_s: The HPA controller's window where `behavior` says none.
        version: The release of Kubernetes: 1.28 or later, or "newest".
        interval_s: Seconds between two decisions; by default the longest that meets every poll and every sync
            of the HPA, 15 s.
    """

    name: ClassVar[str] = "keda"
    emulates: ClassVar[str] = "KEDA, main branch of August 2026, on the HPA of Kubernetes 1.28 to 1.33"
    leaves_out: ClassVar[str] = (
        "Scalers are what hindscale measures: no queries, no authentication, no rebuilding of scalers; a push is seen"
        " at the next decision. The HPA sees what the operator wrote at its next sync."
    )
    own_limits: ClassVar[bool] = True
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "target": Range(low=0.2, high=1.5, times_default=True),
        "tolerance": Range(low=0.0, high=0.2),
        "downscale_stabilization_s": Range(low=0, high=900, is_whole=True),
    }

    manifest: str = ""
    metric: str = "concurrency"
    target: float | None = None
    activation: float = 0.0
    metric_type: str = "AverageValue"
    signals: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    min_replica_count: int | None = None
    max_replica_count: int | None = None
    idle_replica_count: int | None = None
    polling_interval_s: float | None = None
    cooldown_period_s: float | None = None
    initial_cooldown_period_s: float | None = None
    tolerance: float = DEFAULT_TOLERANCE
    downscale_stabilization_s: float = 300.0
    version: str = DEFAULT_VERSION
    interval_s: float = SYNC_PERIOD_S

    def __post_init__(self) -> None:
        require_positive(interval_s=self.interval_s)
        _plan(self)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        polling_s = given.get("polling_interval_s")
        if given.get("manifest"):
            polling_s = polling_s or load_scaled_object(given["manifest"]).polling_interval_s
        else:
            given.setdefault("min_replica_count", spec.min_replicas)
            given.setdefault("max_replica_count", spec.max_replicas)
            if given.get("target") is None:
                in_service = capacity_rps(spec.profile, spec.slo) * spec.profile.service_time.mean_s
                given["target"] = round(0.8 * in_service, 3)
        given.setdefault("interval_s", common_interval_s(polling_s or POLLING_INTERVAL_S))
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        # With a fallback, or several triggers, a missing measurement is a case that KEDA itself decides.
        plan = _plan(self)
        return plan.signals[0].reads if len(plan.signals) == 1 and plan.scaled.fallback is None else ()

    def initial_state(self) -> KedaState:
        return KedaState()

    def decide(self, observation: Observation, state: KedaState) -> tuple[Decision, KedaState]:
        plan, now_s = _plan(self), observation.time_s
        current = max(observation.requested_replicas, state.replicas)
        wanted, reasons = current, []
        values = tuple(
            signal.of_service(observation) if signal.is_known(observation) else None for signal in plan.signals
        )
        if now_s + _EPSILON_S >= state.next_sync_s:
            outcome, state = self._synced(plan, observation, state, values, current)
            if outcome is not None:
                wanted = outcome.replicas
                reasons.append(said(outcome, plan.hpa.metrics))
        is_due = now_s + _EPSILON_S >= state.next_poll_s
        if is_due or self._is_pushed(plan, values):
            step, state = self._polled(plan, observation, state, values, wanted, is_due=is_due)
            wanted = wanted if step.replicas is None else step.replicas
            reasons.append(f"operator: {step.reason}")
        reason = "; ".join(reasons) or "between polls and syncs"
        return Decision(desired_replicas=wanted, reason=reason), replace(state, replicas=wanted)

    def as_manifest(self, workload: Workload) -> Manifest:
        """The ScaledObject that this is."""
        return keda_manifest(self, _plan(self), workload)

    def _synced(
        self,
        plan: Plan,
        observation: Observation,
        state: KedaState,
        values: tuple[float | None, ...],
        current: int,
    ) -> tuple[Outcome | None, KedaState]:
        """One sync of the HPA, which asks the scalers live, or gets the last poll's values where they are cached."""
        state = replace(state, next_sync_s=observation.time_s + SYNC_PERIOD_S)
        if plan.operator.is_paused or plan.operator.paused_replicas is not None:
            return None, state  # there is no HPA while paused
        seen = values
        if state.cached:
            triggers = plan.scaled.triggers
            seen = tuple(
                state.cached[each.index] if each.use_cached_metrics else values[each.index] for each in triggers
            )
        asked = self._asked(plan, observation, state, seen, current)
        proposals = proposals_of(plan, observation, asked, current)
        outcome, memory = reconcile(
            plan.hpa,
            state.memory,
            current=current,
            proposals=proposals,
            now_s=observation.time_s,
            settings=plan.settings,
        )
        return outcome, replace(state, memory=memory, failures=asked.failures)

    def _polled(
        self,
        plan: Plan,
        observation: Observation,
        state: KedaState,
        values: tuple[float | None, ...],
        current: int,
        *,
        is_due: bool,
    ) -> tuple[Step, KedaState]:
        asked = self._asked(plan, observation, state, values, current)
        step, operator = poll(
            plan.operator,
            state.operator,
            current=current,
            is_active=asked.is_active or not is_due,
            has_error=asked.has_error,
            now_s=observation.time_s,
        )
        state = replace(state, operator=operator)
        if not is_due:
            return step, state
        next_poll_s = observation.time_s + plan.scaled.polling_interval_s
        return step, replace(state, cached=values, failures=asked.failures, next_poll_s=next_poll_s)

    def _asked(
        self,
        plan: Plan,
        observation: Observation,
        state: KedaState,
        values: tuple[float | None, ...],
        current: int,
    ) -> Query:
        return query(
            plan.scaled,
            values,
            failures=state.failures or (0,) * len(values),
            current=current,
            ready_replicas=observation.ready_replicas,
        )

    def _is_pushed(self, plan: Plan, values: tuple[float | None, ...]) -> bool:
        """Whether a push trigger says true now; false is never looked at."""
        return any(
            trigger.type == "external-push" and value is not None and value > trigger.activation
            for trigger, value in zip(plan.scaled.triggers, values, strict=True)
        )


@lru_cache(maxsize=64)
def _plan(policy: Keda) -> Plan:
    return plan_of(policy)
