"""What one replica of a service is: how many requests at once, how fast, how long to start, at what price.

A `ServiceProfile` is the same value for the simulator, for sizing formulas and for policies that derive
their defaults from it; `ServiceSpec` adds what is asked of the fleet: the SLO, the control interval and
the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)
from hindscale.core.distributions import Constant, Distribution, Lognormal
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.slo import Slo

__all__ = ["RESOURCES", "Balancer", "ResourceRequest", "ResourceUse", "ServiceProfile", "ServiceSpec"]

RESOURCES = ("cpu", "memory", "accelerator")


class Balancer(StrEnum):
    """How a request finds its replica.

    All but the central queue choose among the ready replicas that have room and leave the request in
    that replica's own queue; whatever is chosen for a full replica goes to the next one with room.
    """

    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    LEAST_OUTSTANDING = "least-outstanding"  # fewest requests in service and queued; ties: lowest index
    TWO_CHOICES = "two-choices"  # the one with fewer outstanding of two drawn at random
    CENTRAL_QUEUE = "central-queue"  # one queue at the gateway; a replica gets a request per free slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUse:
    """A replica's utilization as a line from no busy slot to all slots busy, both as fractions.

    utilization = idle + (full - idle) * busy slots / slots. Model weights make `idle` memory high; an
    accelerator that is kept busy by one request alone has a high `full` at few slots.
    """

    idle: float = 0.0
    full: float = 1.0

    def __post_init__(self) -> None:
        require_nonnegative(idle=self.idle, full=self.full)
        require_ordered(idle=self.idle, full=self.full)

    def utilization(self, busy_share: float) -> float:
        """Utilization when a share of the slots is busy.

        >>> ResourceUse(idle=0.6, full=0.9).utilization(0.5)
        0.75
        """
        return self.idle + (self.full - self.idle) * busy_share


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """What a replica asks of its node: this much is kept free for it, used or not.

    Attributes:
        cpu_cores: CPU; >= 0.
        memory_gib: Memory in GiB; >= 0.
        accelerators: Whole accelerators; >= 0.
        accelerator: The resource name of their kind.
    """

    cpu_cores: float = 0.0
    memory_gib: float = 0.0
    accelerators: int = 0
    accelerator: str = "nvidia.com/gpu"

    def __post_init__(self) -> None:
        try:
            require_nonnegative(cpu_cores=self.cpu_cores, memory_gib=self.memory_gib)
            require_count(accelerators=self.accelerators)
        except ParameterError as error:
            raise ParameterError(f"resource_request.{error}") from None
        if not (self.cpu_cores or self.memory_gib or self.accelerators):
            raise ParameterError("resource_request must ask for cpu_cores, memory_gib or accelerators, asked for none")
        if not self.accelerator:
            raise ParameterError("resource_request.accelerator must be a name such as nvidia.com/gpu, was empty")

    def __str__(self) -> str:
        parts = [f"{self.cpu_cores:g} CPU", f"{self.memory_gib:g} GiB"]
        return ", ".join([*parts, f"{self.accelerators} {self.accelerator}"] if self.accelerators else parts)


def _default_resources() -> Mapping[str, ResourceUse]:
    return {"cpu": ResourceUse(idle=0.05, full=1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProfile:
    """One replica of a model service and the way requests reach it.

    Attributes:
        name: What to call it in reports.
        slots: Requests that one replica serves at the same time (its concurrency); >= 1.
        service_time: Time in service of one request, without queueing.
        cold_start: From `starting` to `ready`: image, weights, warm-up. Its P90 is the forecast horizon. With
            simulated nodes the image comes on top, on nodes that do not have it.
        provisioning: Wait for a node before `starting`; not paid for. With simulated nodes replicas wait for those,
            and this is only what policies that plan ahead expect.
        balancer: How a request finds its replica.
        replica_queue_limit: Requests that may wait at one replica; None for no limit. With the central
            queue none wait at a replica.
        gateway_queue_limit: Requests that may wait at the gateway while no replica has room; None for no
            limit, 0 to drop them at once.
        queue_timeout_s: A request that has not begun service this long after it arrived leaves unserved;
            None for no limit.
        drain_timeout_s: A draining replica is stopped after this long and what it still had is cut; None
            lets it finish.
        mean_time_to_failure_s: Mean time from `ready` to the loss of a replica, exponentially
            distributed; None for replicas that do not fail.
        resources: Utilization of `cpu`, `memory`, `accelerator` by busy slots, for those the service uses.
        price_per_replica_hour: In any currency, for each hour from `starting` to gone.
        resource_request: What a replica asks of its node; needed where nodes are simulated, None for not stated.
    """

    name: str = "service"
    slots: int = 4
    service_time: Distribution = Lognormal(mean_s=0.4, cv=0.5)
    cold_start: Distribution = Lognormal(mean_s=30.0, cv=0.25)
    provisioning: Distribution = Constant(0.0)
    balancer: Balancer = Balancer.LEAST_OUTSTANDING
    replica_queue_limit: int | None = None
    gateway_queue_limit: int | None = None
    queue_timeout_s: float | None = None
    drain_timeout_s: float | None = None
    mean_time_to_failure_s: float | None = None
    resources: Mapping[str, ResourceUse] = field(default_factory=_default_resources)
    price_per_replica_hour: float = 1.0
    resource_request: ResourceRequest | None = None

    def __post_init__(self) -> None:
        require_at_least(1, slots=self.slots)
        require_positive(mean_service_time_s=self.service_time.mean_s)
        require_nonnegative(price_per_replica_hour=self.price_per_replica_hour)
        if self.replica_queue_limit is not None:
            require_count(replica_queue_limit=self.replica_queue_limit)
        if self.gateway_queue_limit is not None:
            require_count(gateway_queue_limit=self.gateway_queue_limit)
        if self.queue_timeout_s is not None:
            require_nonnegative(queue_timeout_s=self.queue_timeout_s)
        if self.drain_timeout_s is not None:
            require_nonnegative(drain_timeout_s=self.drain_timeout_s)
        if self.mean_time_to_failure_s is not None:
            require_positive(mean_time_to_failure_s=self.mean_time_to_failure_s)
        for resource in self.resources:
            if resource not in RESOURCES:
                raise ParameterError(f"resources: nobody measures {resource!r}; {did_you_mean(resource, RESOURCES)}")

    @property
    def service_rate_rps(self) -> float:
        """Requests per second that one replica completes with all slots busy: slots / mean service time.

        >>> ServiceProfile(slots=4, service_time=Constant(0.5)).service_rate_rps
        8.0
        """
        return self.slots / self.service_time.mean_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """Everything that is settled before a policy makes its first decision.

    Attributes:
        profile: What a replica is.
        slo: What is promised to users.
        control_interval_s: Seconds between two decisions.
        min_replicas: The fleet never goes below; >= 0.
        max_replicas: The fleet never goes above; >= 1.
        peak_rate_rps: The highest rate of the recording, for the baseline that is provisioned for the
            peak. It is hindsight: no other policy may look at it.
        start: Wall-clock time at which the run begins, for policies that follow a calendar.
    """

    profile: ServiceProfile
    slo: Slo
    control_interval_s: float = 15.0
    min_replicas: int = 1
    max_replicas: int = 1000
    peak_rate_rps: float | None = None
    start: datetime | None = None

    def __post_init__(self) -> None:
        require_positive(control_interval_s=self.control_interval_s)
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
