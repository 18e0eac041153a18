"""Small real classes for tests of the controller: a source that says what it is let, a fleet that obeys at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hindscale.core import Constant, ServiceProfile, Slo
from hindscale.live.fleet import ReplicaCounts
from hindscale.live.plan import Plan
from hindscale.live.sources.measured import READINGS, Measured, Totals

PROFILE = ServiceProfile(name="chat", slots=4, service_time=Constant(0.5), cold_start=Constant(2.0))


def a_plan(**given: Any) -> Plan:
    """A plan with a second between decisions."""
    values: dict[str, Any] = {
        "name": "chat",
        "profile": PROFILE,
        "slo": Slo.parse("p99 < 2s"),
        "policy": "target-tracking:target_per_replica=4",
        "shadows": ("fixed:replicas=3",),
        "guardrails": (),
        "control_interval_s": 1.0,
        "max_replicas": 20,
        "max_age_s": 5.0,
    }
    return Plan(**values | given)


@dataclass
class FakeSource:
    """Says what a function of time gives; None is an outage."""

    load: Callable[[float], dict[str, float] | None]
    last: Measured = field(default_factory=lambda: Measured(at_s=0.0, readings={}, missing=frozenset(READINGS)))
    met_share: float = 1.0
    is_closed: bool = False

    def measure(self, now_s: float) -> Measured:
        readings = self.load(now_s)
        if readings is None:
            self.last = replace(self.last, trouble="nobody answers")
            return self.last
        seconds = now_s - self.last.at_s
        rate_rps = readings.get("arrival_rate_rps", 0.0)
        arrived = rate_rps * seconds if math.isfinite(rate_rps) else 0.0
        totals = self.last.totals
        self.last = Measured(
            at_s=now_s,
            readings=dict.fromkeys(READINGS, 0.0) | readings,
            totals=Totals(
                arrived=totals.arrived + arrived,
                left=totals.left + arrived,
                met=totals.met + arrived * self.met_share,
            ),
            latency_s={0.5: 0.4, 0.95: 0.8, 0.99: 1.0},
        )
        return self.last

    def close(self) -> None:
        self.is_closed = True


@dataclass
class ObedientFleet:
    """Replicas that are there as soon as they are asked for, unless they are lost."""

    ready: int = 0
    asked: list[int] = field(default_factory=list)
    paid_s: float = 0.0

    def scale_to(self, replicas: int) -> None:
        self.asked.append(replicas)
        self.ready = replicas

    def counts(self) -> ReplicaCounts:
        return ReplicaCounts(ready=self.ready, starting=0)

    def replica_seconds(self) -> float:
        self.paid_s += self.ready
        return self.paid_s

    def cold_starts_s(self) -> Sequence[float]:
        return [2.0]

    def waiting_requests(self) -> int:
        return 0

    def close(self) -> None:
        self.ready = 0


class SteppedTime:
    """Time that passes only while somebody waits; the run ends after so many ticks."""

    def __init__(self, ticks: int) -> None:
        self.now_s = 100.0
        self.left = ticks
        self.between: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        if not self.left:
            return True
        self.left -= 1
        self.now_s += seconds
        for each in self.between:
            each()
        return False


def steady(rate_rps: float) -> Callable[[float], dict[str, float]]:
    """A load that keeps the same number of requests inside."""
    return lambda _: {"arrival_rate_rps": rate_rps, "ongoing_requests": rate_rps * 0.5}
