"""The nodes that replicas run on, as values: pools of machines, and the Cluster Autoscaler's flags.

`simulation.nodes` plays them through time, `simulation.scans` decides about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hindscale.autoscalers.cluster_autoscaler.expanders import EXPANDERS
from hindscale.autoscalers.cluster_autoscaler.scheduling import why_not
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeInfo, Pod, Resources
from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)
from hindscale.core.distributions import Constant, Distribution, Lognormal
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ResourceRequest, ServiceProfile

__all__ = ["Cluster", "NodePool", "Placement", "empty_node", "replica_pod", "require_schedulable"]

GIB = 1 << 30


class Placement(StrEnum):
    """Which of the nodes with room a replica is bound to, by CPU and memory requested; ties: the oldest."""

    LEAST_ALLOCATED = "least-allocated"  # spreads; what the scheduler does unless it is told otherwise
    MOST_ALLOCATED = "most-allocated"  # packs, so that nodes become empty


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """Machines of one kind that are ordered and given back by count.

    Attributes:
        name: Unique in the cluster.
        cpu_cores: CPU that replicas may request: the machine's, less what system and DaemonSets reserve; > 0.
        memory_gib: Memory likewise, in GiB; > 0.
        accelerators: Accelerators on a node; >= 0.
        accelerator: The resource name of their kind.
        price_per_hour: Of a node, in the currency of the service's price; >= 0.
        min_nodes: Fewest nodes; the run begins with at least these.
        max_nodes: Most nodes; >= 1.
        max_pods: Replicas that fit on a node, whatever they request; >= 1.
        machine_delay: From the order until the provider runs the machine; not paid for.
        node_start: From then until the node takes replicas: boot, registration, driver; paid for.
        image_pull: Until the image is there, for the first replica on a node; the others find it.
        priority: Pools of the highest are ordered from first by the expander `priority`; >= -1.
    """

    name: str
    cpu_cores: float
    memory_gib: float
    accelerators: int = 0
    accelerator: str = "nvidia.com/gpu"
    price_per_hour: float = 1.0
    min_nodes: int = 0
    max_nodes: int = 100
    max_pods: int = 110
    machine_delay: Distribution = Constant(0.0)
    node_start: Distribution = Lognormal(mean_s=120.0, cv=0.25)
    image_pull: Distribution = Lognormal(mean_s=60.0, cv=0.25)
    priority: int = 0

    def __post_init__(self) -> None:
        if not self.name or not self.accelerator:
            raise ParameterError("a node pool needs a name and the name of its kind of accelerator, one was empty")
        try:
            require_positive(cpu_cores=self.cpu_cores, memory_gib=self.memory_gib)
            require_nonnegative(price_per_hour=self.price_per_hour)
            require_count(accelerators=self.accelerators, min_nodes=self.min_nodes)
            require_at_least(1, max_nodes=self.max_nodes, max_pods=self.max_pods)
            require_ordered(min_nodes=self.min_nodes, max_nodes=self.max_nodes)
            require_at_least(-1, priority=self.priority)
        except ParameterError as error:
            raise ParameterError(f"node pool {self.name}: {error}") from None

    def __str__(self) -> str:
        gpus = f", {self.accelerators} {self.accelerator}" if self.accelerators else ""
        return f"{self.name} ({self.cpu_cores:g} CPU, {self.memory_gib:g} GiB{gpus}, {self.price_per_hour:g} an hour)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Node pools and the Cluster Autoscaler over them; flags have its names and its defaults.

    Attributes:
        pools: At least one.
        placement: How the scheduler chooses a node.
        safe_to_evict: Whether a node may be drained of replicas; if not, only empty ones go.
        scan_interval_s: Time between two loops; > 0.
        expander: Filters that choose the pool to grow, in order; chance decides among equals.
        new_pod_scale_up_delay_s: Replicas that wait for less get no node yet.
        max_nodes_total: In the whole cluster; 0 for no limit.
        max_node_provision_time_s: A node that took longer is given back and its pool left alone for a while.
        balance_similar_node_groups: Whether new nodes are shared among pools of equal machines.
        scale_down_enabled: Whether nodes go at all.
        scale_down_unneeded_time_s: A node goes when it was unneeded for longer.
        scale_down_utilization_threshold: By requests, at or below which a node may be unneeded; in [0, 1].
        scale_down_gpu_utilization_threshold: The same for nodes with accelerators, whose CPU is not looked at.
        scale_down_delay_after_add_s: No node goes for so long after nodes were ordered.
        scale_down_delay_after_delete_s: Nor after nodes went.
        max_scale_down_parallelism: Nodes that may go at once; >= 1.
        max_drain_parallelism: Those of them that are drained of replicas; >= 1.
        max_graceful_termination_s: A replica on a drained node is stopped after it.
    """

    pools: tuple[NodePool, ...]
    placement: Placement = Placement.LEAST_ALLOCATED
    safe_to_evict: bool = True
    scan_interval_s: float = 10.0
    expander: tuple[str, ...] = ("least-waste",)
    new_pod_scale_up_delay_s: float = 0.0
    max_nodes_total: int = 0
    max_node_provision_time_s: float = 900.0
    balance_similar_node_groups: bool = False
    scale_down_enabled: bool = True
    scale_down_unneeded_time_s: float = 600.0
    scale_down_utilization_threshold: float = 0.5
    scale_down_gpu_utilization_threshold: float = 0.5
    scale_down_delay_after_add_s: float = 600.0
    scale_down_delay_after_delete_s: float = 0.0
    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1
    max_graceful_termination_s: float = 600.0

    def __post_init__(self) -> None:
        if not self.pools:
            raise ParameterError("cluster.pools must hold at least one node pool, was empty")
        names = [pool.name for pool in self.pools]
        for name in names:
            if names.count(name) > 1:
                raise ParameterError(
                    f"cluster.pools: each pool must have a name of its own, but {name!r} appears twice"
                )
        try:
            self._check()
        except ParameterError as error:
            raise ParameterError(f"cluster.{error}") from None

    def _check(self) -> None:
        if self.placement not in tuple(Placement):
            raise ParameterError(f"placement must be one of {', '.join(Placement)}, was {self.placement!r}")
        for name in self.expander:
            _require_expander(name)
        require_positive(scan_interval_s=self.scan_interval_s, max_node_provision_time_s=self.max_node_provision_time_s)
        require_nonnegative(
            new_pod_scale_up_delay_s=self.new_pod_scale_up_delay_s,
            scale_down_unneeded_time_s=self.scale_down_unneeded_time_s,
            scale_down_utilization_threshold=self.scale_down_utilization_threshold,
            scale_down_gpu_utilization_threshold=self.scale_down_gpu_utilization_threshold,
            scale_down_delay_after_add_s=self.scale_down_delay_after_add_s,
            scale_down_delay_after_delete_s=self.scale_down_delay_after_delete_s,
            max_graceful_termination_s=self.max_graceful_termination_s,
        )
        require_count(max_nodes_total=self.max_nodes_total)
        require_at_least(
            1,
            max_scale_down_parallelism=self.max_scale_down_parallelism,
            max_drain_parallelism=self.max_drain_parallelism,
        )


