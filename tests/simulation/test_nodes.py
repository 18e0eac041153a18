"""Replicas on nodes: cases worked out by hand, and what holds whatever happens."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.core import Constant, ResourceRequest, ServiceProfile, ServiceSpec, Slo
from hindscale.guardrails.bounds import Bounds
from hindscale.policies import build_policy
from hindscale.policies.fixed import Fixed
from hindscale.scoring import RunRecord, score
from hindscale.scoring.record import OUTCOMES
from hindscale.simulation import Cluster, NodePool, Placement, SimulationSettings, simulate
from hindscale.simulation.contract import to_ns
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.nodes import SimulatedCluster
from hindscale.simulation.scans import Memory
from hindscale.traces import RateTrace, RequestTrace
from simulation.test_fleet import fleet_of, lives
from simulation.test_run import assert_same
from strategies import clusters, profiles, rate_traces, resource_requests

GPU = NodePool(
    name="gpu",
    cpu_cores=8,
    memory_gib=64,
    accelerators=1,
    price_per_hour=3.6,
    node_start=Constant(120.0),
    image_pull=Constant(30.0),
)
PROFILE = ServiceProfile(
    slots=2,
    service_time=Constant(1.0),
    cold_start=Constant(60.0),
    resource_request=ResourceRequest(cpu_cores=1, memory_gib=8, accelerators=1),
)
WITHOUT_GPU = replace(PROFILE, resource_request=ResourceRequest(cpu_cores=8, memory_gib=8))


def on(*pools: NodePool, profile: ServiceProfile = PROFILE, requests: Any = None, **given: Any) -> SimulatedFleet:
    """A fleet of one replica on the pools' nodes."""
    flags = {key: given.pop(key) for key in list(given) if key in Cluster.__dataclass_fields__}
    return fleet_of(profile, requests, cluster=Cluster(pools=pools, **flags), **given)


def cluster_of(fleet: SimulatedFleet) -> SimulatedCluster:
    assert fleet.cluster is not None
    return fleet.cluster


def paid_s(fleet: SimulatedFleet, now_s: float) -> float:
    return sum(cluster_of(fleet).paid_ns(to_ns(now_s))) / 1e9


def pods_by_node(fleet: SimulatedFleet) -> dict[str, list[str]]:
    return {info.node.name: [pod.name for pod in info.pods] for info in cluster_of(fleet).infos}


# -- nodes come


def test_a_gpu_replica_waits_for_scan_node_image_and_cold_start() -> None:
    fleet = on(GPU)
    fleet.observe(15.0)
    fleet.scale_to(2)
    assert lives(fleet) == (1, 0, 1, 0)
    # GPU pods count from 30 s on: not at 20, 30, 40, but at 50. The node is there at 170, the image at 200.
    fleet.observe(49.0)
    assert paid_s(fleet, 49.0) == 49.0
    fleet.observe(169.0)
    assert (lives(fleet), paid_s(fleet, 169.0)) == ((1, 0, 1, 0), 169.0 + 119.0)
    fleet.observe(170.0)
    assert lives(fleet) == (0, 1, 1, 0)
    fleet.observe(259.999)
    assert lives(fleet) == (0, 1, 1, 0)
    seen = fleet.observe(260.0)
    assert (seen.ready_replicas, seen.starting_replicas, seen.provisioning_replicas) == (2, 0, 0)
    # Replica hours count from starting, nodes from running.
    assert fleet.billed_ns == to_ns(260.0 + 90.0)


def test_a_replica_without_gpu_is_old_enough_after_two_seconds() -> None:
    fleet = on(replace(GPU, accelerators=0), profile=WITHOUT_GPU)
    fleet.observe(15.0)
    fleet.scale_to(2)
    fleet.observe(140.0)  # ordered at 20
    assert lives(fleet) == (0, 1, 1, 0)


def test_one_just_created_waits_for_the_next_scan() -> None:
    fleet = on(replace(GPU, accelerators=0), profile=WITHOUT_GPU)
    fleet.observe(19.0)
    fleet.scale_to(2)
    fleet.observe(149.0)
    # At 20 it was 1 s old; ordered at 30, there at 150.
    assert lives(fleet) == (1, 0, 1, 0)
    fleet.observe(150.0)
    assert lives(fleet) == (0, 1, 1, 0)


