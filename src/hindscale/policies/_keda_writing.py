"""From the policy `keda` to the manifest that it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hindscale.autoscalers.keda import Trigger
from hindscale.autoscalers.keda.writing import scaled_object_document
from hindscale.autoscalers.writing import Manifest, Workload, plain_number
from hindscale.policies._hpa_writing import CONTROLLER
from hindscale.policies._keda_settings import Plan, common_interval_s
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside

__all__ = ["keda_manifest"]

_OUTSIDE = {
    **CONTROLLER,
    "signals": "what the triggers are among hindscale's measurements",
    "targets": "what the external scalers answer",
    "interval_s": EMULATION,
}


def keda_manifest(policy: Any, plan: Plan, workload: Workload) -> Manifest:
    """The ScaledObject of a policy's plan.

    Raises:
        ParameterError: If a field of the format cannot carry its value.
    """
    scaled, notes = plan.scaled, origin_notes(policy)
    if not policy.manifest:
        trigger, note = _asking_prometheus(policy, scaled.triggers[0], plan, workload)
        scaled, notes = replace(scaled, triggers=(trigger,)), (*notes, note)
    return Manifest(
        reader="keda",
        documents=(scaled_object_document(scaled, workload),),
        outside=settings_outside(
            policy, _OUTSIDE, defaults={"interval_s": common_interval_s(scaled.polling_interval_s)}
        ),
        notes=notes,
    )


def _asking_prometheus(policy: Any, trigger: Trigger, plan: Plan, workload: Workload) -> tuple[Trigger, str]:
    """The policy's own trigger with all that KEDA needs, and what to know of its query."""
    reads = " + ".join(plan.signals[0].reads)
    query = workload.query or _default_query(workload.metric or policy.metric, workload)
    metadata = {
        "serverAddress": workload.prometheus,
        "query": query,
        "threshold": str(plain_number(policy.target)),
        "activationThreshold": str(plain_number(policy.activation)),
    }
    asked = "as asked for" if workload.query else "an assumption, set --query"
    return replace(trigger, metadata=metadata), f"The query ({asked}) must give {reads} of the whole service."


def _default_query(metric: str, workload: Workload) -> str:
    labels = f'service="{workload.name}"' + (f', namespace="{workload.namespace}"' if workload.namespace else "")
    return f"sum({metric}{{{labels}}})"