def _require_expander(name: str) -> None:
    known = [each for each in EXPANDERS if each != "price"]
    if name == "price":
        raise ParameterError(f"expander: price needs a provider's price model, which is not simulated; use {known[0]}")
    if name not in known:
        raise ParameterError(f"expander: unknown {name!r}; {did_you_mean(name, known)}")


def empty_node(pool: NodePool, name: str, *, created_s: float = 0.0) -> Node:
    """A node of a pool as the autoscaler sees it."""
    return Node(
        name=name,
        allocatable=_resources(pool.cpu_cores, pool.memory_gib, pool.accelerators, pool.accelerator),
        group=pool.name,
        max_pods=pool.max_pods,
        created_s=created_s,
        accelerator=pool.accelerator if pool.accelerators else "",
    )


def replica_pod(
    request: ResourceRequest,
    name: str,
    *,
    created_s: float = 0.0,
    termination_grace_s: float = 30.0,
    safe_to_evict: bool = True,
) -> Pod:
    """A replica as the autoscaler sees it: a pod of one controller."""
    return Pod(
        name=name,
        requests=_resources(request.cpu_cores, request.memory_gib, request.accelerators, request.accelerator),
        controller="service",
        created_s=created_s,
        termination_grace_s=termination_grace_s,
        safe_to_evict=None if safe_to_evict else False,
    )


def require_schedulable(cluster: Cluster, profile: ServiceProfile) -> ResourceRequest:
    """What a replica requests, if an empty node of some pool has room for it.

    Raises:
        ParameterError: If nothing is requested, or no pool's nodes have room.
    """
    request = profile.resource_request
    if request is None:
        raise ParameterError(
            f"service.resource_request: a cluster is simulated, but what a replica of {profile.name} requests"
            " is not stated; set its cpu_cores, memory_gib and accelerators"
        )
    pod = replica_pod(request, "replica")
    reasons = [f"{pool}: {why_not(pod, NodeInfo.of(empty_node(pool, pool.name)))}" for pool in cluster.pools]
    if all(not reason.endswith(": ") for reason in reasons):
        raise ParameterError(
            f"service.resource_request: no node pool has nodes for a replica that requests {request}:"
            f" {'; '.join(reasons)}; request less or add a pool of larger nodes"
        )
    return request


def _resources(cpu_cores: float, memory_gib: float, accelerators: int, accelerator: str) -> Resources:
    return Resources(
        cpu_millicores=round(cpu_cores * 1000),
        memory_bytes=round(memory_gib * GIB),
        extended=((accelerator, accelerators),) if accelerators else (),
    )
