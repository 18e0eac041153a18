"""From the policy `knative` to the manifest that it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hindscale.autoscalers.knative.writing import service_document
from hindscale.autoscalers.writing import Manifest, Outside, Workload
from hindscale.policies._knative_settings import revision_of
from hindscale.policies._writing import EMULATION, origin_notes, settings_outside

__all__ = ["knative_manifest"]

_CLUSTER = "key {} of the ConfigMap config-autoscaler, for all revisions of the cluster"
_OUTSIDE = {
    "max_scale_up_rate": _CLUSTER.format("max-scale-up-rate"),
    "max_scale_down_rate": _CLUSTER.format("max-scale-down-rate"),
    "enable_scale_to_zero": _CLUSTER.format("enable-scale-to-zero"),
    "scale_to_zero_grace_period_s": _CLUSTER.format("scale-to-zero-grace-period"),
    "interval_s": EMULATION,
}


def knative_manifest(policy: Any, workload: Workload) -> Manifest:
    """The part of a Service that says what the policy says."""
    revision, outside = revision_of(policy), settings_outside(policy, _OUTSIDE)
    if revision.initial_scale == 0:
        # The webhook takes it only where the cluster allows it, and so does the reader.
        place = "annotation autoscaling.knative.dev/initial-scale, with allow-zero-initial-scale in config-autoscaler"
        outside = (*outside, Outside(parameter="initial_scale", value=0, place=place))
        revision = replace(revision, initial_scale=None)
    return Manifest(
        reader="knative",
        documents=(service_document(revision, workload),),
        outside=outside,
        notes=("Merge it into your Service, whose containers it leaves out.", *origin_notes(policy)),
    )
