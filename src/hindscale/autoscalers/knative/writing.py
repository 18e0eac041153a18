"""A revision's scaling as annotations, and as part of a Knative Service: the inverse of `knative.revision`."""

from __future__ import annotations

import dataclasses
from typing import Any

from hindscale.autoscalers.knative._annotations import DOMAIN, PROGRESS_DEADLINE
from hindscale.autoscalers.knative.revision import Revision
from hindscale.autoscalers.writing import Workload, plain_number

__all__ = ["annotations_of", "service_document"]

_NAMES = {"aggregation": "metric-aggregation-algorithm"}


def annotations_of(revision: Revision) -> dict[str, str]:
    """The annotations that say what a revision says; nothing is checked.

    >>> annotations_of(Revision(target=80.0, window_s=90.0))["autoscaling.knative.dev/window"]
    '90s'
    """
    written = {}
    for field in dataclasses.fields(revision):
        value = getattr(revision, field.name)
        if value is not None and field.name != "container_concurrency":
            written[_annotation(field.name)] = _text(field.name, value)
    return written


def service_document(revision: Revision, workload: Workload) -> dict[str, Any]:
    """The part of a Service that says how it is scaled."""
    template = {
        "metadata": {"annotations": annotations_of(revision)},
        "spec": {"containerConcurrency": revision.container_concurrency},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": workload.metadata,
        "spec": {"template": template},
    }


def _annotation(field: str) -> str:
    if field == "progress_deadline_s":
        return PROGRESS_DEADLINE
    return f"{DOMAIN}/{_NAMES.get(field, field.removesuffix('_s').replace('_', '-'))}"


def _text(field: str, value: object) -> str:
    plain = plain_number(value) if isinstance(value, float) else value
    return f"{plain!r}s" if field.endswith("_s") else str(plain)
