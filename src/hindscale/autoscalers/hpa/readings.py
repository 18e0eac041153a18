"""One reading a pod, from what its containers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hindscale.autoscalers.hpa.pods import Reading
from hindscale.core.errors import MetricsUnavailable

__all__ = ["ContainerUse", "PodUse", "container_readings", "resource_readings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUse:
    """What a container uses: milli value by resource."""

    name: str = "main"
    usage_milli: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUse:
    """What the containers of a pod use.

    Attributes:
        pod: The pod's name.
        containers: As the metrics API lists them; may be none.
        time_s: When it was measured.
        window_s: The interval that it covers, ending at `time_s`.
    """

    pod: str
    containers: tuple[ContainerUse, ...] = ()
    time_s: float = 0.0
    window_s: float = 30.0


def resource_readings(uses: Sequence[PodUse], resource: str) -> dict[str, Reading]:
    """The readings for a Resource metric: the sum over a pod's containers.

    A pod with no containers listed, or with one that lacks the resource, has no reading.

    Raises:
        MetricsUnavailable: If the metrics API lists no pod.

    Source: kubernetes `metrics/client.go`, getPodMetrics.

    >>> two = (ContainerUse(usage_milli={"cpu": 100}), ContainerUse(name="proxy", usage_milli={"cpu": 20}))
    >>> resource_readings([PodUse(pod="a", containers=two), PodUse(pod="b")], "cpu")["a"].value_milli
    120
    """
    _require_some(uses, resource)
    found = {}
    for use in uses:
        values = [container.usage_milli.get(resource) for container in use.containers]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            found[use.pod] = Reading(value_milli=sum(known), time_s=use.time_s, window_s=use.window_s)
    return found


def container_readings(
    uses: Sequence[PodUse], resource: str, container: str, *, missing_container_fails: bool = True
) -> dict[str, Reading]:
    """The readings for a ContainerResource metric: what the container of that name uses.

    Args:
        uses: What the metrics API lists.
        resource: The resource's name.
        container: The container's name.
        missing_container_fails: See `Release`.

    Raises:
        MetricsUnavailable: If the metrics API lists no pod, or a pod without that container where this fails.

    Source: kubernetes `metrics/client.go`, getContainerMetrics.
    """
    _require_some(uses, resource)
    found = {}
    for use in uses:
        named = next((each for each in use.containers if each.name == container), None)
        if named is None and missing_container_fails:
            raise MetricsUnavailable(f"container {container} not present in metrics for pod {use.pod}")
        if named is not None and resource in named.usage_milli:
            value_milli = named.usage_milli[resource]
            found[use.pod] = Reading(value_milli=value_milli, time_s=use.time_s, window_s=use.window_s)
    return found


def _require_some(uses: Sequence[PodUse], resource: str) -> None:
    if not uses:
        raise MetricsUnavailable(f"no metrics returned from resource metrics API for {resource}")
