"""Fleets that are not all alike: accelerators with rates of their own, spot beside on-demand, and who goes first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hindscale.autoscalers.skyserve.request_rate import QPS_WINDOW_S, ReplicaPolicy, clipped
from hindscale.core.checks import require_count
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = [
    "STATUS_ORDER",
    "Replica",
    "fit_target",
    "instance_aware_target",
    "scale_down_order",
    "spot_and_ondemand_replicas",
]

STATUS_ORDER = ("PENDING", "PROVISIONING", "STARTING", "NOT_READY", "READY")
"""Who is stopped first: those furthest from serving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A replica that may be stopped.

    Attributes:
        replica_id: Higher ones were launched later.
        status: One of STATUS_ORDER.
        version: Of the service; lower ones are older.
    """

    replica_id: int
    status: str = "READY"
    version: int = 1

    def __post_init__(self) -> None:
        if self.status not in STATUS_ORDER:
            raise ParameterError(f"status: nobody knows {self.status!r}; {did_you_mean(self.status, STATUS_ORDER)}")


def scale_down_order(replicas: Sequence[Replica], count: int) -> tuple[int, ...]:
    """The ids to stop: furthest from serving first, then old versions, then the latest launched.

    Source: SkyPilot `sky/serve/autoscalers.py`.

    >>> fleet = (Replica(replica_id=1), Replica(replica_id=2, status="STARTING"), Replica(replica_id=3))
    >>> scale_down_order(fleet, 2)
    (2, 3)
    """
    require_count(count=count)
    ranked = sorted(replicas, key=lambda one: (STATUS_ORDER.index(one.status), one.version, -one.replica_id))
    return tuple(one.replica_id for one in ranked[:count])


def spot_and_ondemand_replicas(
    target: int, *, num_overprovision: int = 0, base_ondemand: int = 0, is_dynamic: bool = False, ready_spot: int = 0
) -> tuple[int, int]:
    """How many spot and on-demand replicas are wanted.

    Spot covers the target and its spares but for the base; on-demand is the base and, if dynamic, whatever
    spot is not ready yet. Spares get no on-demand fallback.

    Args:
        target: The target after hysteresis.
        num_overprovision: Spares on top of it.
        base_ondemand: `base_ondemand_fallback_replicas`.
        is_dynamic: `dynamic_ondemand_fallback`.
        ready_spot: Spot replicas that serve now.

    Source: SkyPilot `sky/serve/autoscalers.py`, FallbackRequestRateAutoscaler.

    >>> spot_and_ondemand_replicas(5, num_overprovision=1, base_ondemand=1, is_dynamic=True, ready_spot=2)
    (5, 4)
    """
    spot = target + num_overprovision - base_ondemand
    ondemand = base_ondemand + (max(0, spot - ready_spot) if is_dynamic else 0)
    return max(0, spot), min(ondemand, target)


def fit_target(qps: float, ready_qps: tuple[float, ...], *, fallback_qps: float) -> int:
    """How many ready replicas, strongest first, are needed so that their rates exceed the load.

    Args:
        qps: Requests per second.
        ready_qps: Target rate of each ready replica.
        fallback_qps: Taken where none is ready.

    Source: SkyPilot `sky/serve/autoscalers.py`, InstanceAwareRequestRateAutoscaler.

    >>> fit_target(5.0, (2.0, 4.0, 1.0), fallback_qps=4.0)
    2
    """
    needed, total = 0, 0.0
    for rate in sorted(ready_qps, reverse=True) or (fallback_qps,):
        needed, total = needed + 1, total + rate
        if total > qps:
            break
    return needed


def instance_aware_target(
    requests: float,
    *,
    replica_qps: tuple[float, ...],
    ready_qps: tuple[float, ...],
    best_qps: float,
    policy: ReplicaPolicy,
) -> int:
    """The target of a mixed fleet, each kind with its own rate.

    At or above the fleet's total rate, replicas of the best kind are added for the excess; below it, the
    ready ones are summed up, strongest first.

    Args:
        requests: That arrived in the last 60 s.
        replica_qps: Target rate of each replica that counts, ready or not.
        ready_qps: The same of the ready ones.
        best_qps: The highest rate of any kind.
        policy: The bounds.

    Returns:
        The target; the lower bound while no replica counts at all.

    Source: SkyPilot `sky/serve/autoscalers.py`, InstanceAwareRequestRateAutoscaler.

    >>> policy = ReplicaPolicy(max_replicas=9)
    >>> instance_aware_target(900, replica_qps=(4.0, 2.0), ready_qps=(4.0,), best_qps=4.0, policy=policy)  # 15 - 6
    5
    """
    qps, total = requests / QPS_WINDOW_S, sum(replica_qps)
    if total <= 0:
        return clipped(policy.min_replicas, policy)
    if qps >= total:
        return clipped(len(replica_qps) + math.ceil((qps - total) / best_qps), policy)
    return clipped(fit_target(qps, ready_qps, fallback_qps=best_qps), policy)
