"""Histograms: one by one and all at once are the same, nothing is lost on the way to plain values and back."""

from __future__ import annotations

import json
import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.vpa.buckets import CPU_BUCKETS, ExponentialBuckets, LinearBuckets
from hindscale.autoscalers.vpa.checkpoint import HistogramCheckpoint, load_checkpoint, save_checkpoint
from hindscale.autoscalers.vpa.histogram import (
    Histogram,
    add_sample,
    add_samples,
    empty_histogram,
    merge_histograms,
    percentile,
    subtract_sample,
)
from hindscale.core.errors import ParameterError
from hindscale.core.state import from_plain, to_plain

DAY_S = 86_400.0
SAMPLES = st.lists(
    st.tuples(st.floats(0.0, 2000.0), st.floats(0.0, 5.0), st.floats(0.0, 300 * DAY_S, allow_nan=False)), max_size=30
)


def filled(samples: list[tuple[float, float, float]]) -> Histogram:
    return reduce(
        lambda histogram, sample: add_sample(histogram, *sample), samples, empty_histogram(CPU_BUCKETS, DAY_S)
    )


@given(SAMPLES)
def test_all_at_once_equals_one_by_one_to_the_last_bit(samples: list[tuple[float, float, float]]) -> None:
    columns = ([s[0] for s in samples], [s[1] for s in samples], [s[2] for s in samples])
    assert add_samples(empty_histogram(CPU_BUCKETS, DAY_S), *columns) == filled(samples)


@given(SAMPLES)
def test_saving_and_restoring_the_state_gives_the_same(samples: list[tuple[float, float, float]]) -> None:
    histogram = filled(samples)
    again = from_plain(json.loads(json.dumps(to_plain(histogram))))
    assert again == histogram
    assert hash(again) == hash(histogram)
    assert add_sample(again, 1.0, 1.0, DAY_S) == add_sample(histogram, 1.0, 1.0, DAY_S)


@given(SAMPLES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_percentiles_rise_and_lie_on_the_grid(
    samples: list[tuple[float, float, float]], one: float, other: float
) -> None:
    histogram = filled(samples)
    starts = {CPU_BUCKETS.start(bucket) for bucket in range(CPU_BUCKETS.count)}
    low, high = percentile(histogram, min(one, other)), percentile(histogram, max(one, other))
    assert low <= high
    assert {low, high} <= starts


@given(SAMPLES, SAMPLES)
def test_merging_does_not_depend_on_the_order(
    one: list[tuple[float, float, float]], other: list[tuple[float, float, float]]
) -> None:
    merged, reverse = merge_histograms(filled(one), filled(other)), merge_histograms(filled(other), filled(one))
    # Up to buckets below epsilon: those outside the other's used range are lost, as in the original.
    assert np.allclose(merged.weights, reverse.weights, atol=60e-4)
    assert merged.total_weight == pytest.approx(reverse.total_weight)
    assert merged.reference_s == reverse.reference_s


@given(SAMPLES, st.floats(0.0, 1.0))
def test_a_checkpoint_keeps_percentiles_to_its_precision(
    samples: list[tuple[float, float, float]], share: float
) -> None:
    histogram = filled(samples)
    saved = save_checkpoint(histogram)
    loaded = load_checkpoint(empty_histogram(CPU_BUCKETS, DAY_S), saved)
    assert loaded.total_weight == pytest.approx(histogram.total_weight if saved.bucket_weights else 0.0)
    assert sum(loaded.weights) == pytest.approx(loaded.total_weight)


@given(st.floats(0.0, 1e5), st.integers(0, 174))
def test_a_value_lies_in_its_bucket(value: float, bucket: int) -> None:
    found = CPU_BUCKETS.find(value)
    assert CPU_BUCKETS.start(found) <= value * (1 + 1e-9)
    if found < CPU_BUCKETS.count - 1:
        assert value <= CPU_BUCKETS.start(found + 1) * (1 + 1e-9)
    middle = (CPU_BUCKETS.start(bucket) + CPU_BUCKETS.start(bucket + 1)) / 2
    assert CPU_BUCKETS.find(middle) == bucket


def test_a_histogram_that_forgets_nothing_has_no_reference() -> None:
    plain = empty_histogram(LinearBuckets(bucket_size=1.0, maximum=10.0))
    plain = add_samples(plain, [0.5, 1.5, 2.5, 3.5], [1.0] * 4, [0.0, 1e9, 5.0, 7.0])
    assert plain.reference_s is None
    assert [percentile(plain, share) for share in (0.25, 0.5, 1.0)] == [1.0, 2.0, 4.0]


def test_states_share_arrays_that_cannot_be_written() -> None:
    histogram = add_sample(empty_histogram(CPU_BUCKETS, DAY_S), 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="read-only"):
        histogram.weights[0] = 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h: add_sample(h, 1.0, -1.0, 0.0), "weight must be a number >= 0, was -1.0"),
        (lambda h: subtract_sample(h, 1.0, -1.0, 0.0), "weight must be a number >= 0, was -1.0"),
        (lambda h: add_samples(h, [1.0], [], [0.0]), "got 1 values, 0 weights and 1 times"),
        (lambda h: merge_histograms(h, empty_histogram(CPU_BUCKETS, 5.0)), "cannot be merged"),
        (lambda _: empty_histogram(CPU_BUCKETS, 0.0), "half_life_s must be > 0"),
        (lambda _: CPU_BUCKETS.start(176), "bucket must be in 0..175, was 176"),
        (lambda _: ExponentialBuckets(first_bucket=1.0, maximum=5.0, ratio=1.0), "ratio must be a number > 1"),
        (
            lambda h: load_checkpoint(
                h, HistogramCheckpoint(bucket_weights=((176, 1),), total_weight=1.0, reference_s=0.0)
            ),
            "checkpoint has bucket 176",
        ),
        (
            lambda h: load_checkpoint(h, HistogramCheckpoint(bucket_weights=(), total_weight=-1.0, reference_s=0.0)),
            "total_weight must be a number >= 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call(empty_histogram(CPU_BUCKETS, DAY_S))  # type: ignore[operator]


def test_a_huge_gap_does_not_overflow() -> None:
    histogram = add_samples(empty_histogram(CPU_BUCKETS, 1.0), [1.0, 2.0], [1.0, 1.0], [0.0, 1e9])
    assert math.isfinite(histogram.total_weight)
    assert percentile(histogram, 0.0) > 2.0
