from __future__ import annotations

import pickle
from typing import Any

import pytest

from hindscale.core import Constant, ParameterError, ResourceUse, ServiceProfile, ServiceSpec, Slo


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slots": 0}, "slots must be a whole number >= 1"),
        ({"service_time": Constant(0)}, "mean_service_time_s must be a number > 0"),
        ({"price_per_replica_hour": -1}, "price_per_replica_hour must be a number >= 0"),
        ({"replica_queue_limit": -1}, "replica_queue_limit must be a whole number >= 0"),
        ({"queue_timeout_s": -1}, "queue_timeout_s must be a number >= 0"),
        ({"mean_time_to_failure_s": 0}, "mean_time_to_failure_s must be a number > 0"),
        ({"resources": {"gpu": ResourceUse()}}, "nobody measures 'gpu'"),
    ],
)
def test_profiles_refuse_what_no_replica_can_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ServiceProfile(**given)


def test_a_negative_cold_start_is_refused_where_it_is_made() -> None:
    with pytest.raises(ParameterError, match="value_s must be a number >= 0, was -30"):
        Constant(-30)


def test_bounds_of_a_service_must_not_cross() -> None:
    with pytest.raises(ParameterError, match="min_replicas must be <= max_replicas, but 5 > 2"):
        ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=1), min_replicas=5, max_replicas=2)


def test_profiles_travel_to_other_processes() -> None:
    profile = ServiceProfile(name="x", slots=3)
    assert pickle.loads(pickle.dumps(profile)) == profile


def test_utilization_runs_from_idle_to_full() -> None:
    use = ResourceUse(idle=0.2, full=0.6)
    assert [use.utilization(share) for share in (0, 0.5, 1)] == pytest.approx([0.2, 0.4, 0.6])
    with pytest.raises(ParameterError, match="idle must be <= full"):
        ResourceUse(idle=0.9, full=0.1)
