"""What a revision says of its own scaling: the annotations `autoscaling.knative.dev/*` of its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from hindscale.autoscalers.knative._annotations import DOMAIN, Annotations
from hindscale.autoscalers.knative._texts import MAX_INT32
from hindscale.autoscalers.knative.config import (
    PANIC_THRESHOLD_RANGE,
    PANIC_WINDOW_RANGE,
    TARGET_MIN,
    WINDOW_RANGE_S,
    AutoscalerConfig,
)
from hindscale.autoscalers.knative.metrics import Algorithm
from hindscale.autoscalers.kubernetes import Fields, fields_of, load_manifest
from hindscale.core.errors import ParameterError

__all__ = ["Metric", "Revision", "load_revision", "revision_from_annotations"]

Metric = Literal["concurrency", "rps"]

ALGORITHMS: Mapping[str, Algorithm] = {
    "linear": "linear",
    "weighted-exponential": "weighted-exponential",
    "weightedExponential": "weighted-exponential",
}
MAX_CONTAINER_CONCURRENCY = 1000
RETENTION_RANGE_S = (0.0, WINDOW_RANGE_S[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision's own settings; None where the cluster's hold.

    Attributes:
        container_concurrency: Requests that a pod takes at a time, enforced; 0 for no limit.
        metric: What is averaged.
        aggregation: How a window is averaged.
        target: Wanted metric of a pod, before the utilization; >= 0.01.
        target_utilization_percentage: 1 to 100.
        target_burst_capacity: >= 0, or -1 for unlimited.
        window_s: The stable window, 6 s to 1 h.
        panic_window_percentage: Of the stable window; 1 to 100.
        panic_threshold_percentage: Of the ready pods; 110 to 1000.
        min_scale: The least pods.
        max_scale: The most pods; 0 for no limit.
        initial_scale: Pods until so many were ready once.
        activation_scale: The least but 0; >= 2.
        scale_down_delay_s: 0 to 1 h.
        scale_to_zero_pod_retention_period_s: 0 to 1 h.
        progress_deadline_s: Pods must have come up by then.
    """

    container_concurrency: int = 0
    metric: Metric = "concurrency"
    aggregation: Algorithm = "linear"
    target: float | None = None
    target_utilization_percentage: float | None = None
    target_burst_capacity: float | None = None
    window_s: float | None = None
    panic_window_percentage: float | None = None
    panic_threshold_percentage: float | None = None
    min_scale: int | None = None
    max_scale: int | None = None
    initial_scale: int | None = None
    activation_scale: int | None = None
    scale_down_delay_s: float | None = None
    scale_to_zero_pod_retention_period_s: float | None = None
    progress_deadline_s: float | None = None


def load_revision(source: str | Path, config: AutoscalerConfig | None = None) -> Revision:
    """The settings in the manifest of a Knative Service, Configuration or Revision.

    Args:
        source: Path of the file, or its text.
        config: The cluster's settings, which some annotations are checked against.

    Raises:
        ParameterError: If the manifest is none of these, or an annotation is misplaced, unknown or out of its range.
    """
    kind = _kind(source)
    manifest = load_manifest(source, kind=kind, api_versions=("serving.knative.dev/v1",))
    template = manifest
    if kind != "Revision":
        _refuse_misplaced(manifest)
        template = manifest.fields("spec").fields("template")
    metadata = template.fields("metadata", default=None)
    annotations = {} if metadata is None else metadata.text_mapping("annotations")
    path = f"{template.path}.metadata.annotations" if template.path else "metadata.annotations"
    concurrency = template.fields("spec").integer(
        "containerConcurrency", default=0, minimum=0, maximum=MAX_CONTAINER_CONCURRENCY
    )
    return revision_from_annotations(
        annotations, container_concurrency=concurrency, config=config, path=path, source=manifest.source
    )