def test_only_the_first_replica_on_a_node_pulls_the_image() -> None:
    fleet = on(replace(GPU, accelerators=2))
    fleet.observe(15.0)
    fleet.scale_to(4)
    # One has room beside the first, where the image is; two share the node that is ordered at 50.
    assert lives(fleet) == (2, 1, 1, 0)
    fleet.observe(75.0)
    assert lives(fleet) == (2, 0, 2, 0)
    fleet.observe(259.0)
    assert lives(fleet) == (0, 2, 2, 0)
    fleet.observe(260.0)
    assert lives(fleet) == (0, 0, 4, 0)
    fleet.scale_to(3)
    fleet.observe(270.0)
    fleet.scale_to(4)  # takes the place that became free: no node, no image, 60 s
    fleet.observe(329.0)
    assert lives(fleet) == (0, 1, 3, 0)
    fleet.observe(330.0)
    assert lives(fleet) == (0, 0, 4, 0)


def test_one_that_comes_during_the_pull_waits_for_its_end() -> None:
    fleet = on(replace(GPU, accelerators=2), initial_replicas=2)
    fleet.observe(15.0)
    fleet.scale_to(3)
    fleet.observe(180.0)  # node since 170, image at 200
    fleet.scale_to(4)
    assert lives(fleet) == (0, 2, 2, 0)
    fleet.observe(259.0)
    assert lives(fleet) == (0, 2, 2, 0)
    fleet.observe(260.0)
    assert lives(fleet) == (0, 0, 4, 0)


def test_replicas_that_will_fit_on_upcoming_nodes_order_no_more() -> None:
    fleet = on(replace(GPU, accelerators=2), initial_replicas=2)
    fleet.observe(15.0)
    fleet.scale_to(3)
    fleet.observe(60.0)  # one node was ordered at 50
    fleet.scale_to(4)
    fleet.observe(165.0)
    assert cluster_of(fleet).running(to_ns(165.0)) == 2
    fleet.observe(170.0)
    assert lives(fleet) == (0, 2, 2, 0)


def test_the_machine_is_paid_from_when_it_runs() -> None:
    fleet = on(replace(GPU, machine_delay=Constant(20.0)))
    fleet.observe(15.0)
    fleet.scale_to(2)
    fleet.observe(100.0)
    assert paid_s(fleet, 100.0) == 100.0 + 30.0  # ordered at 50, running at 70
    fleet.observe(190.0)
    assert lives(fleet) == (0, 1, 1, 0)


def test_one_that_is_no_longer_wanted_gets_no_node() -> None:
    fleet = on(GPU)
    fleet.observe(15.0)
    fleet.scale_to(2)
    fleet.observe(45.0)
    fleet.scale_to(1)
    fleet.observe(300.0)
    assert (lives(fleet), paid_s(fleet, 300.0)) == ((0, 0, 1, 0), 300.0)


def test_a_node_that_does_not_come_in_time_is_given_back_and_its_pool_left_alone() -> None:
    fleet = on(replace(GPU, accelerators=0, node_start=Constant(2000.0)), profile=WITHOUT_GPU)
    fleet.observe(15.0)
    fleet.scale_to(2)  # ordered at 20; over 15 min late at 930; backed off until 1230; then ordered again
    fleet.observe(929.0)
    assert paid_s(fleet, 929.0) == 929.0 + 909.0
    fleet.observe(1229.0)
    assert paid_s(fleet, 1229.0) == 1229.0 + 910.0
    fleet.observe(1240.0)
    assert paid_s(fleet, 1240.0) == 1240.0 + 910.0 + 10.0


def test_a_full_pool_leaves_replicas_waiting() -> None:
    fleet = on(replace(GPU, max_nodes=2))
    fleet.observe(15.0)
    fleet.scale_to(5)
    fleet.observe(400.0)
    assert lives(fleet) == (3, 0, 2, 0)


def test_the_run_begins_with_the_nodes_that_the_fleet_needs() -> None:
    fleet = on(replace(GPU, accelerators=4), initial_replicas=6)
    fleet.observe(15.0)
    assert lives(fleet) == (0, 0, 6, 0)
    assert cluster_of(fleet).running(0) == 2
    # The scheduler spreads.
    assert [len(pods) for pods in pods_by_node(fleet).values()] == [3, 3]


def test_pools_begin_with_their_least_nodes_even_without_replicas() -> None:
    fleet = on(replace(GPU, min_nodes=2), initial_replicas=0)
    fleet.observe(15.0)
    assert paid_s(fleet, 15.0) == 30.0


