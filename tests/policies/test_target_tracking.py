from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Constant, ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.target_tracking import TargetTracking
from hindscale.sizing import capacity_rps
from hindscale.testing import observation


def wanted(policy: TargetTracking, **seen: Any) -> int:
    return policy.decide(observation(**seen), None)[0].desired_replicas


def test_load_is_what_is_served_and_what_waits() -> None:
    policy = TargetTracking(target_per_replica=5)
    assert wanted(policy, ready=2, ongoing_requests=12.0, queued_requests=9.0) == 5  # ceil(21 / 5)


def test_small_errors_are_left_alone() -> None:
    policy = TargetTracking(target_per_replica=5, tolerance=0.1)
    # 10 replicas at a target of 5 carry 50; 45 to 55 is within 10 percent.
    assert [wanted(policy, ready=10, ongoing_requests=load) for load in (44.0, 45.0, 55.0, 56.0)] == [9, 10, 10, 12]


def test_starting_replicas_are_not_ordered_again() -> None:
    policy = TargetTracking(target_per_replica=5)
    assert wanted(policy, ready=2, starting_replicas=8, ongoing_requests=50.0) == 10


def test_no_load_needs_no_replicas() -> None:
    assert wanted(TargetTracking(target_per_replica=5), ready=1) == 0


@given(ready=st.integers(0, 50), a=st.floats(0, 1e4), b=st.floats(0, 1e4))
def test_more_load_never_asks_for_fewer(ready: int, a: float, b: float) -> None:
    policy = TargetTracking(target_per_replica=3)
    low, high = sorted((a, b))
    assert wanted(policy, ready=ready, ongoing_requests=low) <= wanted(policy, ready=ready, ongoing_requests=high)


def test_the_default_target_follows_from_service_and_slo() -> None:
    profile = ServiceProfile(slots=4, service_time=Constant(0.5))
    spec = ServiceSpec(profile=profile, slo=Slo(latency_s=1.0))
    # Little's law at 80 % of capacity: 0.8 * C * 0.5 s in service.
    expected = 0.8 * capacity_rps(profile, spec.slo) * 0.5
    assert TargetTracking.for_service(spec).target_per_replica == pytest.approx(expected, abs=1e-3)
    assert TargetTracking.for_service(spec, target_per_replica=2.0).target_per_replica == 2.0


def test_a_target_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="target_per_replica must be a number > 0"):
        TargetTracking(target_per_replica=0)
