"""The pods of a fleet as an HPA sees them, and what the metrics APIs would say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hindscale.autoscalers.hpa import Metric
from hindscale.autoscalers.hpa.metrics import Sample
from hindscale.autoscalers.hpa.pods import CPU, Pod, PodPhase, Readiness, Reading
from hindscale.core.rounding import ceil, floor
from hindscale.core.values import Observation
from hindscale.policies._hpa_signals import RESOURCE_TYPES, Signal

__all__ = ["of_whole_pods", "pods_of", "sample_of"]

SETTLED, FRESH, STARTING, PENDING = "settled", "fresh", "starting", "pending"


def pods_of(
    observation: Observation, *, settled: int, current: int, requests: Mapping[str, int], cold_start_s: float
) -> tuple[Pod, ...]:
    """All pods of a service: one entry for each kind of which there are any.

    Draining replicas are left out: the HPA ignores pods that are being deleted.

    Args:
        observation: The fleet.
        settled: Pods that were ready for as long as a reading's window.
        current: Replicas in the scale's spec; those not seen otherwise wait for a node.
        requests: What a pod requests, in milli by resource.
        cold_start_s: How long the others took to become ready.
    """
    now_s, fresh, starting = observation.time_s, observation.ready_replicas - settled, observation.starting_replicas
    pending = current - observation.ready_replicas - starting
    pods = []
    if settled:
        pods.append(Pod(name=SETTLED, count=settled, requests=requests, started_s=-math.inf))
    if fresh:
        began_s = now_s - cold_start_s
        pods.append(Pod(name=FRESH, count=fresh, requests=requests, started_s=began_s, readiness_changed_s=now_s))
    if starting:
        pods.append(_unready(STARTING, starting, requests, PodPhase.RUNNING, now_s))
    if pending > 0:
        pods.append(_unready(PENDING, pending, requests, PodPhase.PENDING, now_s))
    return tuple(pods)


def of_whole_pods(metric: Metric) -> Metric:
    """The metric with pods in place of a container of theirs, of which nothing is known."""
    return replace(metric, container="")


def _unready(name: str, count: int, requests: Mapping[str, int], phase: PodPhase, now_s: float) -> Pod:
    return Pod(
        name=name,
        count=count,
        requests=requests,
        phase=phase,
        readiness=Readiness.FALSE,
        started_s=now_s,
        readiness_changed_s=now_s,
    )


def sample_of(
    metric: Metric,
    signal: Signal,
    observation: Observation,
    pods: Sequence[Pod],
    *,
    requests: Mapping[str, int],
    window_s: float,
) -> Sample:
    """What the metrics APIs say of one metric.

    Ready pods report. Of starting ones only the cpu is known, which is all the same as they do not count;
    their memory, and the metrics of a server that is not up yet, are missing.
    """
    if not signal.is_known(observation):
        return f"{' or '.join(signal.reads)} was not measured"
    if not metric.is_of_pods:
        return (ceil(1000.0 * signal.of_service(observation)),)
    names = [pod.name for pod in pods if pod.name in {SETTLED, FRESH}]
    value_milli = 0
    if names:
        unit = requests[metric.name] if metric.type in RESOURCE_TYPES else 1000
        # Down: pods report values that add up to the total, and the HPA truncates their mean.
        value_milli = floor(unit * signal.of_pod(observation))
    if metric.type in RESOURCE_TYPES and metric.name == CPU:
        names += [pod.name for pod in pods if pod.name == STARTING]
    reading = Reading(value_milli=value_milli, time_s=observation.measured_at_s, window_s=window_s)
    return dict.fromkeys(names, reading)