def test_initial_replicas_beyond_the_pools_wait_and_then_start_like_others() -> None:
    fleet = on(replace(GPU, max_nodes=1), initial_replicas=3)
    fleet.observe(15.0)
    assert lives(fleet) == (2, 0, 1, 0)
    fleet.scale_to(1)
    fleet.scale_to(0)
    fleet.scale_to(1)
    fleet.observe(30.0)  # the place was free at 15, which shows at 20
    assert lives(fleet) == (0, 1, 0, 0)
    fleet.observe(79.0)
    assert lives(fleet) == (0, 1, 0, 0)
    fleet.observe(80.0)
    assert lives(fleet) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("placement", "expected"), [(Placement.LEAST_ALLOCATED, [2, 1]), (Placement.MOST_ALLOCATED, [3, 0])]
)
def test_the_scheduler_spreads_or_packs(placement: Placement, expected: list[int]) -> None:
    fleet = on(replace(GPU, accelerators=4, min_nodes=2), placement=placement, initial_replicas=3)
    assert [len(pods) for pods in pods_by_node(fleet).values()] == expected


@pytest.mark.parametrize(
    ("expander", "pool"),
    [("least-waste", "small"), ("least-nodes", "large"), ("priority", "large"), ("most-pods", "large")],
)
def test_expanders_choose_the_pool(expander: str, pool: str) -> None:
    small = replace(GPU, name="small", cpu_cores=1, memory_gib=8, max_nodes=2)
    large = replace(GPU, name="large", accelerators=8, priority=5)
    fleet = on(small, large, expander=(expander,), initial_replicas=0)
    fleet.observe(15.0)
    fleet.scale_to(3)
    fleet.observe(180.0)  # ordered at 50, there at 170
    # Of the small nodes two are there, full; the third replica's node is ordered at 60.
    assert {name.split("-")[0] for name in list(pods_by_node(fleet))[:2]} == {pool}


@pytest.mark.parametrize(("balanced", "sizes"), [(True, [2, 2]), (False, [0, 4])])
def test_similar_pools_share_new_nodes_if_they_should(balanced: bool, sizes: list[int]) -> None:
    zones = (replace(GPU, name="a"), replace(GPU, name="b"))
    fleet = on(*zones, balance_similar_node_groups=balanced, initial_replicas=0)
    fleet.observe(15.0)
    fleet.scale_to(4)
    fleet.observe(170.0)
    nodes = [info.node.group for info in cluster_of(fleet).infos]
    assert sorted(nodes.count(zone.name) for zone in zones) == sizes


def test_the_cluster_keeps_to_its_most_nodes() -> None:
    fleet = on(GPU, max_nodes_total=3)
    fleet.observe(15.0)
    fleet.scale_to(9)
    fleet.observe(900.0)
    assert lives(fleet) == (6, 0, 3, 0)


# -- nodes go


def test_an_empty_node_goes_after_ten_minutes_and_a_scan() -> None:
    fleet = on(GPU, initial_replicas=2)
    fleet.observe(15.0)
    fleet.scale_to(1)
    # Empty from 15 on, unneeded since the scan of 20; at 620 for no more than 10 min, at 630 for more.
    fleet.observe(625.0)
    assert cluster_of(fleet).running(to_ns(625.0)) == 2
    fleet.observe(700.0)
    assert paid_s(fleet, 700.0) == 700.0 + 630.0


def test_no_node_goes_within_ten_minutes_of_an_order() -> None:
    fleet = on(GPU, initial_replicas=2, scale_down_unneeded_time_s=60.0)
    fleet.observe(15.0)
    fleet.scale_to(3)  # ordered at 50, there at 170
    fleet.observe(60.0)
    fleet.scale_to(1)  # one node is empty from 60 on, and from 170 on another
    fleet.observe(645.0)
    assert cluster_of(fleet).running(to_ns(645.0)) == 3
    fleet.observe(700.0)
    assert paid_s(fleet, 700.0) == 700.0 + 650.0 + 600.0


def test_a_pool_keeps_its_least_nodes() -> None:
    fleet = on(replace(GPU, min_nodes=2), initial_replicas=3)
    fleet.observe(15.0)
    fleet.scale_to(0)
    fleet.observe(3000.0)
    assert cluster_of(fleet).running(to_ns(3000.0)) == 2


def half_full(**given: Any) -> SimulatedFleet:
    """Two nodes with two replicas each, of four that they have room for."""
    fleet = on(replace(GPU, accelerators=4), initial_replicas=5, **given)
    fleet.observe(15.0)
    fleet.scale_to(4)
    return fleet


