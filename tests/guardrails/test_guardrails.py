"""All guardrails under their contract, and each one's own rule in a walk through time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Guardrail, ParameterError
from hindscale.guardrails import GUARDRAILS, in_order
from hindscale.guardrails.bounds import Bounds
from hindscale.guardrails.cooldown import Cooldown
from hindscale.guardrails.one_at_a_time import OneAtATime
from hindscale.guardrails.rate_limit import RateLimit
from hindscale.guardrails.stabilization import Stabilization
from hindscale.guardrails.tolerance import Tolerance
from hindscale.testing import GuardrailContract, observation


class TestContract(GuardrailContract):
    def guardrails(self) -> Sequence[Guardrail[Any]]:
        return [cls() for cls in GUARDRAILS.classes.values()]


def walk(guardrail: Guardrail[Any], wishes: Sequence[int], *, start: int, interval_s: float = 15.0) -> list[int]:
    """The sizes of a fleet that does at once what it is told."""
    state, size, sizes = guardrail.initial_state(), start, []
    for tick, wish in enumerate(wishes, start=1):
        size, state = guardrail.limit(wish, observation(tick * interval_s, size), state)
        sizes.append(size)
    return sizes


def test_bounds_come_last_and_the_rest_in_their_order() -> None:
    shuffled = [Bounds(), Cooldown(), Tolerance(), OneAtATime(), Stabilization(), RateLimit()]
    names = [guardrail.name for guardrail in in_order(shuffled)]
    assert names == ["tolerance", "stabilization", "rate-limit", "cooldown", "one-at-a-time", "bounds"]


# -- bounds


@given(wish=st.integers(0, 2**31), low=st.integers(0, 50), extra=st.integers(0, 50))
def test_bounds_hold_whatever_is_wanted(wish: int, low: int, extra: int) -> None:
    bounds = Bounds(min_replicas=low, max_replicas=max(low + extra, 1))
    size, _ = bounds.limit(wish, observation(), None)
    assert bounds.min_replicas <= size <= bounds.max_replicas


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(ParameterError, match="min_replicas must be <= max_replicas, but 3 > 2"):
        Bounds(min_replicas=3, max_replicas=2)


# -- tolerance


def test_small_differences_are_left_alone() -> None:
    # 10 percent of 20 is 2: 18 to 22 stay as they are; of 23 it is 2.3: 21 stays, 20 does not.
    assert walk(Tolerance(), [18, 22, 23, 21, 20], start=20) == [20, 20, 23, 23, 20]


def test_a_fleet_of_none_can_wake_up_and_a_small_one_can_grow() -> None:
    assert walk(Tolerance(up=0.5), [1, 2], start=0) == [1, 2]


# -- stabilization


def test_scale_down_waits_for_the_stabilization_window() -> None:
    # Window 45 s, ticks of 15 s: a wish counts while it is younger than 45 s. The 4 of the first tick still
    # dominates at the second and third, and is forgotten at the fourth.
    assert walk(Stabilization(down_window_s=45), [4, 2, 1, 1, 1, 1], start=4) == [4, 4, 4, 2, 1, 1]


def test_a_restart_does_not_shrink_the_fleet_at_once() -> None:
    # Nothing is remembered, so the size that is found counts as a wish.
    assert walk(Stabilization(down_window_s=45), [1, 1, 1, 1], start=9) == [9, 9, 9, 1]


def test_scale_up_is_immediate_without_a_window_and_waits_with_one() -> None:
    assert walk(Stabilization(), [8], start=2) == [8]
    # Window 30 s, so two ticks: first the size that was found, then the smallest of the last two wishes.
    assert walk(Stabilization(up_window_s=30), [8, 6, 7, 9, 9], start=2) == [2, 2, 6, 7, 9]


@given(wishes=st.lists(st.integers(0, 60), min_size=1, max_size=30), start=st.integers(0, 60), window=st.integers(0, 8))
def test_the_short_log_decides_like_a_full_one(wishes: list[int], start: int, window: int) -> None:
    """The readable twin keeps every wish: fleet = clamp(current, min of up window, max of down window)."""
    window_s = 15.0 * window
    size, expected = start, []
    log = [(15.0, start)]
    for tick, wish in enumerate(wishes, start=1):
        now = 15.0 * tick
        recent = [each for time, each in log if time > now - window_s] + [wish]
        up, down = wish, max(recent)
        size = min(max(size, up), down)
        log.append((now, wish))
        expected.append(size)
    assert walk(Stabilization(down_window_s=window_s), wishes, start=start) == expected


# -- rate limit


def test_growth_is_limited_to_a_share_or_a_number_per_period() -> None:
    # From 3: max(3 + 4, 2 * 3) = 7, then max(7 + 4, 14) = 14, then 28.
    assert walk(RateLimit(), [100, 100, 100], start=3) == [7, 14, 28]


def test_all_changes_within_the_period_count_together() -> None:
    # 4 in 60 s, ticks of 15 s: used up at the first tick, free again once that is 60 s ago.
    slow = RateLimit(up_replicas=4, up_fraction=0, up_period_s=60)
    assert walk(slow, [100] * 6, start=10) == [14, 14, 14, 14, 18, 18]


def test_shrinking_is_limited_likewise() -> None:
    half_a_minute = RateLimit(down_replicas=0, down_fraction=0.5, down_period_s=30)
    # Half of 16, then nothing until the 8 that went are 30 s ago, then half of 8.
    assert walk(half_a_minute, [0] * 4, start=16) == [8, 8, 4, 4]


def test_what_others_change_counts_as_well() -> None:
    guardrail = RateLimit(up_replicas=4, up_fraction=0, up_period_s=60)
    _, state = guardrail.limit(10, observation(15, 10), guardrail.initial_state())
    # Somebody has added 3 by hand since: one more is allowed.
    size, _ = guardrail.limit(100, observation(30, 13), state)
    assert size == 14


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"up_replicas": -1}, "up_replicas"),
        ({"down_fraction": 50}, "did you mean 0.5"),
        ({"up_period_s": 0}, "up_period_s"),
    ],
)
def test_impossible_rates_are_refused(given_values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        RateLimit(**given_values)


# -- cooldown


def test_after_a_change_the_fleet_rests() -> None:
    # Shrinking rests 45 s after any change, growth never does.
    assert walk(Cooldown(down_s=45), [6, 5, 5, 5, 5], start=8) == [6, 6, 6, 5, 5]
    assert walk(Cooldown(down_s=45), [6, 7, 5, 5, 5], start=8) == [6, 7, 7, 7, 5]
    assert walk(Cooldown(up_s=30, down_s=0), [9, 10, 10, 1], start=8) == [9, 9, 10, 1]


# -- one at a time


def test_nothing_is_ordered_while_replicas_start() -> None:
    waiting = observation(ready=4, starting_replicas=2)
    assert OneAtATime().limit(9, waiting, None)[0] == 6
    assert OneAtATime().limit(3, waiting, None)[0] == 6
    assert OneAtATime(down=False).limit(3, waiting, None)[0] == 3
    assert OneAtATime(up=False).limit(9, waiting, None)[0] == 9
    assert OneAtATime().limit(9, observation(ready=6), None)[0] == 9
    assert OneAtATime().limit(9, observation(ready=4, provisioning_replicas=1), None)[0] == 5
