"""How many replicas a request rate wants, and when a wish becomes the target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)

__all__ = [
    "DECISION_INTERVAL_S",
    "DEFAULT_DOWNSCALE_DELAY_S",
    "DEFAULT_UPSCALE_DELAY_S",
    "NO_REPLICA_DECISION_INTERVAL_S",
    "QPS_WINDOW_S",
    "Hysteresis",
    "ReplicaPolicy",
    "clipped",
    "decision_interval_s",
    "final_target_replicas",
    "target_replicas",
    "with_hysteresis",
]

QPS_WINDOW_S = 60.0
DECISION_INTERVAL_S = 20.0
NO_REPLICA_DECISION_INTERVAL_S = 5.0
DEFAULT_UPSCALE_DELAY_S = 300.0
DEFAULT_DOWNSCALE_DELAY_S = 1200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPolicy:
    """A service's `replica_policy`.

    Attributes:
        min_replicas: Never fewer, >= 0.
        max_replicas: Never more, >= `min_replicas`; None for a fleet of constant size.
        target_qps_per_replica: Requests per second wanted at one replica, > 0; None for a constant size.
        num_overprovision: Replicas on top of the target, >= 0; not bounded by `max_replicas`.
        upscale_delay_seconds: How long growth must be wanted, >= 0.
        downscale_delay_seconds: How long shrinking must be wanted, >= 0.
    """

    min_replicas: int = 1
    max_replicas: int | None = None
    target_qps_per_replica: float | None = None
    num_overprovision: int = 0
    upscale_delay_seconds: float = DEFAULT_UPSCALE_DELAY_S
    downscale_delay_seconds: float = DEFAULT_DOWNSCALE_DELAY_S

    def __post_init__(self) -> None:
        require_count(min_replicas=self.min_replicas, num_overprovision=self.num_overprovision)
        if self.max_replicas is not None:
            require_at_least(1, max_replicas=self.max_replicas)
            require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        if self.target_qps_per_replica is not None:
            require_positive(target_qps_per_replica=self.target_qps_per_replica)
        require_nonnegative(
            upscale_delay_seconds=self.upscale_delay_seconds, downscale_delay_seconds=self.downscale_delay_seconds
        )

    @property
    def upper(self) -> int:
        """The upper bound: without `max_replicas`, the lower one."""
        return self.min_replicas if self.max_replicas is None else self.max_replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Hysteresis:
    """The target that holds, and how many decisions in a row wanted another."""

    target: int
    upscale_counter: int = 0
    downscale_counter: int = 0


def clipped(replicas: int, policy: ReplicaPolicy) -> int:
    """Within [min, max].

    Source: SkyPilot `sky/serve/autoscalers.py`.
    """
    return max(policy.min_replicas, min(policy.upper, replicas))


def target_replicas(requests: float, policy: ReplicaPolicy) -> int:
    """⌈requests / 60 s / target⌉, within [min, max]; without a target rate the lower bound.

    Args:
        requests: That arrived in the last 60 s; >= 0.
        policy: Target rate and bounds.

    Source: SkyPilot `sky/serve/autoscalers.py`, RequestRateAutoscaler.

    >>> target_replicas(310, ReplicaPolicy(max_replicas=9, target_qps_per_replica=2.5))  # 5.17 / 2.5 = 2.07
    3
    """
    if policy.target_qps_per_replica is None:
        return policy.min_replicas
    return clipped(math.ceil(requests / QPS_WINDOW_S / policy.target_qps_per_replica), policy)


def with_hysteresis(wanted: int, state: Hysteresis, policy: ReplicaPolicy) -> Hysteresis:
    """The target after one decision: it moves once ⌊delay / 20 s⌋ decisions in a row want it to.

    A decision for the other direction, or for what there is, sets the counters back to nothing. From a
    target of zero it moves at once. Decisions count, not seconds: with none in between a delay passes as
    20 s each, also while decisions come every 5 s.

    Source: SkyPilot `sky/serve/autoscalers.py`, _AutoscalerWithHysteresis.

    >>> policy = ReplicaPolicy(max_replicas=9, target_qps_per_replica=1.0, upscale_delay_seconds=40)
    >>> with_hysteresis(5, Hysteresis(target=2, upscale_counter=1), policy).target
    5
    """
    if state.target == 0:
        # As in the original, the counters are left as they were.
        return Hysteresis(
            target=wanted, upscale_counter=state.upscale_counter, downscale_counter=state.downscale_counter
        )
    if wanted > state.target:
        counter = state.upscale_counter + 1
        moves = counter >= int(policy.upscale_delay_seconds / DECISION_INTERVAL_S)
        return Hysteresis(target=wanted) if moves else Hysteresis(target=state.target, upscale_counter=counter)
    if wanted < state.target:
        counter = state.downscale_counter + 1
        moves = counter >= int(policy.downscale_delay_seconds / DECISION_INTERVAL_S)
        return Hysteresis(target=wanted) if moves else Hysteresis(target=state.target, downscale_counter=counter)
    return Hysteresis(target=state.target)


def final_target_replicas(target: int, policy: ReplicaPolicy) -> int:
    """The target and the spares: `num_overprovision` comes on top, past `max_replicas`.

    Source: SkyPilot `sky/serve/autoscalers.py`.
    """
    return target + policy.num_overprovision


def decision_interval_s(final_target: int) -> float:
    """Seconds until the next decision: 20, or 5 while nothing runs.

    Source: SkyPilot `sky/serve/autoscalers.py`, `constants.py`.
    """
    return DECISION_INTERVAL_S if final_target else NO_REPLICA_DECISION_INTERVAL_S