def test_a_node_at_half_of_its_accelerators_is_drained_onto_another() -> None:
    fleet = half_full()
    fleet.observe(629.0)
    assert pods_by_node(fleet) == {"gpu-0": ["replica-0", "replica-2"], "gpu-1": ["replica-1", "replica-3"]}
    # Unneeded since 20. At 630 its replicas, idle, are gone at once; others start on the other node, in 60 s.
    fleet.observe(635.0)
    assert lives(fleet) == (0, 2, 2, 0)
    assert pods_by_node(fleet) == {"gpu-1": ["replica-1", "replica-3", "replica-5", "replica-6"]}
    assert paid_s(fleet, 635.0) == 635.0 + 630.0
    fleet.observe(690.0)
    assert lives(fleet) == (0, 0, 4, 0)
    assert fleet.started == 7


def test_a_drained_node_goes_with_its_last_request() -> None:
    fleet = half_full(requests=[(620.0, 27.0), (620.5, 1.0), (620.6, 1.0), (620.7, 1.0)])
    fleet.observe(640.0)
    assert lives(fleet) == (0, 2, 2, 1)
    assert fleet.requested == 4
    fleet.observe(660.0)
    assert paid_s(fleet, 660.0) == 660.0 + 647.0


def test_what_still_serves_on_a_drained_node_is_stopped_after_the_longest_grace() -> None:
    fleet = half_full(requests=[(620.0, 5000.0), (620.5, 1.0), (620.6, 1.0), (620.7, 1.0)])
    fleet.observe(1400.0)
    assert paid_s(fleet, 1400.0) == 1400.0 + 630.0 + 600.0


@pytest.mark.parametrize("given", [{"safe_to_evict": False}, {"scale_down_gpu_utilization_threshold": 0.4}])
def test_nodes_that_must_not_be_drained_stay(given: dict[str, Any]) -> None:
    fleet = half_full(**given)
    fleet.observe(3000.0)
    assert len(pods_by_node(fleet)) == 2


def test_nodes_stay_where_nothing_scales_down() -> None:
    fleet = on(GPU, initial_replicas=3, scale_down_enabled=False)
    fleet.observe(15.0)
    fleet.scale_to(1)
    fleet.observe(3000.0)
    assert cluster_of(fleet).running(to_ns(3000.0)) == 3


# -- whole runs

SPEC = ServiceSpec(profile=PROFILE, slo=Slo(latency_s=2.0), min_replicas=0, max_replicas=20)
STEADY = RateTrace(name="steady", window_s=60.0, requests=np.full(10, 60.0))


def run(
    trace: Any, profile: ServiceProfile, cluster: Cluster | None, name: str = "target-tracking", **given: Any
) -> RunRecord:
    slo = Slo(latency_s=profile.service_time.quantile(0.995) * 2)
    spec = ServiceSpec(profile=profile, slo=slo, max_replicas=8)
    policy = build_policy(name, spec, None)
    seed = given.pop("seed", 0)
    chosen = SimulationSettings(cluster=cluster, **given)
    return simulate(trace, spec, policy, (Bounds(min_replicas=1, max_replicas=8),), seed=seed, settings=chosen)


def test_what_is_paid_is_nodes() -> None:
    chosen = SimulationSettings(initial_replicas=3, cluster=Cluster(pools=(replace(GPU, accelerators=2),)))
    record = simulate(STEADY, SPEC, Fixed(replicas=3), (), settings=chosen)
    # Two nodes at 3.6 an hour for 600 s; three replicas for as long.
    assert score(record).cost == pytest.approx(1.2)
    assert score(record).replica_hours == pytest.approx(0.5)
    assert record.ticks.nodes is not None
    assert record.ticks.node_cost is not None
    assert record.ticks.nodes.tolist() == [2] * 40
    assert record.ticks.node_cost.tolist() == pytest.approx([0.03] * 40)
    warm = simulate(STEADY, SPEC, Fixed(replicas=3), (), settings=replace(chosen, warm_up_s=300.0))
    assert score(warm).cost == pytest.approx(0.6)


def test_without_a_cluster_replicas_are_paid_and_nothing_is_known_of_nodes() -> None:
    record = simulate(STEADY, SPEC, Fixed(replicas=3), (), settings=SimulationSettings(initial_replicas=3))
    assert record.ticks.nodes is None
    assert record.ticks.node_cost is None
    assert score(record).cost == pytest.approx(0.5)


def test_who_waits_for_a_node_when_the_trace_ends_still_gets_it() -> None:
    trace = RequestTrace(name="r", arrival_s=np.array([1.0, 30.0]))
    record = simulate(
        trace,
        SPEC,
        Fixed(replicas=1),
        (),
        settings=SimulationSettings(initial_replicas=0, cluster=Cluster(pools=(GPU,))),
    )
    assert record.unserved == 0
    assert record.histogram.sum() == 2


