"""What a cluster may be, and which replicas it has nodes for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.core import ParameterError, ResourceRequest, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.fixed import Fixed
from hindscale.simulation import Cluster, NodePool, SimulationSettings, simulate
from hindscale.simulation.cluster import empty_node, replica_pod, require_schedulable
from hindscale.traces import RateTrace

POOL = NodePool(name="l4", cpu_cores=7.91, memory_gib=27.5, accelerators=1)
CLUSTER = Cluster(pools=(POOL,))
REQUEST = ResourceRequest(cpu_cores=4, memory_gib=16, accelerators=1)


def test_nodes_and_replicas_are_in_the_autoscalers_units() -> None:
    node, pod = empty_node(POOL, "l4-0"), replica_pod(REQUEST, "replica-0")
    assert (node.allocatable.cpu_millicores, node.allocatable.memory_bytes) == (7910, 29_527_900_160)
    assert (pod.requests.cpu_millicores, pod.requests.memory_bytes) == (4000, 16 * 1024**3)
    assert node.allocatable.of("nvidia.com/gpu") == pod.requests.of("nvidia.com/gpu") == 1
    assert (node.group, node.accelerator) == ("l4", "nvidia.com/gpu")


def test_a_pool_without_accelerators_has_no_accelerator_to_wait_for() -> None:
    node = empty_node(replace(POOL, accelerators=0), "n")
    assert node.is_ready
    assert node.accelerator == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cpu_cores": 0.0}, "node pool l4: cpu_cores must be a number > 0"),
        ({"memory_gib": -1.0}, "node pool l4: memory_gib"),
        ({"accelerators": -1}, "node pool l4: accelerators must be a whole number >= 0"),
        ({"min_nodes": 3, "max_nodes": 2}, "node pool l4: min_nodes must be <= max_nodes, but 3 > 2"),
        ({"max_nodes": 0}, "node pool l4: max_nodes must be a whole number >= 1"),
        ({"price_per_hour": -2.0}, "node pool l4: price_per_hour"),
        ({"priority": -2}, "node pool l4: priority"),
        ({"name": ""}, "needs a name"),
    ],
)
def test_pools_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        replace(POOL, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pools": ()}, r"cluster\.pools must hold at least one node pool, was empty"),
        ({"pools": (POOL, POOL)}, r"cluster\.pools: each pool must have a name of its own, but 'l4' appears twice"),
        ({"expander": ("least-wast",)}, r"cluster\.expander: unknown 'least-wast'; did you mean 'least-waste'\?"),
        ({"expander": ("price",)}, r"cluster\.expander: price needs a provider's price model"),
        ({"placement": "tightest"}, r"cluster\.placement must be one of least-allocated, most-allocated"),
        ({"scan_interval_s": 0.0}, r"cluster\.scan_interval_s must be a number > 0"),
        ({"max_drain_parallelism": 0}, r"cluster\.max_drain_parallelism"),
        ({"scale_down_unneeded_time_s": -1.0}, r"cluster\.scale_down_unneeded_time_s"),
    ],
)
def test_clusters_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        replace(CLUSTER, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"resource_request must ask for cpu_cores, memory_gib or accelerators"),
        ({"cpu_cores": -1.0}, r"resource_request\.cpu_cores must be a number >= 0, was -1\.0"),
        ({"accelerators": 1, "accelerator": ""}, r"resource_request\.accelerator must be a name"),
    ],
)
def test_requests_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ResourceRequest(**given)


def test_a_replica_that_some_pool_has_nodes_for_is_fine() -> None:
    small = NodePool(name="cpu", cpu_cores=2, memory_gib=4)
    profile = ServiceProfile(resource_request=REQUEST)
    assert require_schedulable(Cluster(pools=(small, POOL)), profile) == REQUEST


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (None, r"what a replica of service requests is not stated; set its cpu_cores"),
        (replace(REQUEST, accelerators=2), r"no node pool .* 2 nvidia\.com/gpu: l4 .*: Insufficient nvidia\.com/gpu;"),
        (replace(REQUEST, memory_gib=80), r"requests 4 CPU, 80 GiB.*: Insufficient memory; request less or add"),
        (replace(REQUEST, accelerator="amd.com/gpu"), r"Insufficient amd\.com/gpu"),
    ],
)
def test_a_replica_that_no_node_has_room_for_is_refused_before_the_run(
    request_: ResourceRequest | None, message: str
) -> None:
    profile = ServiceProfile(resource_request=request_)
    trace = RateTrace(name="t", window_s=60.0, requests=[60.0])
    settings = SimulationSettings(cluster=CLUSTER)
    with pytest.raises(ParameterError, match=message):
        simulate(trace, ServiceSpec(profile=profile, slo=Slo(latency_s=2)), Fixed(replicas=1), (), settings=settings)
    with pytest.raises(ParameterError, match=message):
        Backtest(traces=(trace,), policies=policy_entries(("fixed",)), service=profile, settings=settings)
