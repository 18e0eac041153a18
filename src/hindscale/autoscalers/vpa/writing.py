"""A VerticalPodAutoscaler as a manifest: the inverse of `vpa.manifest`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hindscale.autoscalers.kubernetes import milli_text
from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.policy import ContainerPolicy, UpdatePolicy
from hindscale.autoscalers.writing import Workload, plain_number, whole_seconds

__all__ = ["vpa_document"]


def vpa_document(update: UpdatePolicy, containers: Iterable[ContainerPolicy], workload: Workload) -> dict[str, Any]:
    """The manifest of a VerticalPodAutoscaler over a Deployment.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": workload.metadata,
        "spec": {
            "targetRef": workload.reference,
            "updatePolicy": _update_policy(update),
            "resourcePolicy": {"containerPolicies": [_container_policy(each) for each in containers]},
        },
    }


def _update_policy(update: UpdatePolicy) -> dict[str, Any]:
    written: dict[str, Any] = {"updateMode": update.update_mode}
    if update.min_replicas is not None:
        written["minReplicas"] = update.min_replicas
    if update.eviction_requirements:
        written["evictionRequirements"] = [
            {"resources": list(each.resources), "changeRequirement": each.change_requirement}
            for each in update.eviction_requirements
        ]
    if update.evict_after_oom_s is not None:
        written["evictAfterOOMSeconds"] = whole_seconds(update.evict_after_oom_s, field="evictAfterOOMSeconds")
    return written


def _container_policy(policy: ContainerPolicy) -> dict[str, Any]:
    written: dict[str, Any] = {"containerName": policy.container_name, "mode": policy.mode}
    for field, amounts in (("minAllowed", policy.min_allowed), ("maxAllowed", policy.max_allowed)):
        if _amounts(amounts):
            written[field] = _amounts(amounts)
    written["controlledResources"] = list(policy.controlled_resources)
    if policy.mode != "Off":  # the API forbids it there
        written["controlledValues"] = policy.controlled_values
    if policy.oom_bump_up_ratio is not None:
        written["oomBumpUpRatio"] = str(plain_number(policy.oom_bump_up_ratio))
    if policy.oom_min_bump_up_bytes is not None:
        written["oomMinBumpUp"] = policy.oom_min_bump_up_bytes
    return written


def _amounts(amounts: Amounts) -> dict[str, str]:
    written = {}
    if amounts.cpu_millicores is not None:
        written["cpu"] = milli_text(amounts.cpu_millicores)
    if amounts.memory_bytes is not None:
        written["memory"] = str(amounts.memory_bytes)
    return written