def revision_from_annotations(
    annotations: Mapping[str, str],
    *,
    container_concurrency: int = 0,
    config: AutoscalerConfig | None = None,
    path: str = "spec.template.metadata.annotations",
    source: str = "",
) -> Revision:
    """The settings that annotations stand for; those of other domains are not read.

    Every key has its older spelling too: `min-scale` and `minScale` are the same, the first one wins.

    Args:
        annotations: Texts by key.
        container_concurrency: `containerConcurrency` of the revision's spec.
        config: The cluster's settings, which some annotations are checked against.
        path: Where the annotations stand, for messages.
        source: Name of their file, for messages.

    Raises:
        ParameterError: If an annotation is unknown, or its value does not parse or is out of its range.

    Source: `pkg/apis/autoscaling/annotation_validation.go`, `register.go`.

    >>> revision_from_annotations({"autoscaling.knative.dev/min-scale": "2"}).min_scale
    2
    >>> revision_from_annotations({"autoscaling.knative.dev/min-scale": "-1"}, path="metadata.annotations")
    Traceback (most recent call last):
        ...
    hindscale.core.errors.ParameterError: metadata.annotations.autoscaling.knative.dev/min-scale:
    Invalid value: "-1": must be in [0; 2147483647]
    """
    read = Annotations(fields_of(dict(annotations), path=path, source=source))
    read.refuse_unknown()
    read.refuse_other_class()
    revision = Revision(
        container_concurrency=container_concurrency,
        metric=cast("Metric", read.choice("metric", {"concurrency": "concurrency", "rps": "rps"})),
        aggregation=cast("Algorithm", read.choice("metric-aggregation-algorithm", ALGORITHMS)),
        target=read.number("target", (TARGET_MIN, float("inf")), f"should be at least {TARGET_MIN:g}"),
        target_utilization_percentage=read.number("target-utilization-percentage", (1.0, 100.0)),
        target_burst_capacity=read.burst_capacity(),
        window_s=read.duration_s("window", WINDOW_RANGE_S, whole=True),
        panic_window_percentage=read.number("panic-window-percentage", PANIC_WINDOW_RANGE),
        panic_threshold_percentage=read.number("panic-threshold-percentage", PANIC_THRESHOLD_RANGE),
        min_scale=read.whole("min-scale"),
        max_scale=read.whole("max-scale"),
        initial_scale=read.whole("initial-scale"),
        activation_scale=read.whole("activation-scale"),
        scale_down_delay_s=read.duration_s("scale-down-delay", RETENTION_RANGE_S, whole=True),
        scale_to_zero_pod_retention_period_s=read.duration_s("scale-to-zero-pod-retention-period", RETENTION_RANGE_S),
        progress_deadline_s=read.progress_deadline_s(),
    )
    _check_scales(read, revision, config or AutoscalerConfig())
    return revision


def _check_scales(read: Annotations, revision: Revision, config: AutoscalerConfig) -> None:
    least, most = revision.min_scale or 0, revision.max_scale or 0
    if most and most < least:
        raise read.fields.invalid(str(read.given("max-scale")), f"max-scale={most} is less than min-scale={least}")
    limit = config.max_scale_limit
    if limit and revision.max_scale is not None and not 1 <= most <= limit:
        raise read.fields.invalid(str(read.given("max-scale")), f"must be in [1; {limit}], the cluster's limit")
    if revision.initial_scale == 0 and not config.allow_zero_initial_scale:
        raise read.fields.invalid(str(read.given("initial-scale")), "0 is not allowed by the cluster")
    activation = revision.activation_scale
    if activation is not None and not max(least, 2) <= activation <= (most or MAX_INT32):
        reason = f"must be at least 2, not below min-scale ({least}) and not above max-scale ({most or 'none'})"
        raise read.fields.invalid(f"{DOMAIN}/activation-scale", reason)


_KINDS = ("Service", "Configuration", "Revision")


def _kind(source: str | Path) -> str:
    """The kind of a manifest's document that holds annotations of Knative; a Service where there is none."""
    for kind in _KINDS:
        try:
            manifest = load_manifest(source, kind=kind, api_versions=("serving.knative.dev/v1",))
        except ParameterError:
            continue
        return str(manifest.values["kind"])
    return _KINDS[0]


def _refuse_misplaced(manifest: Fields) -> None:
    """Annotations of a Service itself have no effect: the webhook refuses them, and so it is here."""
    metadata = manifest.fields("metadata", default=None)
    for name in () if metadata is None else metadata.text_mapping("annotations"):
        if name.startswith(f"{DOMAIN}/"):
            raise ParameterError(
                f"{manifest.where('metadata.annotations')}.{name}: Forbidden: autoscaling annotations must be put"
                ' under "spec.template.metadata.annotations" to work'
            )
