from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Decision, Observation, control_step, initial_control_state, run_loop
from hindscale.guardrails.bounds import Bounds
from hindscale.guardrails.cooldown import Cooldown
from hindscale.guardrails.stabilization import Stabilization
from hindscale.policies.target_tracking import TargetTracking
from hindscale.testing import FakeFleet, ManualClock, observation
from strategies import histories, observations


@dataclass(frozen=True)
class Counting:
    """Wants one more replica at each decision; its state says how often it was asked."""

    reads: tuple[str, ...] = ("arrival_rate_rps",)

    def initial_state(self) -> int:
        return 0

    def decide(self, seen: Observation, state: int) -> tuple[Decision, int]:
        return Decision(desired_replicas=state + 1, reason=f"asked {state + 1} times"), state + 1


def test_guardrails_are_applied_in_order_and_named_when_they_change_the_number() -> None:
    seen = observation(ready=8)
    guardrails = (Stabilization(down_window_s=300), Bounds(min_replicas=1, max_replicas=5))
    target, _ = control_step(Counting(), guardrails, seen, initial_control_state(Counting(), guardrails))
    # Wanted 1; stabilization keeps the 8 there are; the bounds allow 5.
    assert (target.decision.desired_replicas, target.replicas) == (1, 5)
    assert target.limited_by == ("stabilization", "bounds")


def test_a_policy_is_not_asked_when_what_it_reads_is_unusable() -> None:
    seen = observation(ready=7, arrival_rate_rps=math.nan)
    target, after = control_step(Counting(), (), seen, initial_control_state(Counting(), ()))
    assert (target.replicas, target.held, after.policy) == (7, True, 0)
    assert target.decision.reason == "hold: arrival_rate_rps is not a number"


def test_a_policy_that_reads_nothing_goes_on_without_measurements() -> None:
    seen = observation(ready=7, arrival_rate_rps=math.nan)
    target, _ = control_step(Counting(reads=()), (), seen, initial_control_state(Counting(), ()))
    assert (target.replicas, target.held) == (1, False)


def test_stale_measurements_hold_the_fleet() -> None:
    seen = observation(100.0, ready=7, measured_at_s=30.0)
    fresh, _ = control_step(Counting(), (), seen, initial_control_state(Counting(), ()), max_age_s=70)
    stale, _ = control_step(Counting(), (), seen, initial_control_state(Counting(), ()), max_age_s=69)
    assert (fresh.held, stale.held) == (False, True)


@given(seen=observations(), value=st.sampled_from([math.nan, math.inf, -math.inf]), missing=st.booleans())
def test_missing_data_never_shrinks_a_fleet(seen: Observation, value: float, missing: bool) -> None:
    policy = TargetTracking(target_per_replica=1e9)  # would always shrink
    blind = replace(seen, queued_requests=value, missing=frozenset({"queued_requests"} if missing else ()))
    guardrails = (Stabilization(), Cooldown(), Bounds(min_replicas=0, max_replicas=1000))
    target, _ = control_step(policy, guardrails, blind, initial_control_state(policy, guardrails))
    assert target.replicas >= seen.requested_replicas


def test_the_loop_leaves_the_fleet_alone_when_nothing_is_known() -> None:
    fleet = FakeFleet(load=lambda now_s, replicas: None if now_s == 30.0 else {"arrival_rate_rps": 1.0})
    ticks = list(run_loop(Counting(), (), fleet, fleet, ManualClock((15.0, 30.0, 45.0))))
    assert fleet.history == [1, 2]
    assert [tick.target is None for tick in ticks] == [False, True, False]
    assert ticks[1].held_because == "nothing was measured at 30 s"
    assert ticks[1].state == ticks[0].state


@given(history=histories(), data=st.data())
def test_going_on_from_a_saved_state_is_the_same_as_not_stopping(history: list[Observation], data: Any) -> None:
    policy, guardrails = Counting(), (Stabilization(down_window_s=40), Cooldown(), Bounds(max_replicas=9))

    def targets(observations: list[Observation], state: Any) -> tuple[list[int], Any]:
        found = []
        for seen in observations:
            target, state = control_step(policy, guardrails, seen, state)
            found.append(target.replicas)
        return found, state

    cut = data.draw(st.integers(0, len(history)))
    fresh = initial_control_state(policy, guardrails)
    first, saved = targets(history[:cut], fresh)
    second, _ = targets(history[cut:], saved)
    assert first + second == targets(history, fresh)[0]
