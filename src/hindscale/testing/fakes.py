"""Small real classes that stand in for a fleet and a clock: tests move time instead of sleeping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hindscale.core.errors import MetricsUnavailable
from hindscale.core.values import Observation

__all__ = ["FakeFleet", "ManualClock", "observation"]


def observation(time_s: float = 15.0, ready: int = 1, **given: Any) -> Observation:
    """An observation in which everything is known; what is not given is quiet.

    >>> observation(ready=3, arrival_rate_rps=12.0).requested_replicas
    3
    """
    readings: dict[str, Any] = {
        "arrival_rate_rps": 0.0,
        "completion_rate_rps": 0.0,
        "ongoing_requests": 0.0,
        "queued_requests": 0.0,
        "slo_attainment": 1.0,
        "cpu_utilization": 0.0,
        "memory_utilization": 0.0,
        "accelerator_utilization": 0.0,
    }
    return Observation(
        **{"time_s": time_s, "measured_at_s": time_s, "ready_replicas": ready, **readings, **given},
    )


@dataclass
class ManualClock:
    """Ticks at the times it is given."""

    times: tuple[float, ...]

    def ticks(self) -> Iterator[float]:
        return iter(self.times)


@dataclass
class FakeFleet:
    """A fleet that does at once what it is told, under a load that a function of time gives.

    Attributes:
        load: From the time in seconds and the number of ready replicas to the readings of an observation;
            None where nothing can be measured.
        replicas: Its size.
        history: Every size that was asked for.
    """

    load: Callable[[float, int], dict[str, Any] | None]
    replicas: int = 1
    history: list[int] = field(default_factory=list)

    def observe(self, now_s: float) -> Observation:
        readings = self.load(now_s, self.replicas)
        if readings is None:
            raise MetricsUnavailable(f"nothing was measured at {now_s:g} s")
        return observation(now_s, self.replicas, **readings)

    def scale_to(self, replicas: int) -> None:
        self.history.append(replicas)
        self.replicas = replicas
