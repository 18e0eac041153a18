"""Hypothesis strategies for hindscale's values; a new field joins here first."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hindscale.autoscalers.vpa.amounts import NOTHING, Amounts
from hindscale.autoscalers.vpa.config import RecommenderConfig
from hindscale.autoscalers.vpa.priority import UpdaterConfig
from hindscale.core import Constant, Exponential, Lognormal, ResourceRequest, ServiceProfile, Slo
from hindscale.core.service import Balancer
from hindscale.simulation import Cluster, NodePool, Placement, VerticalAutoscaler
from hindscale.testing.contracts import histories, observations
from hindscale.traces import RateTrace, RequestTrace

__all__ = [
    "clusters",
    "distributions",
    "histories",
    "node_pools",
    "observations",
    "profiles",
    "rate_traces",
    "request_traces",
    "resource_requests",
    "slos",
    "vertical_autoscalers",
]

durations = st.floats(0.001, 100.0)

distributions = st.one_of(
    st.builds(Constant, durations),
    st.builds(Exponential, durations),
    st.builds(Lognormal, mean_s=durations, cv=st.floats(0.05, 2.0)),
)

slos = st.builds(Slo, latency_s=durations, percentile=st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))

limits = st.none() | st.integers(0, 20)

profiles = st.builds(
    ServiceProfile,
    slots=st.integers(1, 8),
    service_time=st.builds(Lognormal, mean_s=st.floats(0.05, 5.0), cv=st.floats(0.05, 1.5)),
    cold_start=st.builds(Constant, st.floats(0, 60)),
    provisioning=st.builds(Constant, st.floats(0, 30)),
    balancer=st.sampled_from(Balancer),
    replica_queue_limit=limits,
    gateway_queue_limit=limits,
    queue_timeout_s=st.none() | st.floats(0, 10),
    drain_timeout_s=st.none() | st.floats(0, 20),
    mean_time_to_failure_s=st.none() | st.floats(30, 1000),
)

node_pools = st.builds(
    NodePool,
    name=st.sampled_from(["a", "b"]),
    cpu_cores=st.sampled_from([4.0, 9.0]),
    memory_gib=st.sampled_from([16.0, 40.0]),
    accelerators=st.integers(1, 4),
    min_nodes=st.integers(0, 1),
    max_nodes=st.integers(1, 6),
    max_pods=st.sampled_from([2, 110]),
    machine_delay=st.sampled_from([Constant(0.0), Constant(15.0)]),
    node_start=st.builds(Constant, st.sampled_from([0.0, 5.0, 40.0, 100.0])),
    image_pull=st.builds(Constant, st.sampled_from([0.0, 20.0])),
)
# Short times on purpose: nodes come and go all the time.
clusters = st.builds(
    Cluster,
    pools=st.lists(node_pools, min_size=1, max_size=2, unique_by=lambda pool: pool.name).map(tuple),
    placement=st.sampled_from(Placement),
    safe_to_evict=st.booleans(),
    scan_interval_s=st.sampled_from([5.0, 10.0]),
    expander=st.sampled_from([("random",), ("least-waste",), ("most-pods", "least-nodes")]),
    max_nodes_total=st.sampled_from([0, 4]),
    max_node_provision_time_s=st.sampled_from([60.0, 900.0]),
    scale_down_unneeded_time_s=st.sampled_from([0.0, 20.0, 60.0]),
    scale_down_delay_after_add_s=st.sampled_from([0.0, 30.0]),
    max_drain_parallelism=st.integers(1, 3),
    max_graceful_termination_s=st.sampled_from([0.0, 10.0, 600.0]),
)
resource_requests = st.builds(
    ResourceRequest, cpu_cores=st.sampled_from([1.0, 2.5]), memory_gib=st.just(4.0), accelerators=st.integers(0, 1)
)

# Bounds that close within a minute, and replicas that may be changed at half a minute's age.
vertical_autoscalers = st.builds(
    VerticalAutoscaler,
    update_mode=st.sampled_from(["Initial", "Recreate", "Auto"]),
    min_replicas=st.sampled_from([None, 1, 3]),
    min_allowed=st.sampled_from([NOTHING, Amounts(cpu_millicores=700, memory_bytes=10**9)]),
    max_allowed=st.sampled_from([NOTHING, Amounts(cpu_millicores=3000)]),
    controlled_resources=st.sampled_from([("cpu", "memory"), ("cpu",), ("memory",)]),
    recommender_interval_s=st.sampled_from([5.0, 7.0, 60.0]),
    updater_interval_s=st.sampled_from([10.0, 13.0]),
    memory_aggregation_interval_s=st.sampled_from([30.0, 86_400.0]),
    recommender=st.builds(
        RecommenderConfig,
        confidence_interval_cpu_s=st.sampled_from([10.0, 86_400.0]),
        confidence_interval_memory_s=st.sampled_from([10.0, 86_400.0]),
    ),
    updater=st.builds(
        UpdaterConfig,
        eviction_tolerance=st.sampled_from([0.0, 0.5, 0.9]),
        in_recommendation_bounds_eviction_lifetime_threshold_s=st.sampled_from([30.0, 3600.0]),
    ),
)


@st.composite
def rate_traces(draw: st.DrawFn, max_windows: int = 20) -> RateTrace:
    """Some windows of little traffic."""
    windows = draw(st.lists(st.floats(0, 200), min_size=1, max_size=max_windows))
    return RateTrace(name="rates", window_s=draw(st.sampled_from([10.0, 15.0, 60.0])), requests=np.array(windows))


@st.composite
def request_traces(draw: st.DrawFn, max_requests: int = 50) -> RequestTrace:
    """Some requests, sorted, within a few minutes."""
    gaps = draw(st.lists(st.floats(0, 5), min_size=1, max_size=max_requests))
    return RequestTrace(name="requests", arrival_s=np.cumsum(gaps))
