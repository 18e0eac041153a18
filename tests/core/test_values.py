from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given

from hindscale.core import UPPER_BOUND, DataState, Decision, Observation, ParameterError, Target
from hindscale.testing import observation
from strategies import observations


def test_the_five_states_of_a_measurement_are_told_apart() -> None:
    seen = Observation(
        time_s=100.0,
        measured_at_s=40.0,
        ready_replicas=1,
        arrival_rate_rps=3.0,
        queued_requests=0.0,
        ongoing_requests=math.nan,
        missing=frozenset({"cpu_utilization"}),
    )
    assert seen.state_of("arrival_rate_rps") is DataState.FRESH
    assert seen.state_of("queued_requests") is DataState.TRUE_ZERO
    assert seen.state_of("ongoing_requests") is DataState.NOT_A_NUMBER
    assert seen.state_of("cpu_utilization") is DataState.MISSING
    assert seen.state_of("arrival_rate_rps", max_age_s=59.0) is DataState.STALE
    assert seen.state_of("arrival_rate_rps", max_age_s=60.0) is DataState.FRESH


def test_missing_wins_over_stale_and_not_a_number() -> None:
    seen = observation(100.0, measured_at_s=0.0, missing=frozenset({"cpu_utilization"}), cpu_utilization=math.nan)
    assert seen.state_of("cpu_utilization", max_age_s=1.0) is DataState.MISSING


def test_only_readings_that_are_needed_make_an_observation_unusable() -> None:
    seen = observation(cpu_utilization=math.nan, arrival_rate_rps=0.0)
    assert seen.unusable(("arrival_rate_rps",)) == ""
    assert seen.unusable(()) == ""
    assert seen.unusable(("arrival_rate_rps", "cpu_utilization")) == "cpu_utilization is not a number"


def test_every_unusable_reading_is_named() -> None:
    seen = observation(100.0, measured_at_s=0.0, queued_requests=math.inf)
    said = seen.unusable(("arrival_rate_rps", "queued_requests"), max_age_s=15.0)
    assert said == "arrival_rate_rps is stale, queued_requests is not a number"


def test_draining_replicas_are_not_part_of_the_requested_size() -> None:
    seen = observation(ready=3, starting_replicas=2, provisioning_replicas=1, draining_replicas=4)
    assert seen.requested_replicas == 6


@pytest.mark.parametrize("replicas", [-1, 1.5, math.nan])
def test_a_decision_is_a_count(replicas: float) -> None:
    with pytest.raises(ParameterError, match="desired_replicas must be a whole number >= 0"):
        Decision(desired_replicas=replicas, reason="")  # type: ignore[arg-type]


def test_an_unbounded_wish_cannot_become_a_target() -> None:
    everything = Decision(desired_replicas=UPPER_BOUND, reason="no finite answer")
    with pytest.raises(ParameterError, match="add a Bounds guardrail"):
        Target(replicas=UPPER_BOUND, decision=everything)


def test_a_reading_can_be_older_than_the_rest() -> None:
    seen = observation(60.0, stale=frozenset({"queued_requests"}), missing=frozenset({"cpu_utilization"}))
    assert seen.state_of("queued_requests") is DataState.STALE
    assert seen.state_of("arrival_rate_rps") is DataState.TRUE_ZERO
    assert seen.unusable(("queued_requests", "cpu_utilization")) == (
        "cpu_utilization is missing, queued_requests is stale"
    )


@given(seen=observations())
def test_an_observation_written_down_is_the_same_when_it_is_read(seen: Observation) -> None:
    gaps = replace(seen, cpu_utilization=math.nan, missing=frozenset({"cpu_utilization"}), stale=frozenset({"x"}))
    read = Observation.from_dict(json.loads(json.dumps(gaps.to_dict())))
    assert replace(read, cpu_utilization=0.0) == replace(gaps, cpu_utilization=0.0)
    assert math.isnan(read.cpu_utilization)
