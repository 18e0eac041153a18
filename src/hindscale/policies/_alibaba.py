"""What the Alibaba Cloud policies remember, and how simple and step rules meet cooldown and warm-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hindscale.autoscalers._periods import Periods, add_sample
from hindscale.autoscalers.alibaba import TriggeredRule, is_triggered, rule_instances
from hindscale.autoscalers.aws import Warmup, track_warmup, warming_replicas
from hindscale.core.service import ServiceSpec
from hindscale.core.values import Observation
from hindscale.policies._cloud_metrics import measured
from hindscale.sizing import capacity_rps

__all__ = ["AlibabaState", "default_qps", "executed", "followed", "out_base", "warming"]


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
