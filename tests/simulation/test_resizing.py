"""Requests that follow what is used: cases worked out by hand, and what holds whatever happens.

Throughout: a replica that always uses 1 core is told 1.168. 1.0 falls into the bucket that ends at
0.01 (1.05^37 - 1) / 0.05 = 1.0163 cores, so 1016 millicores and trunc(1016 x 0.15) = 152 on top. One that always uses 2
cores is told 2.406: 0.01 (1.05^50 - 1) / 0.05 = 2.0935, so 2093 + trunc(313.95).
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.policy import EvictionRequirement
from hindscale.autoscalers.vpa.priority import UpdaterConfig
from hindscale.core import Constant, ResourceRequest, ResourceUse, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.fixed import Fixed
from hindscale.scoring import RunRecord, score
from hindscale.scoring.record import OUTCOMES
from hindscale.simulation import Cluster, NodePool, SimulationSettings, VerticalAutoscaler, simulate
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.resizing import SimulatedVertical
from hindscale.traces import RateTrace
from simulation.test_fleet import fleet_of, lives
from simulation.test_nodes import cluster_of, run
from simulation.test_run import assert_same
from strategies import clusters, profiles, rate_traces, resource_requests, vertical_autoscalers

CPU = VerticalAutoscaler(controlled_resources=("cpu",))
PROFILE = ServiceProfile(
    slots=2,
    service_time=Constant(1.0),
    cold_start=Constant(30.0),
    resources={"cpu": ResourceUse(idle=2.0, full=2.0)},
    resource_request=ResourceRequest(cpu_cores=1, memory_gib=8),
)
GENEROUS = replace(
    PROFILE,
    resources={"cpu": ResourceUse(idle=0.25, full=0.25)},
    resource_request=ResourceRequest(cpu_cores=4, memory_gib=4),
)
POOL = NodePool(
    name="node",
    cpu_cores=4,
    memory_gib=64,
    price_per_hour=3.6,
    node_start=Constant(60.0),
    image_pull=Constant(0.0),
)


def resized(profile: ServiceProfile = PROFILE, vertical: VerticalAutoscaler = CPU, **given: Any) -> SimulatedFleet:
    return fleet_of(profile, vertical=vertical, **{"initial_replicas": 2, **given})


def vertical_of(fleet: SimulatedFleet) -> SimulatedVertical:
    assert fleet.vertical is not None
    return fleet.vertical


def cores(fleet: SimulatedFleet) -> list[int | None]:
    return [each.cpu_millicores for each in fleet.requests]


def at_minutes(fleet: SimulatedFleet, minutes: range) -> None:
    for minute in minutes:
        fleet.observe(60.0 * minute)


# -- when, and to what


def test_four_generous_replicas_on_four_nodes_become_four_on_two() -> None:
    """Each uses 1 core of 4.

    A request is too high once 1168 (1 + 1440 / (m - 1)) < 4000 millicores at minute m: with m - 1 = 594 that is 3999,
    with 593 it is 4004. So two go at minute 595, for half may be down; at the scan 10 s later others start on their
    nodes, and at 596 those are no longer pending, so that the other two go. Theirs have room on the same nodes. The two
    nodes that are empty from 35 760 s on, unneeded since the scan of 35 770, go at 36 380.
    """
    spec = ServiceSpec(profile=GENEROUS, slo=Slo(latency_s=2.0), max_replicas=10, control_interval_s=60.0)
    trace = RateTrace(name="steady", window_s=60.0, requests=np.full(720, 60.0))

    def run_with(mode: str) -> RunRecord:
        chosen = SimulationSettings(
            initial_replicas=4, cluster=Cluster(pools=(POOL,)), vertical=replace(CPU, update_mode=mode)
        )
        return simulate(trace, spec, Fixed(replicas=4), (), settings=chosen)

    ticks = run_with("Recreate").ticks
    assert ticks.cpu_target_cores is not None
    assert ticks.cpu_request_cores is not None
    assert ticks.evicted is not None
    assert ticks.nodes is not None
    assert ticks.cpu_target_cores.tolist() == [1.168] * 720
    assert {minute + 1: count for minute, count in enumerate(ticks.evicted.tolist()) if count} == {595: 2, 596: 2}
    assert ticks.cpu_request_cores[593:596].tolist() == [4.0, (2 * 4.0 + 2 * 1.168) / 4, 1.168]
    assert ticks.nodes[[605, 606, 719]].tolist() == [4, 2, 2]
    # 0.001 a second and node.
    assert score(run_with("Recreate")).cost == pytest.approx(0.001 * (2 * 43_200 + 2 * 36_380))
    assert score(run_with("Initial")).cost == score(run_with("Off")).cost == pytest.approx(0.001 * 4 * 43_200)


def test_a_request_that_is_too_low_is_raised_within_minutes() -> None:
    """2406 / (1 + 1.44 / (m - 1))^2 millicores at minute m: 404, 813, 1098 at 2, 3, 4; the request is 1000."""
    fleet = resized()
    at_minutes(fleet, range(1, 4))
    assert cores(fleet) == [1000, 1000]
    fleet.observe(240.0)
    # One of two at a time, the oldest first; the other when the first is there.
    assert (cores(fleet), lives(fleet)) == ([1000, 2406], (0, 1, 1, 1))
    fleet.observe(300.0)
    assert (cores(fleet), lives(fleet)) == ([2406, 2406], (0, 1, 1, 1))
    at_minutes(fleet, range(6, 60))
    assert (fleet.started, vertical_of(fleet).evicted, lives(fleet)) == (4, 2, (0, 0, 2, 0))


def test_replicas_that_still_load_do_not_count_as_down() -> None:
    """The original looks at phases: a pod whose container runs is there, ready or not. Slow starts leave nobody."""
    fleet = resized(replace(PROFILE, cold_start=Constant(600.0)), initial_replicas=4)
    at_minutes(fleet, range(1, 5))
    assert lives(fleet) == (0, 2, 2, 2)
    fleet.observe(300.0)
    assert (fleet.starting, fleet.ready) == (4, 0)


def test_replicas_that_wait_for_an_image_count_as_down_and_may_go_again() -> None:
    pool = replace(POOL, cpu_cores=1.0, max_nodes=2)
    larger = replace(pool, name="larger", cpu_cores=3.0, max_nodes=4, image_pull=Constant(200.0))
    fleet = resized(initial_replicas=2, cluster=Cluster(pools=(pool, larger)), profile=replace(PROFILE))
    at_minutes(fleet, range(1, 5))
    assert lives(fleet) == (1, 0, 1, 1)
    at_minutes(fleet, range(5, 8))
    # Its node was ordered at 250, there at 310, the image at 510: pending until then, so nobody else goes.
    assert lives(fleet) == (0, 1, 1, 0)
    fleet.observe(510.0)
    assert vertical_of(fleet).evicted == 1
    fleet.observe(540.0)
    assert vertical_of(fleet).evicted == 2


def test_inside_the_bounds_a_replica_is_changed_after_twelve_hours() -> None:
    """2 cores of 4: the upper bound is 2406 (1 + 2) at noon, but the difference is 40 %."""
    profile = replace(GENEROUS, resources={"cpu": ResourceUse(idle=0.5, full=0.5)})
    fleet = resized(profile)
    at_minutes(fleet, range(1, 720))
    assert vertical_of(fleet).evicted == 0
    at_minutes(fleet, range(720, 722))
    # The two are equal; the second goes when the first is back.
    assert (vertical_of(fleet).evicted, cores(fleet)) == (2, [2406, 2406])


def test_one_replica_alone_is_left_alone() -> None:
    fleet = resized(initial_replicas=1)
    at_minutes(fleet, range(1, 60))
    assert (fleet.started, cores(fleet)) == (1, [1000])
    allowed = resized(vertical=replace(CPU, min_replicas=1), initial_replicas=1)
    at_minutes(allowed, range(1, 60))
    # The tolerance is none of one, but the first of a full group may go.
    assert (allowed.started, cores(allowed)) == (2, [2406])


def test_initial_changes_only_new_replicas() -> None:
    fleet = resized(vertical=replace(CPU, update_mode="Initial"))
    fleet.observe(60.0)
    fleet.scale_to(3)
    at_minutes(fleet, range(2, 60))
    assert cores(fleet) == [1000, 1000, 2406]


def test_memory_is_the_peak_of_a_day() -> None:
    """2 GiB always: 10^7 (1.05^51 - 1) / 0.05 bytes and 15 %."""
    profile = replace(PROFILE, resources={**PROFILE.resources, "memory": ResourceUse(idle=0.25, full=0.25)})
    fleet = resized(profile, VerticalAutoscaler(update_mode="Off"))
    fleet.observe(60.0)
    advice = vertical_of(fleet).recommendation
    assert advice is not None
    assert advice.target.cpu_millicores == 2406
    assert advice.target.memory_bytes == pytest.approx(1.15 * 1e7 * (1.05**51 - 1) / 0.05, abs=2)


def test_memory_alone_can_be_controlled_where_nobody_knows_the_cpu() -> None:
    profile = replace(PROFILE, resources={"memory": ResourceUse(idle=0.25, full=0.25)})
    fleet = resized(profile, VerticalAutoscaler(controlled_resources=("memory",)))
    at_minutes(fleet, range(1, 722))
    # 2.36 GiB of 8 after twelve hours.
    assert [round((each.memory_bytes or 0) / 2**30, 2) for each in fleet.requests] == [2.36, 2.36]
    assert cores(fleet) == [1000, 1000]


def test_bounds_requirements_and_pace_are_kept_to() -> None:
    capped = resized(vertical=replace(CPU, max_allowed=Amounts(cpu_millicores=1500)))
    at_minutes(capped, range(1, 10))
    assert cores(capped) == [1500, 1500]
    only_down = EvictionRequirement(resources=("cpu",), change_requirement="TargetLowerThanRequests")
    kept = resized(vertical=replace(CPU, eviction_requirements=(only_down,)))
    at_minutes(kept, range(1, 10))
    assert cores(kept) == [1000, 1000]
    slow = resized(vertical=replace(CPU, updater_interval_s=600.0))
    at_minutes(slow, range(1, 10))
    assert vertical_of(slow).evicted == 0
    slow.observe(600.0)
    assert vertical_of(slow).evicted == 1


def test_what_fits_on_no_node_waits() -> None:
    """2406 millicores on nodes of 2 cores: the original evicts all the same; maxAllowed is there for this."""
    pool = replace(POOL, cpu_cores=2.0)
    fleet = resized(cluster=Cluster(pools=(pool,)))
    at_minutes(fleet, range(1, 30))
    assert lives(fleet) == (1, 0, 1, 0)
    capped = resized(cluster=Cluster(pools=(pool,)), vertical=replace(CPU, max_allowed=Amounts(cpu_millicores=2000)))
    at_minutes(capped, range(1, 30))
    assert (lives(capped), cores(capped)) == ((0, 0, 2, 0), [2000, 2000])


def test_an_evicted_replica_finishes_what_it_has_within_its_grace() -> None:
    requests = [(239.0, 100.0), (239.5, 100.0)]
    fleet = fleet_of(PROFILE, requests, vertical=CPU, initial_replicas=2)
    at_minutes(fleet, range(1, 5))
    assert lives(fleet) == (0, 1, 1, 1)
    fleet.observe(338.0)
    assert lives(fleet) == (0, 0, 2, 2)  # at 300 the second went, too
    fleet.observe(339.0)
    assert lives(fleet) == (0, 0, 2, 1)
    cut = fleet_of(replace(PROFILE, drain_timeout_s=20.0), requests, vertical=CPU, initial_replicas=2)
    at_minutes(cut, range(1, 5))
    cut.observe(260.0)
    assert lives(cut) == (0, 1, 1, 0)


def test_nobody_is_evicted_after_the_end() -> None:
    fleet = resized()
    at_minutes(fleet, range(1, 4))
    fleet.finish()
    assert vertical_of(fleet).evicted == 0


# -- what a policy sees


def test_utilization_is_use_over_what_is_requested_now() -> None:
    fleet = resized(vertical=replace(CPU, update_mode="Initial"))
    assert fleet.observe(60.0).cpu_utilization == 2.0
    fleet.scale_to(3)
    assert fleet.observe(89.0).cpu_utilization == 2.0
    # Three use 2 cores each, of 1 + 1 + 2.406.
    assert fleet.observe(120.0).cpu_utilization == pytest.approx(6 / 4.406)


def test_a_resource_that_is_not_controlled_keeps_its_utilization() -> None:
    profile = replace(
        PROFILE,
        resources={
            **PROFILE.resources,
            "memory": ResourceUse(idle=0.3, full=0.3),
            "accelerator": ResourceUse(idle=0.4),
        },
    )
    fleet = resized(profile)
    at_minutes(fleet, range(1, 10))
    seen = fleet.observe(600.0)
    assert cores(fleet) == [2406, 2406]
    assert (seen.memory_utilization, seen.accelerator_utilization) == (0.3, 0.4)
    assert seen.cpu_utilization == pytest.approx(2 / 2.406)


def test_a_policy_that_follows_utilization_grows_the_fleet_of_smaller_replicas() -> None:
    """A smaller request is a higher utilization, so the fleet grows; then each uses less, and requests fall again."""
    trace = RateTrace(name="steady", window_s=60.0, requests=np.full(180, 360.0))
    profile = replace(GENEROUS, resources={"cpu": ResourceUse(idle=0.2, full=0.9)})
    soon = replace(CPU, updater=UpdaterConfig(in_recommendation_bounds_eviction_lifetime_threshold_s=1800.0))
    before, after = (
        run(trace, profile, None, "utilization", vertical=vertical, initial_replicas=4).ticks.target[-240:].mean()
        for vertical in (None, soon)
    )
    assert before == 5.0
    assert after > 7.0


# -- whatever happens

sized = st.builds(
    lambda profile, request, cpu, memory: replace(
        profile, resource_request=request, resources={"cpu": cpu, "memory": memory}
    ),
    profiles,
    resource_requests,
    st.sampled_from([ResourceUse(), ResourceUse(idle=0.3, full=3.0)]),
    st.sampled_from([ResourceUse(idle=0.2, full=0.4), ResourceUse(idle=1.0, full=1.5)]),
)
names = st.sampled_from(["target-tracking", "predictive", "utilization"])
maybe_nodes = st.none() | clusters


@settings(max_examples=30)
@given(
    trace=rate_traces(),
    profile=sized,
    cluster=maybe_nodes,
    vertical=vertical_autoscalers,
    name=names,
    seed=st.integers(0, 9),
)
def test_engines_agree_and_every_request_has_one_fate(
    trace: RateTrace, profile: ServiceProfile, cluster: Any, vertical: VerticalAutoscaler, name: str, seed: int
) -> None:
    fast = run(trace, profile, cluster, name, seed=seed, vertical=vertical)
    assert_same(fast, run(trace, profile, cluster, name, seed=seed, vertical=vertical, engine="readable"))
    assert_same(fast, run(trace, profile, cluster, name, seed=seed, vertical=vertical))
    ticks = fast.ticks
    still_inside = ticks.arrived.sum() - sum(getattr(ticks, outcome).sum() for outcome in OUTCOMES if outcome != "met")
    assert still_inside >= fast.unserved >= 0


@settings(max_examples=30)
@given(
    trace=rate_traces(),
    profile=sized,
    cluster=maybe_nodes,
    vertical=vertical_autoscalers,
    name=names,
    seed=st.integers(0, 9),
)
def test_off_changes_nothing_but_what_is_written_down(
    trace: RateTrace, profile: ServiceProfile, cluster: Any, vertical: VerticalAutoscaler, name: str, seed: int
) -> None:
    off = run(trace, profile, cluster, name, seed=seed, vertical=replace(vertical, update_mode="Off"))
    absent = run(trace, profile, cluster, name, seed=seed)
    recorded = {
        field.name: None
        for field in dataclasses.fields(off.ticks)
        if getattr(absent.ticks, field.name) is None and getattr(off.ticks, field.name) is not None
    }
    assert set(recorded) == {
        "cpu_request_cores", "memory_request_gib", "cpu_target_cores", "memory_target_gib", "evicted"
    }  # fmt: skip
    assert_same(replace(off, ticks=replace(off.ticks, **recorded)), absent)


@settings(max_examples=40)
@given(
    cluster=clusters,
    profile=sized,
    vertical=vertical_autoscalers,
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=20),
)
def test_nodes_are_within_their_room_and_the_fleet_keeps_its_size(
    cluster: Cluster, profile: ServiceProfile, vertical: VerticalAutoscaler, sizes: list[int]
) -> None:
    fleet = fleet_of(
        replace(profile, mean_time_to_failure_s=None),
        [(0.5 * i, 4.0) for i in range(100)],
        cluster=cluster,
        vertical=vertical,
        control_interval_s=5.0,
    )
    there = cluster_of(fleet)
    size = 1
    for step, wanted in enumerate(sizes):
        for tick in range(6 * step + 1, 6 * step + 7):
            fleet.observe(5.0 * tick)
            assert fleet.requested == size
            assert fleet.provisioning == there.waiting
            for info in there.infos:
                assert all(info.used.of(name) <= info.node.allocatable.of(name) for name in info.used.names())
                assert info.used.cpu_millicores == sum(pod.requests.cpu_millicores for pod in info.pods)
            low, high = vertical.min_allowed.cpu_millicores or 0, vertical.max_allowed.cpu_millicores or 10**9
            original = round(1000 * (profile.resource_request or ResourceRequest(cpu_cores=1)).cpu_cores)
            assert all(each == original or low <= (each or 0) <= high for each in cores(fleet))
        size = wanted
        fleet.scale_to(size)
        assert fleet.requested == size


def test_without_it_nothing_is_known_of_requests() -> None:
    trace = RateTrace(name="steady", window_s=60.0, requests=np.full(5, 60.0))
    ticks = run(trace, PROFILE, None).ticks
    assert ticks.cpu_request_cores is ticks.memory_target_gib is ticks.evicted is None
    known = run(trace, PROFILE, None, vertical=CPU).ticks
    assert known.memory_target_gib is not None
    assert np.isnan(known.memory_target_gib).all()
    assert known.memory_request_gib is not None
    assert known.memory_request_gib.tolist() == [8.0] * len(known)
