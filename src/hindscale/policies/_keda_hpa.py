"""The HPA behind a ScaledObject, fed by what KEDA's scalers answered."""

from __future__ import annotations

from collections.abc import Sequence

from hindscale.autoscalers.hpa import Failure, Metric, Outcome, propose
from hindscale.autoscalers.hpa.calculator import Proposal
from hindscale.autoscalers.hpa.metrics import Sample
from hindscale.autoscalers.keda import Query
from hindscale.core.values import Observation
from hindscale.policies._hpa_pods import of_whole_pods, pods_of, sample_of
from hindscale.policies._keda_settings import Plan

__all__ = ["proposals_of", "said"]

# A request of any size gives the same utilization; this one is fine enough that rounding loses nothing.
_REQUESTS = {"cpu": 1_000_000, "memory": 1_000_000}
_METRIC_WINDOW_S = 15.0


def proposals_of(plan: Plan, observation: Observation, asked: Query, current: int) -> list[Proposal | Failure]:
    """What each of the HPA's metrics wants: cpu and memory from the pods, the others from the scalers."""
    pods = pods_of(
        observation,
        settled=observation.ready_replicas,
        current=current,
        requests=_REQUESTS,
        cold_start_s=0.0,
    )
    resources = {trigger.type: plan.signals[trigger.index] for trigger in plan.scaled.triggers}
    proposals = []
    for metric in plan.hpa.metrics:
        sample: Sample
        if metric.is_of_pods:
            signal = resources[metric.name]
            sample = sample_of(metric, signal, observation, pods, requests=_REQUESTS, window_s=_METRIC_WINDOW_S)
        else:
            found = asked.milli[metric.name]
            sample = found if isinstance(found, str) else (found,)
        proposals.append(
            propose(
                of_whole_pods(metric),
                sample,
                pods=pods,
                current=current,
                status_replicas=current,
                now_s=observation.time_s,
                tolerance=plan.tolerance,
                settings=plan.settings,
            )
        )
    return proposals


def said(outcome: Outcome, metrics: Sequence[Metric]) -> str:
    """What the HPA decided, in its own words."""
    active, limited = outcome.condition("ScalingActive"), outcome.condition("ScalingLimited")
    if active is None:
        return f"hpa: out of bounds, {outcome.replicas}"
    if not active.is_true or outcome.proposal is None:
        return f"hpa: {active.reason}"
    metric = metrics[outcome.metric_index]
    said = f"hpa: {metric.name} wants {outcome.proposal.replicas}"
    if outcome.stabilized_reason != "ReadyForNewScale":
        said += f", {outcome.stabilized_reason}"
    return f"{said}, {limited.reason}" if limited is not None and limited.is_true else said
