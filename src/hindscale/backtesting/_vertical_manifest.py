"""The VerticalPodAutoscaler of a comparison, as one more document beside the policy's manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from typing import Any

from hindscale.autoscalers.vpa.manifest import read_vertical_pod_autoscaler
from hindscale.autoscalers.vpa.writing import vpa_document
from hindscale.autoscalers.writing import Manifest, Workload
from hindscale.core.errors import ParameterError, RunError
from hindscale.simulation.vertical import VerticalAutoscaler

__all__ = ["with_vertical"]

# The object holds these; everything else is a flag of the recommender or the updater.
_IN_OBJECT = (
    *("update_mode", "min_replicas", "min_allowed", "max_allowed", "controlled_resources", "eviction_requirements"),
)


def with_vertical(manifest: Manifest, vertical: VerticalAutoscaler, workload: Workload) -> Manifest:
    """The manifest with the VerticalPodAutoscaler as its last document, its flags among the notes.

    Raises:
        ParameterError: If the manifest is not one of Kubernetes.
    """
    if not all("apiVersion" in document for document in manifest.documents):
        raise ParameterError(f"vertical cannot be emitted beside {manifest.reader}, which is not of Kubernetes")
    document = vpa_document(vertical.update_policy, (vertical.container_policy,), workload)
    flags = tuple(_flags(vertical, but=_IN_OBJECT))
    note = (f"The VPA's recommender and updater run with: {' '.join(flags)}",) if flags else ()
    joined = dataclasses.replace(manifest, documents=(*manifest.documents, document), notes=(*manifest.notes, *note))
    read = read_vertical_pod_autoscaler(joined.text)
    if (read.update_policy, read.container_policies) != (vertical.update_policy, (vertical.container_policy,)):
        raise RunError("vertical: what was written is read back as something else; please report this")
    return joined


def _flags(values: Any, but: Collection[str] = ()) -> Iterator[str]:
    """What differs from the defaults, as command-line flags; those of the parts too."""
    for field in dataclasses.fields(values):
        value = getattr(values, field.name)
        if field.name in but or value == field.default:
            continue
        if dataclasses.is_dataclass(value):
            yield from _flags(value)
        else:
            unit = "s" if field.name.endswith("_s") else ""
            yield f"--{field.name.removesuffix('_s').replace('_', '-')}={str(value).lower()}{unit}"
