"""The metrics that clouds scale on, read off an observation in the units that the clouds use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hindscale.autoscalers._periods import STATISTICS
from hindscale.core.checks import require_at_least, require_count, require_ordered, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.values import Decision, Observation

__all__ = ["METRICS", "CloudSettings", "bounded", "check_cloud_settings", "check_metric", "measured", "reads_of"]

_PERCENT = 100.0


def _per_replica(total: float, observation: Observation) -> float | None:
    """Spread over the ready replicas; without any, nothing is measured."""
    return total / observation.ready_replicas if observation.ready_replicas else None


def _of_replicas(share: float, observation: Observation) -> float | None:
    """A mean over ready replicas; without any, nothing is measured."""
    return share if observation.ready_replicas else None


METRICS: dict[str, tuple[tuple[str, ...], Callable[[Observation], float | None]]] = {
    "cpu": (("cpu_utilization",), lambda seen: _of_replicas(_PERCENT * seen.cpu_utilization, seen)),
    "memory": (("memory_utilization",), lambda seen: _of_replicas(_PERCENT * seen.memory_utilization, seen)),
    "accelerator": (
        ("accelerator_utilization",),
        lambda seen: _of_replicas(_PERCENT * seen.accelerator_utilization, seen),
    ),
    # A share of the cache, as vLLM reports it; the accelerator's utilization stands in for it.
    "kv-cache": (("accelerator_utilization",), lambda seen: _of_replicas(seen.accelerator_utilization, seen)),
    "requests-per-replica": (("arrival_rate_rps",), lambda seen: _per_replica(60.0 * seen.arrival_rate_rps, seen)),
    "qps-per-replica": (("arrival_rate_rps",), lambda seen: _per_replica(seen.arrival_rate_rps, seen)),
    "running-per-replica": (("ongoing_requests",), lambda seen: _per_replica(seen.ongoing_requests, seen)),
    "waiting-per-replica": (("queued_requests",), lambda seen: _per_replica(seen.queued_requests, seen)),
    "concurrency-per-replica": (
        ("ongoing_requests", "queued_requests"),
        lambda seen: _per_replica(seen.ongoing_requests + seen.queued_requests, seen),
    ),
    "total-qps": (("arrival_rate_rps",), lambda seen: seen.arrival_rate_rps),
    "total-concurrency": (
        ("ongoing_requests", "queued_requests"),
        lambda seen: seen.ongoing_requests + seen.queued_requests,
    ),
}
"""By name: what is read, and the value. Utilization is in percent, requests are per minute, QPS per second."""


class CloudSettings(Protocol):
    """What every policy of a cloud is set with."""

    @property
    def metric(self) -> str: ...
    @property
    def statistic(self) -> str: ...
    @property
    def min_replicas(self) -> int: ...
    @property
    def max_replicas(self) -> int: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def period_s(self) -> float: ...


def check_metric(metric: str) -> None:
    """The metric is one of ours.

    Raises:
        ParameterError: If it is not.
    """
    if metric not in METRICS:
        raise ParameterError(f"metric: nobody measures {metric!r}; {did_you_mean(metric, METRICS)}")


def check_cloud_settings(policy: CloudSettings) -> None:
    """What every policy of a cloud is checked for.

    Raises:
        ParameterError: If a value is unknown or out of range.
    """
    check_metric(policy.metric)
    if policy.statistic not in STATISTICS:
        raise ParameterError(
            f"statistic: nobody knows {policy.statistic!r}; {did_you_mean(policy.statistic, STATISTICS)}"
        )
    require_count(min_replicas=policy.min_replicas)
    require_at_least(1, max_replicas=policy.max_replicas)
    require_ordered(min_replicas=policy.min_replicas, max_replicas=policy.max_replicas)
    require_ordered(interval_s=policy.interval_s, period_s=policy.period_s)  # or periods would lack samples
    require_positive(interval_s=policy.interval_s, period_s=policy.period_s)


def bounded(policy: CloudSettings, wanted: int, reason: str) -> Decision:
    """The decision within the policy's own minimum and maximum."""
    replicas = max(policy.min_replicas, min(policy.max_replicas, wanted))
    return Decision(
        desired_replicas=replicas, reason=reason if replicas == wanted else f"{reason}, bounded to {replicas}"
    )


def reads_of(metric: str) -> tuple[str, ...]:
    """The measurements that a metric needs."""
    return METRICS[metric][0]


def measured(metric: str, observation: Observation) -> float | None:
    """The metric's value; None where no replica is there to be measured."""
    return METRICS[metric][1](observation)
