"""The window against a plain model of it: a dictionary of seconds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.knative import linear_average, new_window, record
from hindscale.autoscalers.knative.window import is_empty, resized, weighted_average
from hindscale.core import ParameterError

steps = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), min_size=1, max_size=40)


def model_average(writes: list[tuple[int, float]], count: int, now: int) -> float:
    """What the rules of the average say, over all writes, with nothing running."""
    seconds: dict[int, float] = {}
    first = last = writes[0][0]
    for second, value in writes:
        if second - last >= count:
            seconds, first = {}, second
        last = second
        seconds[second] = seconds.get(second, 0.0) + value
    if now - last >= count:
        return 0.0
    kept = [value for second, value in seconds.items() if second > now - count]
    return math.fsum(kept) / min(last - first + 1, count - (now - last))


@given(steps=steps, count=st.integers(1, 12), later=st.integers(0, 15))
def test_the_running_total_equals_summing_what_is_kept(steps: list[tuple[int, float]], count: int, later: int) -> None:
    window, second, writes = new_window(float(count)), 0, []
    for gap, value in steps:
        second += gap
        window = record(window, second, value)
        writes.append((second, value))
    expected = model_average(writes, count, second + later)
    assert linear_average(window, second + later) == pytest.approx(expected, abs=2e-6)


@given(steps=steps)
def test_a_window_never_grows(steps: list[tuple[int, float]]) -> None:
    window, second = new_window(6.0), 0
    for gap, value in steps:
        second += gap
        window = record(window, second, value)
    assert len(window.buckets) == 6


@given(load=st.floats(0, 100), seconds=st.integers(1, 200))
def test_a_constant_load_averages_to_itself(load: float, seconds: int) -> None:
    window = new_window(60.0)
    for second in range(seconds):
        window = record(window, second, load)
    assert linear_average(window, seconds - 1) == pytest.approx(load, abs=1e-6)
    # 0.8 ** 60 of the weight lies before the window.
    assert weighted_average(window, seconds - 1) == pytest.approx(load * (1 - 0.8 ** min(seconds, 60)))


def test_recording_leaves_the_old_window_alone() -> None:
    window = record(new_window(6.0), 0.0, 5.0)
    record(window, 1.0, 7.0)
    assert linear_average(window, 1.0) == 5.0


def test_a_longer_window_keeps_what_was_recorded() -> None:
    window = new_window(4.0)
    for second, value in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
        window = record(window, second, value)
    # 2 + 3 + 4 + 5 = 14 in 4 seconds; a longer window counts the seconds that the old one held.
    assert linear_average(resized(window, 8.0, 4.0), 4.0) == 3.5
    # A shorter one keeps 4 + 5.
    assert linear_average(resized(window, 2.0, 4.0), 4.0) == 4.5


def test_resizing_an_empty_window_forgets() -> None:
    window = resized(record(new_window(4.0), 0.0, 1.0), 8.0, 100.0)
    assert is_empty(window, 100.0)
    assert linear_average(record(window, 101.0, 6.0), 101.0) == 6.0


def test_a_window_shorter_than_a_bucket_is_refused() -> None:
    with pytest.raises(ParameterError, match="window_s must be >= granularity_s"):
        new_window(0.5)


@given(values=st.lists(st.floats(0, 1000), min_size=400, max_size=400))
def test_stopping_early_leaves_the_weighted_average_as_it_is(values: list[float]) -> None:
    window = new_window(400.0)
    for second, value in enumerate(values):
        window = record(window, second, value)
    expected, weight = 0.0, 0.2
    for value in reversed(values):
        expected += value * weight
        weight *= 1 - 0.2
    assert weighted_average(window, 399) == expected