@settings(max_examples=60)
@given(cluster=clusters, request=resource_requests, sizes=st.lists(st.integers(0, 12), min_size=1, max_size=25))
def test_nodes_are_within_their_room_and_paid_for_as_long_as_they_run(
    cluster: Cluster, request: ResourceRequest, sizes: list[int]
) -> None:
    fleet = fleet_of(replace(PROFILE, resource_request=request), cluster=cluster, control_interval_s=5.0)
    there = cluster_of(fleet)
    running = [there.running(0)]
    for step, size in enumerate(sizes):
        for tick in range(12 * step + 1, 12 * step + 13):
            fleet.observe(5.0 * tick)
            assert fleet.provisioning == there.waiting
            for info in there.infos:
                assert len(info.pods) <= info.node.max_pods
                assert all(info.used.of(name) <= info.node.allocatable.of(name) for name in info.used.names())
            nodes = [info.node.group for info in there.infos]
            assert all(nodes.count(pool.name) <= pool.max_nodes for pool in cluster.pools)
            most = max(cluster.max_nodes_total, running[0])
            assert not cluster.max_nodes_total or there.running(to_ns(5.0 * tick)) <= most
            # Every time here is a whole number of 5 s, so that counting at each of them misses nothing; only the
            # end of a node that was drained is seen one count later.
            running.append(there.running(to_ns(5.0 * tick)))
            paid, counted = sum(there.paid_ns(to_ns(5.0 * tick))), sum(running[:-1]) * to_ns(5.0)
            assert paid <= counted if cluster.safe_to_evict else paid == counted
        fleet.scale_to(size)
        assert fleet.requested == size
        bound = sum(len(info.pods) for info in there.infos)
        assert bound == fleet.starting + fleet.ready + fleet.draining


with_nodes = st.builds(lambda profile, request: replace(profile, resource_request=request), profiles, resource_requests)
names = st.sampled_from(["target-tracking", "predictive", "utilization"])


@settings(max_examples=30)
@given(trace=rate_traces(), profile=with_nodes, cluster=clusters, name=names, seed=st.integers(0, 9))
def test_engines_agree_and_every_request_has_one_fate(
    trace: RateTrace, profile: ServiceProfile, cluster: Cluster, name: str, seed: int
) -> None:
    fast = run(trace, profile, cluster, name, seed=seed)
    assert_same(fast, run(trace, profile, cluster, name, seed=seed, engine="readable"))
    assert_same(fast, run(trace, profile, cluster, name, seed=seed))
    ticks = fast.ticks
    still_inside = ticks.arrived.sum() - sum(getattr(ticks, outcome).sum() for outcome in OUTCOMES if outcome != "met")
    assert still_inside >= fast.unserved >= 0
    assert (ticks.met <= ticks.arrived).all()


@settings(max_examples=20)
@given(trace=rate_traces(), profile=with_nodes, cluster=clusters, seed=st.integers(0, 9))
def test_scans_that_are_left_out_would_have_done_nothing(
    trace: RateTrace, profile: ServiceProfile, cluster: Cluster, seed: int
) -> None:
    some = run(trace, profile, cluster, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "is_empty", False)
        assert_same(some, run(trace, profile, cluster, seed=seed))


def test_nodes_disturb_no_other_stream() -> None:
    """With room for all and nothing to wait for, a cluster changes nothing but what is paid."""
    roomy = replace(GPU, cpu_cores=1000, memory_gib=1000, accelerators=100, min_nodes=1)
    profile = replace(PROFILE, mean_time_to_failure_s=200.0)
    plain, on_nodes = (run(STEADY, profile, cluster) for cluster in (None, Cluster(pools=(roomy,))))
    for field in dataclasses.fields(plain.ticks):
        if field.name in ("arrived", "desired", "replica_s", "ready"):
            np.testing.assert_array_equal(getattr(plain.ticks, field.name), getattr(on_nodes.ticks, field.name))


def test_the_pace_of_decisions_does_not_matter_to_nodes() -> None:
    paid = []
    for interval_s in (15, 5):
        fleet = on(GPU)
        for now_s in range(interval_s, 1201, interval_s):
            fleet.observe(float(now_s))
            if now_s in (15, 300):
                fleet.scale_to(3 if now_s == 15 else 1)
        paid.append(paid_s(fleet, 1200.0))
    # Two nodes from 50 to 920: unneeded since the scan of 310.
    assert paid == [1200.0 + 2 * 870.0] * 2
