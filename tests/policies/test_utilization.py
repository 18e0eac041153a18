from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Decision, ParameterError, ResourceUse, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.utilization import Utilization
from hindscale.testing import observation


def decide(policy: Utilization, **seen: Any) -> Decision:
    return policy.decide(observation(**seen), None)[0]


def test_out_in_and_rest() -> None:
    policy = Utilization(upper=0.8, lower=0.4)
    assert decide(policy, ready=10, cpu_utilization=0.9).desired_replicas == 12  # ceil(10 * 0.9 / 0.8)
    assert decide(policy, ready=10, cpu_utilization=0.6).desired_replicas == 10
    assert decide(policy, ready=10, cpu_utilization=0.3).desired_replicas == 7  # floor(10 * 0.3 / 0.4)
    assert decide(policy, ready=10, cpu_utilization=0.9).reason == "cpu 90.0% > 80% on 10"


def test_as_printed_any_excess_doubles_and_any_shortfall_removes_all() -> None:
    policy = Utilization(upper=0.8, lower=0.4, rounding="ratio")
    assert decide(policy, ready=10, cpu_utilization=0.81).desired_replicas == 20
    assert decide(policy, ready=10, cpu_utilization=0.39).desired_replicas == 0


def test_replicas_that_start_are_not_ordered_again() -> None:
    # The 4 that start were ordered for this very load.
    assert decide(Utilization(), ready=10, starting_replicas=4, cpu_utilization=1.0).desired_replicas == 14
    assert decide(Utilization(), ready=10, starting_replicas=1, cpu_utilization=1.0).desired_replicas == 13


def test_growth_follows_the_busiest_resource_and_shrinking_needs_all_idle() -> None:
    policy = Utilization(resources=("cpu", "memory"))
    grown = decide(policy, ready=10, cpu_utilization=0.9, memory_utilization=1.0)
    assert grown.desired_replicas == 13  # ceil(10 * 1.0 / 0.8)
    assert decide(policy, ready=10, cpu_utilization=0.1, memory_utilization=0.5).desired_replicas == 10
    assert decide(policy, ready=10, cpu_utilization=0.1, memory_utilization=0.3).desired_replicas == 7


def test_a_fleet_of_none_wakes_up_for_load_only() -> None:
    assert decide(Utilization(), ready=0, arrival_rate_rps=0.1).desired_replicas == 1
    assert decide(Utilization(), ready=0, queued_requests=1.0).desired_replicas == 1
    assert decide(Utilization(), ready=0).desired_replicas == 0


@given(ready=st.integers(1, 100), u=st.floats(0, 1.5), v=st.floats(0, 1.5))
def test_more_utilization_never_asks_for_fewer(ready: int, u: float, v: float) -> None:
    low, high = sorted((u, v))
    for rounding in ("product", "ratio"):
        policy = Utilization(rounding=rounding)  # type: ignore[arg-type]
        less = decide(policy, ready=ready, cpu_utilization=low).desired_replicas
        assert less <= decide(policy, ready=ready, cpu_utilization=high).desired_replicas


def test_resources_that_cannot_cross_the_thresholds_are_not_watched() -> None:
    profile = ServiceProfile(
        resources={
            "memory": ResourceUse(idle=0.7, full=0.9),  # never below 40 %
            "cpu": ResourceUse(idle=0.05, full=0.5),  # never above 80 %
            "accelerator": ResourceUse(idle=0.0, full=1.0),
        }
    )
    spec = ServiceSpec(profile=profile, slo=Slo(latency_s=2))
    assert Utilization.for_service(spec).resources == ("accelerator",)
    assert Utilization.for_service(spec, upper=0.45).resources == ("cpu", "accelerator")
    blind = replace(spec, profile=replace(profile, resources={"memory": ResourceUse(idle=0.7, full=0.9)}))
    with pytest.raises(ParameterError, match=r"no resource of service crosses both 40% and 80% \(memory 70% to 90%\)"):
        Utilization.for_service(blind)


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"upper": 70}, "did you mean 0.7"),
        ({"upper": 0.3, "lower": 0.5}, "lower must be <= upper"),
        ({"upper": 0.5, "lower": 0.5}, "would never come to rest"),
        ({"resources": ("gpu",)}, "nobody measures 'gpu'"),
        ({"resources": ()}, "must name at least one"),
        ({"rounding": "up"}, "rounding must be 'product' or 'ratio'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Utilization(**given_values)
