"""Storing what was learned of a container, as the VPA's checkpoint objects hold it.

A histogram becomes whole numbers relative to its heaviest bucket, so that something is lost in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.autoscalers.vpa.histogram import Histogram, read_only
from hindscale.autoscalers.vpa.samples import AggregateState
from hindscale.core.checks import require_nonnegative
from hindscale.core.errors import ParameterError

__all__ = [
    "MAX_CHECKPOINT_WEIGHT",
    "SUPPORTED_CHECKPOINT_VERSION",
    "AggregateCheckpoint",
    "HistogramCheckpoint",
    "load_aggregate",
    "load_checkpoint",
    "save_aggregate",
    "save_checkpoint",
]

MAX_CHECKPOINT_WEIGHT = 10_000
SUPPORTED_CHECKPOINT_VERSION = "v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramCheckpoint:
    """What is stored of a histogram: whole numbers relative to the heaviest bucket.

    Attributes:
        bucket_weights: (bucket, weight in 1..10000) of every bucket that does not round to 0, in order.
        total_weight: Of the histogram.
        reference_s: Of the histogram.
    """

    bucket_weights: tuple[tuple[int, int], ...]
    total_weight: float
    reference_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateCheckpoint:
    """What is stored of an `AggregateState`, in the words of the object's status."""

    first_sample_s: float | None
    last_sample_s: float | None
    total_samples_count: int
    cpu_histogram: HistogramCheckpoint
    memory_histogram: HistogramCheckpoint
    version: str = SUPPORTED_CHECKPOINT_VERSION


def save_aggregate(aggregate: AggregateState) -> AggregateCheckpoint:
    """What is stored of all containers of one name.

    Source: VPA `pkg/recommender/model/aggregate_container_state.go`.
    """
    return AggregateCheckpoint(
        first_sample_s=aggregate.first_sample_s,
        last_sample_s=aggregate.last_sample_s,
        total_samples_count=aggregate.cpu_samples,
        cpu_histogram=save_checkpoint(aggregate.cpu),
        memory_histogram=save_checkpoint(aggregate.memory),
    )


def load_aggregate(aggregate: AggregateState, checkpoint: AggregateCheckpoint) -> AggregateState:
    """The state with a checkpoint's times and count in place of its own, and its histograms loaded.

    Raises:
        ParameterError: If the version is not v3, or a histogram cannot be loaded.
    """
    if checkpoint.version != SUPPORTED_CHECKPOINT_VERSION:
        raise ParameterError(f"checkpoint version must be {SUPPORTED_CHECKPOINT_VERSION}, was {checkpoint.version!r}")
    return replace(
        aggregate,
        cpu=load_checkpoint(aggregate.cpu, checkpoint.cpu_histogram),
        memory=load_checkpoint(aggregate.memory, checkpoint.memory_histogram),
        first_sample_s=checkpoint.first_sample_s,
        last_sample_s=checkpoint.last_sample_s,
        cpu_samples=checkpoint.total_samples_count,
    )


def save_checkpoint(histogram: Histogram) -> HistogramCheckpoint:
    """What is stored of a histogram: floor(10000 weight / heaviest + 1/2) of each bucket, zeros left out."""
    used = range(histogram.first_used, histogram.last_used + 1)
    heaviest = max((float(histogram.weights[bucket]) for bucket in used), default=0.0)
    if heaviest == 0.0:
        return HistogramCheckpoint(
            bucket_weights=(), total_weight=histogram.total_weight, reference_s=histogram.reference_s
        )
    ratio = MAX_CHECKPOINT_WEIGHT / heaviest
    rounded = ((bucket, math.floor(float(histogram.weights[bucket]) * ratio + 0.5)) for bucket in used)
    return HistogramCheckpoint(
        bucket_weights=tuple((bucket, weight) for bucket, weight in rounded if weight > 0),
        total_weight=histogram.total_weight,
        reference_s=histogram.reference_s,
    )


def load_checkpoint(histogram: Histogram, checkpoint: HistogramCheckpoint) -> Histogram:
    """The histogram with a checkpoint's weights added: weight x total / sum of the stored weights.

    What is there is kept as it is, while the reference becomes the checkpoint's: load into an empty one.

    Raises:
        ParameterError: If the checkpoint's total is negative, or a bucket is out of range.
    """
    require_nonnegative(total_weight=checkpoint.total_weight)
    for bucket, _ in checkpoint.bucket_weights:
        if not 0 <= bucket < histogram.buckets.count:
            raise ParameterError(f"checkpoint has bucket {bucket}, the histogram 0..{histogram.buckets.count - 1}")
    stored = sum(weight for _, weight in checkpoint.bucket_weights)
    if stored == 0:
        return replace(histogram, reference_s=checkpoint.reference_s)
    ratio = checkpoint.total_weight / stored
    weights = histogram.weights.copy()
    for bucket, weight in checkpoint.bucket_weights:
        weights[bucket] += weight * ratio
    buckets = [bucket for bucket, _ in checkpoint.bucket_weights]
    return replace(
        histogram,
        weights=read_only(weights),
        total_weight=histogram.total_weight + checkpoint.total_weight,
        first_used=min(histogram.first_used, *buckets),
        last_used=max(histogram.last_used, *buckets),
        reference_s=checkpoint.reference_s,
    )
