"""Counters seen from outside: whatever is between, nothing is counted twice and nothing is made up."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.live.sources.counters import Counters, quantile_of_buckets, share_within

increments = st.lists(st.integers(0, 1000), min_size=1, max_size=30)


def total(counters: Counters, seen: list[tuple[float, float]]) -> float:
    return math.fsum(counters.increase(at_s, {"requests": value})["requests"] for at_s, value in seen)


@given(first=st.integers(0, 10**9), increments=increments)
def test_what_was_counted_before_we_looked_is_not_ours(first: int, increments: list[int]) -> None:
    values = [first]
    for increment in increments:
        values.append(values[-1] + increment)
    assert total(Counters(), list(enumerate(map(float, values)))) == sum(increments)


@given(lives=st.lists(increments, min_size=1, max_size=5))
def test_a_counter_that_begins_again_loses_nothing_after_it(lives: list[list[int]]) -> None:
    """Each life begins at zero and is first seen after its first increment, unless it has not passed the last value."""
    seen: list[tuple[float, float]] = [(0.0, 0.0)]
    for life in lives:
        value = 0.0
        for increment in life:
            value += increment
            seen.append((len(seen), value))
    # From outside a fall is all that shows: a life whose first value is no lower cannot be told from going on.
    expected = sum(value - before if value >= before else value for (_, before), (_, value) in pairwise(seen))
    assert total(Counters(), seen) == expected


@given(increments=increments, data=st.data())
def test_duplicates_and_late_samples_change_nothing(increments: list[int], data: st.DataObject) -> None:
    values = [0.0]
    for increment in increments:
        values.append(values[-1] + increment)
    seen = list(enumerate(values))
    noisy: list[tuple[float, float]] = []
    for position, sample in enumerate(seen):
        noisy.append(sample)
        late = data.draw(st.lists(st.sampled_from(seen[: position + 1]), max_size=3))
        noisy.extend(late)
    assert total(Counters(), noisy) == sum(increments)


@given(values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_an_increase_is_never_negative_and_always_a_number(values: list[float]) -> None:
    counters = Counters()
    for at_s, value in enumerate(values):
        grown = counters.increase(at_s, {"requests": value})["requests"]
        assert math.isfinite(grown)
        assert grown >= 0


def test_a_value_that_is_no_number_hides_nothing() -> None:
    assert total(Counters(), [(0, 5.0), (1, math.nan), (2, -1.0), (3, 9.0)]) == 4.0


@given(
    counts=st.lists(st.integers(0, 100), min_size=2, max_size=8),
    share=st.floats(0.01, 0.99),
)
def test_quantile_and_share_are_each_others_inverse(counts: list[int], share: float) -> None:
    bounds = [0.5 * 2**i for i in range(len(counts) - 1)] + [math.inf]
    running, buckets = 0, {}
    for bound, count in zip(bounds, counts, strict=True):
        running += count
        buckets[bound] = float(running)
    value = quantile_of_buckets(buckets, share)
    if not running:
        assert math.isnan(value)
        return
    assert 0 <= value <= bounds[-2]
    if value < bounds[-2]:
        assert share_within(buckets, value) == pytest.approx(share, abs=1e-9)


def test_a_bound_that_a_bucket_ends_at_is_read_off_exactly() -> None:
    assert share_within({0.5: 90.0, 2.0: 99.0, math.inf: 100.0}, 2.0) == 0.99


def test_beyond_the_last_bound_nobody_knows() -> None:
    assert share_within({0.5: 90.0, math.inf: 100.0}, 10.0) == 0.9
    assert quantile_of_buckets({0.5: 90.0, math.inf: 100.0}, 0.99) == 0.5
