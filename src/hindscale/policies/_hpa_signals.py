"""What the metrics of an HPA are in hindscale's measurements.

A metric's name says what is measured, if it is one of the signals; any other name is mapped to one by the
user. Requests and rates are totals of the service, divided among the ready pods where a metric is measured
pod by pod; utilization is a mean that all ready pods share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hindscale.autoscalers.hpa import Metric, MetricType
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.values import Observation

__all__ = ["RESOURCE_TYPES", "SIGNALS", "Signal", "parse_signals", "signal_of"]


RESOURCE_TYPES = (MetricType.RESOURCE, MetricType.CONTAINER_RESOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A number that an observation holds: the sum of some measurements, times a factor.

    Attributes:
        reads: The measurements.
        factor: 100 where a share is reported in percent.
        is_total: Of the whole service; else a mean of its pods.
    """

    reads: tuple[str, ...]
    factor: float = 1.0
    is_total: bool = True

    def of_service(self, observation: Observation) -> float:
        """What the service as a whole reports."""
        total: float = sum(getattr(observation, name) for name in self.reads)
        return self.factor * total

    def of_pod(self, observation: Observation) -> float:
        """What each ready pod reports; there must be one."""
        value = self.of_service(observation)
        return value / observation.ready_replicas if self.is_total else value

    def is_known(self, observation: Observation) -> bool:
        """Whether all that it rests on was measured."""
        return observation.missing.isdisjoint(self.reads) and math.isfinite(self.of_service(observation))


def _share(name: str, factor: float = 1.0) -> Signal:
    return Signal(reads=(name,), factor=factor, is_total=False)


SIGNALS: Mapping[str, Signal] = {
    "concurrency": Signal(reads=("ongoing_requests", "queued_requests")),
    "ongoing_requests": Signal(reads=("ongoing_requests",)),
    "queued_requests": Signal(reads=("queued_requests",)),
    "arrival_rate_rps": Signal(reads=("arrival_rate_rps",)),
    "completion_rate_rps": Signal(reads=("completion_rate_rps",)),
    "cpu_utilization": _share("cpu_utilization"),
    "memory_utilization": _share("memory_utilization"),
    "accelerator_utilization": _share("accelerator_utilization"),
    "cpu_percent": _share("cpu_utilization", 100.0),
    "memory_percent": _share("memory_utilization", 100.0),
    "accelerator_percent": _share("accelerator_utilization", 100.0),
}


def parse_signals(entries: tuple[str, ...]) -> dict[str, str]:
    """Signal by metric name, from entries such as `vllm:num_requests_waiting=queued_requests`.

    Raises:
        ParameterError: If an entry has no `=`, or names a signal that nobody measures.
    """
    mapped = {}
    for entry in entries:
        metric, equals, signal = entry.rpartition("=")
        if not equals or not metric.strip():
            raise ParameterError(f"signals must be written METRIC=SIGNAL, was {entry!r}")
        if signal.strip() not in SIGNALS:
            raise ParameterError(f"signals: nobody measures {signal.strip()!r}; {did_you_mean(signal, SIGNALS)}")
        mapped[metric.strip()] = signal.strip()
    return mapped


def signal_of(metric: Metric, mapped: Mapping[str, str]) -> Signal:
    """What a metric is measured by.

    Raises:
        ParameterError: If nobody measures it.
    """
    if metric.type in RESOURCE_TYPES:
        if metric.name not in {"cpu", "memory"}:
            raise ParameterError(f"resource {metric.name!r}: the resource metrics API has cpu and memory only")
        return SIGNALS[f"{metric.name}_utilization"]
    signal = mapped.get(metric.name, metric.name)
    if signal not in SIGNALS:
        raise ParameterError(
            f"metric {metric.name!r}: nobody measures it by that name; say what it is, such as"
            f" signals={metric.name}=queued_requests, one of {', '.join(SIGNALS)}"
        )
    return SIGNALS[signal]
