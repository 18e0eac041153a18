"""How long a pending pod waits for a new node: every step of the chain, none of which is predictive."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hindscale.autoscalers.cluster_autoscaler.pending import (
    UNSCHEDULABLE_POD_BUFFER_S,
    UNSCHEDULABLE_POD_WITH_GPU_BUFFER_S,
)
from hindscale.core.checks import require_nonnegative, require_positive

__all__ = ["CapacityDelays", "decision_s", "node_ready_s", "pod_ready_s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityDelays:
    """Steps from a pending pod to one that serves.

    Attributes:
        mark_s: Until the scheduler marks the pod unschedulable.
        scan_interval_s: Loops of the autoscaler come at whole multiples of it.
        provider_s: Until the machine runs.
        registration_s: Until the node registers and is Ready.
        device_plugin_s: Until it advertises its accelerator; 0 without one.
        image_pull_s: Until the pod's image is there.
        model_load_s: Until the pod is ready.
    """

    mark_s: float = 1.0
    scan_interval_s: float = 10.0
    provider_s: float = 60.0
    registration_s: float = 30.0
    device_plugin_s: float = 0.0
    image_pull_s: float = 0.0
    model_load_s: float = 0.0

    def __post_init__(self) -> None:
        require_positive(scan_interval_s=self.scan_interval_s)
        require_nonnegative(
            mark_s=self.mark_s,
            provider_s=self.provider_s,
            registration_s=self.registration_s,
            device_plugin_s=self.device_plugin_s,
            image_pull_s=self.image_pull_s,
            model_load_s=self.model_load_s,
        )


def decision_s(created_s: float, delays: CapacityDelays, *, asks_for_gpu: bool) -> float:
    """When the first loop orders a node for a pod that is alone: marked, and 2 s old (30 s with a GPU).

    >>> decision_s(0.0, CapacityDelays(), asks_for_gpu=False), decision_s(0.5, CapacityDelays(), asks_for_gpu=True)
    (10.0, 40.0)
    """
    buffer_s = UNSCHEDULABLE_POD_WITH_GPU_BUFFER_S if asks_for_gpu else UNSCHEDULABLE_POD_BUFFER_S
    earliest_s = created_s + max(delays.mark_s, buffer_s)
    return math.ceil(earliest_s / delays.scan_interval_s) * delays.scan_interval_s


def node_ready_s(decided_s: float, delays: CapacityDelays) -> float:
    """When the node that was ordered then can run the pod: provider, registration, device plugin."""
    return decided_s + delays.provider_s + delays.registration_s + delays.device_plugin_s


def pod_ready_s(created_s: float, delays: CapacityDelays, *, asks_for_gpu: bool) -> float:
    """When a pod that needed a new node serves.

    >>> pod_ready_s(0.0, CapacityDelays(image_pull_s=60.0, model_load_s=120.0), asks_for_gpu=True)
    300.0
    """
    ready_s = node_ready_s(decision_s(created_s, delays, asks_for_gpu=asks_for_gpu), delays)
    return ready_s + delays.image_pull_s + delays.model_load_s
