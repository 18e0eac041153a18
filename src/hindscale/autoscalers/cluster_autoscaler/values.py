"""Pods, nodes and node groups, with the fields that the Cluster Autoscaler looks at.

CPU is in millicores and memory in bytes; accelerators and other extended resources are counted by name, such
as `nvidia.com/gpu`. Usage appears nowhere: everything is decided by requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from hindscale.core.checks import require_count, require_ordered

__all__ = [
    "GPU_RESOURCES",
    "NO_RESOURCES",
    "Node",
    "NodeGroup",
    "NodeInfo",
    "Pod",
    "Resources",
    "Taint",
    "Toleration",
    "gpu_names",
]

GPU_RESOURCES = ("nvidia.com/gpu", "habana.ai/gaudi", "gpu.intel.com/xe", "amd.com/gpu", "microsoft.com/directx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Amounts of resources, requested or there.

    Attributes:
        cpu_millicores: CPU.
        memory_bytes: Memory.
        extended: (name, count) of accelerators and the like, by name in order.

    >>> Resources(cpu_millicores=500).plus(Resources(extended=(("nvidia.com/gpu", 1),))).of("nvidia.com/gpu")
    1
    """

    cpu_millicores: int = 0
    memory_bytes: int = 0
    extended: tuple[tuple[str, int], ...] = ()

    def of(self, name: str) -> int:
        """The amount of `cpu`, `memory` or an extended resource; 0 if there is none."""
        if name == "cpu":
            return self.cpu_millicores
        if name == "memory":
            return self.memory_bytes
        return dict(self.extended).get(name, 0)

    def plus(self, other: Resources) -> Resources:
        """The sum, resource by resource."""
        return self._combined(other, 1)

    def minus(self, other: Resources) -> Resources:
        """The difference, resource by resource; it may be negative."""
        return self._combined(other, -1)

    def times(self, count: int) -> Resources:
        """So many of the same."""
        return Resources(
            cpu_millicores=self.cpu_millicores * count,
            memory_bytes=self.memory_bytes * count,
            extended=tuple((name, amount * count) for name, amount in self.extended),
        )

    def names(self) -> tuple[str, ...]:
        """`cpu`, `memory` and the extended resources."""
        return ("cpu", "memory", *(name for name, _ in self.extended))

    def _combined(self, other: Resources, sign: int) -> Resources:
        extended = self.extended
        if other.extended:
            names = sorted({name for name, _ in (*self.extended, *other.extended)})
            extended = tuple((name, self.of(name) + sign * other.of(name)) for name in names)
        return Resources(
            cpu_millicores=self.cpu_millicores + sign * other.cpu_millicores,
            memory_bytes=self.memory_bytes + sign * other.memory_bytes,
            extended=extended,
        )


