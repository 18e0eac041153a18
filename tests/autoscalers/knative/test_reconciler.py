"""The way to zero and back, pass by pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.knative import (
    Condition,
    ReconcilerSpec,
    ReconcilerState,
    initial_reconciler_state,
    reconcile,
)

SPEC = ReconcilerSpec()


def walk(
    spec: ReconcilerSpec, state: ReconcilerState, desired: int, ready: int, times: range, room: int = 0
) -> tuple[list[tuple[int, str]], ReconcilerState]:
    seen = []
    for now_s in times:
        scaling, state = reconcile(
            spec, state, desired=desired, excess_burst_capacity=room, ready_pods=ready, now_s=float(now_s)
        )
        seen.append((scaling.want if scaling.apply else ready, state.condition.value))
    return seen, state


def test_an_idle_revision_is_marked_inactive_and_its_last_pod_stays_for_the_grace_period() -> None:
    seen, _ = walk(SPEC, initial_reconciler_state(1, 1, 0.0), desired=0, ready=1, times=range(0, 96, 2))
    pods = [count for count, _ in seen]
    assert seen[0] == (1, "Active")
    assert seen[29] == (1, "Active")  # at 58 s
    assert seen[30] == (1, "Inactive")  # at 60 s, a stable window after the beginning
    assert pods.index(0) == 45  # at 90 s, the grace period later


def test_with_the_activator_in_the_path_already_the_grace_period_is_over() -> None:
    # No room for a burst: proxied since the beginning.
    seen, _ = walk(SPEC, initial_reconciler_state(1, 1, 0.0), desired=0, ready=1, times=range(0, 96, 2), room=-1)
    assert [count for count, _ in seen].index(0) == 31  # at 62 s, the pass after it became inactive


def test_a_request_on_the_way_to_zero_makes_it_active_again() -> None:
    seen, state = walk(SPEC, initial_reconciler_state(1, 1, 0.0), desired=0, ready=1, times=range(0, 72, 2))
    assert seen[-1] == (1, "Inactive")
    _, state = reconcile(SPEC, state, desired=1, excess_burst_capacity=0, ready_pods=1, now_s=72.0)
    assert (state.condition, state.since_s, state.proxy_since_s) == (Condition.ACTIVE, 72.0, None)
    seen, _ = walk(SPEC, state, desired=0, ready=1, times=range(74, 132, 2))
    assert {count for count, _ in seen} == {1}


def test_from_zero_it_is_activating_until_a_pod_is_ready() -> None:
    state = initial_reconciler_state(0, 0, 0.0)
    scaling, state = reconcile(SPEC, state, desired=2, excess_burst_capacity=-211, ready_pods=0, now_s=2.0)
    assert (scaling.want, scaling.apply, state.condition) == (2, True, Condition.ACTIVATING)
    # The load is gone before a pod is there: they are kept until one is.
    scaling, state = reconcile(SPEC, state, desired=0, excess_burst_capacity=-211, ready_pods=0, now_s=4.0)
    assert (scaling.apply, state.condition) == (False, Condition.ACTIVATING)
    scaling, state = reconcile(SPEC, state, desired=0, excess_burst_capacity=-211, ready_pods=2, now_s=200.0)
    assert state.condition is Condition.ACTIVE


def test_the_initial_scale_is_held_until_it_was_ready_once() -> None:
    spec = ReconcilerSpec(initial_scale=3)
    state = ReconcilerState()
    wants = []
    for now_s, ready in enumerate((0, 2, 3, 3)):
        scaling, state = reconcile(
            spec, state, desired=1, excess_burst_capacity=0, ready_pods=ready, now_s=float(now_s)
        )
        wants.append(scaling.want)
    assert wants == [3, 3, 3, 1]


@given(
    desired=st.lists(st.integers(-1, 20), max_size=60),
    ready=st.integers(0, 20),
    least=st.integers(0, 5),
    more=st.integers(0, 10),
)
def test_what_is_applied_lies_within_the_bounds(desired: list[int], ready: int, least: int, more: int) -> None:
    spec = ReconcilerSpec(min_scale=least, max_scale=least + more)
    state = initial_reconciler_state(ready, ready, 0.0)
    for tick, wanted in enumerate(desired):
        scaling, state = reconcile(
            spec, state, desired=wanted, excess_burst_capacity=0, ready_pods=ready, now_s=2.0 * tick
        )
        if scaling.apply:
            assert least <= scaling.want
            assert not spec.max_scale or scaling.want <= spec.max_scale
