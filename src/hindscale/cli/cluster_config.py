"""The part of a backtest's configuration that says which nodes there are: `[cluster]`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hindscale.cli.config_types import AnyDistribution, Duration, Table, given_values
from hindscale.core.service import ResourceRequest
from hindscale.simulation.cluster import Cluster, NodePool, Placement

__all__ = ["ClusterConfig", "ResourceRequestConfig", "cluster_values"]


class ResourceRequestConfig(Table):
    """See `ResourceRequest`."""

    cpu_cores: float = 0.0
    memory_gib: float = 0.0
    accelerators: int = 0
    accelerator: str = "nvidia.com/gpu"

    def request(self) -> ResourceRequest:
        """The value."""
        return ResourceRequest(**self.model_dump())


class PoolConfig(Table):
    """One pool. What is not given has the default of `NodePool`, where each entry is explained."""

    name: str
    cpu_cores: float
    memory_gib: float
    accelerators: int | None = None
    accelerator: str | None = None
    price_per_hour: float | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    max_pods: int | None = None
    machine_delay: AnyDistribution | None = None
    node_start: AnyDistribution | None = None
    image_pull: AnyDistribution | None = None
    priority: int | None = None


class ClusterConfig(Table):
    """All pools and the autoscaler's flags. What is not given has the default of `Cluster`."""

    pools: list[PoolConfig]
    placement: Placement | None = None
    safe_to_evict: bool | None = None
    scan_interval_s: Duration | None = None
    expander: list[str] | None = None
    new_pod_scale_up_delay_s: Duration | None = None
    max_nodes_total: int | None = None
    max_node_provision_time_s: Duration | None = None
    balance_similar_node_groups: bool | None = None
    scale_down_enabled: bool | None = None
    scale_down_unneeded_time_s: Duration | None = None
    scale_down_utilization_threshold: float | None = None
    scale_down_gpu_utilization_threshold: float | None = None
    scale_down_delay_after_add_s: Duration | None = None
    scale_down_delay_after_delete_s: Duration | None = None
    max_scale_down_parallelism: int | None = None
    max_drain_parallelism: int | None = None
    max_graceful_termination_s: Duration | None = None

    def cluster(self) -> Cluster:
        """The value.

        Raises:
            ParameterError: If something is out of range.
        """
        given = given_values(self) | {"pools": tuple(NodePool(**given_values(pool)) for pool in self.pools)}
        if "expander" in given:
            given["expander"] = tuple(given["expander"])
        return Cluster(**given)


def cluster_values(cluster: Cluster) -> dict[str, Any]:
    """A cluster as plain values that make the same cluster again."""
    return {each.name: _plain(getattr(cluster, each.name)) for each in fields(cluster)} | {
        "pools": [{each.name: _plain(getattr(pool, each.name)) for each in fields(pool)} for pool in cluster.pools]
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Placement) else value