NO_RESOURCES = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """What keeps pods off a node that do not tolerate it; effects other than PreferNoSchedule do."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """Taints that a pod bears: an empty key (with `Exists`) or effect matches any."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What is seen of a pod.

    Attributes:
        name: Unique in its namespace.
        requests: Summed over containers.
        namespace: Where it lives; `kube-system` ones are harder to move.
        controller: Identifies who would make it anew; empty for a bare pod.
        controller_kind: Of the controller, such as `ReplicaSet`, `StatefulSet` or `Job`.
        priority: Pods below the cutoff are expendable.
        created_s: When it was made.
        scale_up_delay_s: From its `pod-scale-up-delay` annotation; None without one.
        labels: Sorted (key, value) pairs.
        node_selector: Labels that its node must have.
        tolerations: Taints that it bears.
        host_ports: Ports of the node that it takes.
        is_daemon_set: Made once a node, so never moved.
        is_mirror: Static, run by the node itself; never moved.
        is_terminal: Finished for good.
        deleted_s: Its deletion timestamp; None if it is not being deleted.
        termination_grace_s: How long it may take to stop.
        has_local_storage: Whether it would lose data by moving.
        safe_to_evict: From its annotation; None without one.
        disruption_budgets: Names of those that select it.
    """

    name: str
    requests: Resources = NO_RESOURCES
    namespace: str = "default"
    controller: str = ""
    controller_kind: str = "ReplicaSet"
    priority: int = 0
    created_s: float = 0.0
    scale_up_delay_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[int, ...] = ()
    is_daemon_set: bool = False
    is_mirror: bool = False
    is_terminal: bool = False
    deleted_s: float | None = None
    termination_grace_s: float = 30.0
    has_local_storage: bool = False
    safe_to_evict: bool | None = None
    disruption_budgets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is seen of a node, or of a group's template.

    Attributes:
        name: Unique.
        allocatable: What pods may request.
        capacity: What the machine has; None for the same as allocatable.
        group: The node group that it belongs to; empty if it is not autoscaled.
        max_pods: Pods that it may run.
        labels: Sorted (key, value) pairs.
        taints: What keeps pods off it.
        ready: Its Ready condition; see `is_ready`.
        created_s: When it registered.
        accelerator: Name of the extended resource that it should have, such as `nvidia.com/gpu`, as its label
            announces; empty for none. See also `gpu`.
        scale_down_disabled: From its annotation.
        being_deleted: Whether its deletion has begun.
    """

    name: str
    allocatable: Resources
    capacity: Resources | None = None
    group: str = ""
    max_pods: int = 110
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    ready: bool = True
    created_s: float = 0.0
    accelerator: str = ""
    scale_down_disabled: bool = False
    being_deleted: bool = False

    @property
    def is_ready(self) -> bool:
        """Ready, and if it should have an accelerator, advertising it: until then its driver is still coming up."""
        return self.ready and (not self.accelerator or self.allocatable.of(self.accelerator) > 0)

    @property
    def gpu(self) -> str:
        """The extended resource that makes it a GPU node: `accelerator`, else a GPU it advertises; empty if neither."""
        advertised = (name for name in GPU_RESOURCES if self.allocatable.of(name) > 0)
        return self.accelerator or next(advertised, "")

    @property
    def full_capacity(self) -> Resources:
        """What the machine has."""
        return self.allocatable if self.capacity is None else self.capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """A node and the pods on it; `used` is the sum of their requests."""

    node: Node
    pods: tuple[Pod, ...] = ()
    used: Resources = NO_RESOURCES

    @classmethod
    def of(cls, node: Node, pods: Iterable[Pod] = ()) -> NodeInfo:
        """The node with these pods."""
        there = tuple(pods)
        return cls(node=node, pods=there, used=reduce(Resources.plus, (pod.requests for pod in there), NO_RESOURCES))

    def with_pod(self, pod: Pod) -> NodeInfo:
        """The same with one more pod."""
        return replace(self, pods=(*self.pods, pod), used=self.used.plus(pod.requests))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes of one kind, ordered and given back by count.

    Attributes:
        name: Unique.
        min_size: Fewest nodes.
        max_size: Most nodes.
        target_size: Nodes ordered, there or not.
        template: An empty node of the group, with the DaemonSet pods that will run on it.
        exists: False for a group that would have to be made first.
        is_atomic: Whether it goes from 0 to max_size at once, and back (zero-or-max).
    """

    name: str
    min_size: int = 0
    max_size: int
    target_size: int = 0
    template: NodeInfo
    exists: bool = True
    is_atomic: bool = False

    def __post_init__(self) -> None:
        require_count(min_size=self.min_size, max_size=self.max_size, target_size=self.target_size)
        require_ordered(min_size=self.min_size, max_size=self.max_size)

    @property
    def headroom(self) -> int:
        """Nodes that may still be ordered."""
        return max(0, self.max_size - self.target_size)


def gpu_names(pod: Pod) -> tuple[str, ...]:
    """The GPUs that a pod asks for, by resource name; other accelerators are not waited for."""
    return tuple(name for name, count in pod.requests.extended if count > 0 and name in GPU_RESOURCES)
