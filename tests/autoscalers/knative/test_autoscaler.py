"""Walks through time, and what holds for every evaluation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.knative import AutoscalerState, DeciderSpec, evaluate
from hindscale.autoscalers.knative.autoscaler import DelayWindow, delayed

SPEC = DeciderSpec(target_value=10.0, max_scale_up_rate=10.0)
loads = st.floats(0, 1000)


def test_a_surge_holds_the_most_pods_until_a_stable_window_after_it() -> None:
    state, seen = AutoscalerState(), []
    for now_s, ready, panic in ((0, 2, 10), (2, 2, 60), (4, 2, 90), (6, 9, 90), (8, 9, 0), (64, 9, 0), (66, 9, 0)):
        result, state = evaluate(SPEC, state, now_s=now_s, ready_pods=ready, averages=(10.0, float(panic)))
        seen.append(result.desired_pods)
    # dp 6 / 2 and 9 / 2 are over 2, 9 / 9 is not: panic since 4 s, over after 64 s; then floor(9 / 2) = 4.
    assert seen == [1, 6, 9, 9, 9, 9, 4]


@given(history=st.lists(st.tuples(st.integers(0, 50), loads, loads), max_size=30))
def test_desired_pods_never_fall_in_panic(history: list[tuple[int, float, float]]) -> None:
    state, before = AutoscalerState(), 0
    for tick, (ready, stable, panic) in enumerate(history):
        was_in_panic = state.panic_time_s is not None
        result, state = evaluate(SPEC, state, now_s=2.0 * tick, ready_pods=ready, averages=(stable, panic))
        if was_in_panic and state.panic_time_s is not None:
            assert result.desired_pods >= before
        before = result.desired_pods


@given(ready=st.integers(0, 50), a=loads, b=loads, panic=loads)
def test_more_load_never_wants_fewer_pods(ready: int, a: float, b: float, panic: float) -> None:
    low, high = sorted((a, b))
    few, many = (
        evaluate(SPEC, AutoscalerState(), now_s=0.0, ready_pods=ready, averages=(load, panic))[0].desired_pods
        for load in (low, high)
    )
    assert few <= many


@given(ready=st.integers(0, 50), stable=loads, panic=loads)
def test_defaults_written_out_behave_like_defaults_left_out(ready: int, stable: float, panic: float) -> None:
    written = DeciderSpec(
        target_value=10.0,
        total_value=100.0,
        target_burst_capacity=211.0,
        panic_threshold=2.0,
        max_scale_up_rate=1000.0,
        max_scale_down_rate=2.0,
        stable_window_s=60.0,
        activation_scale=0,
        scale_down_delay_s=0.0,
        reachable=True,
    )
    left_out = DeciderSpec(target_value=10.0)
    one, other = (
        evaluate(spec, AutoscalerState(), now_s=0.0, ready_pods=ready, averages=(stable, panic))
        for spec in (written, left_out)
    )
    assert one == other


@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=40), ticks=st.integers(1, 6))
def test_the_delay_is_the_maximum_of_its_ticks(values: list[int], ticks: int) -> None:
    delay: DelayWindow = ()
    for tick, value in enumerate(values):
        pods, delay = delayed(delay, value, 2.0 * ticks, 2.0 * tick)
        assert pods == max(values[max(0, tick + 1 - ticks) : tick + 1])
        assert len(delay) <= ticks
