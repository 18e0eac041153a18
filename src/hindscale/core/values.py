"""The values that pass around the control loop: what is seen, what is wanted, what is asked for.

```
MetricsSource ─Observation─▶ Policy ─Decision─▶ guardrails ─Target─▶ Actuator
```
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from hindscale.core.checks import require_count
from hindscale.core.errors import ParameterError

__all__ = ["UPPER_BOUND", "DataState", "Decision", "Observation", "Target"]

UPPER_BOUND = 2**31 - 1
"""As a desired count: as many as the bounds allow. Larger than any fleet, so that bounds always bite."""


class DataState(StrEnum):
    """What is known of one measurement. The five are never conflated: only two of them are numbers."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    NOT_A_NUMBER = "not a number"
    TRUE_ZERO = "a true zero"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is known at one tick, the same from a simulator, a trace or a cluster.

    Replica counts are those at `time_s`: whoever runs the fleet knows them. Measurements come through a
    metrics pipeline and describe the interval that ends at `measured_at_s`, which may lie in the past.
    A measurement that did not arrive is NaN and named in `missing`.

    Attributes:
        time_s: Seconds since the run began.
        ready_replicas: Able to serve now.
        starting_replicas: Already paid for, still in cold start.
        provisioning_replicas: Asked for, waiting for a node.
        draining_replicas: Finishing what they have, taking nothing new.
        measured_at_s: End of the interval that the measurements cover.
        arrival_rate_rps: Requests per second that arrived.
        completion_rate_rps: Requests per second that were answered.
        ongoing_requests: In service, mean over the interval, summed over replicas.
        queued_requests: Waiting for a free slot, at `measured_at_s`.
        slo_attainment: Share of the requests that left in the interval and met the SLO; NaN, without
            being missing, when none left.
        cpu_utilization: Mean over replicas that serve, as a fraction of what they requested.
        memory_utilization: The same for memory.
        accelerator_utilization: The same for accelerators.
        missing: Names of the measurements that did not arrive.
        stale: Names of those that are older than the rest, and older than their source allows.
    """

    time_s: float
    ready_replicas: int
    starting_replicas: int = 0
    provisioning_replicas: int = 0
    draining_replicas: int = 0
    measured_at_s: float
    arrival_rate_rps: float
    completion_rate_rps: float = math.nan
    ongoing_requests: float = math.nan
    queued_requests: float = math.nan
    slo_attainment: float = math.nan
    cpu_utilization: float = math.nan
    memory_utilization: float = math.nan
    accelerator_utilization: float = math.nan
    missing: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()

    @property
    def requested_replicas(self) -> int:
        """The size the fleet was last asked for: ready, starting and provisioning; draining ones are going."""
        return self.ready_replicas + self.starting_replicas + self.provisioning_replicas

    def state_of(self, reading: str, *, max_age_s: float = math.inf) -> DataState:
        """Which of the five states one measurement is in.

        Args:
            reading: Name of a measurement, such as "arrival_rate_rps".
            max_age_s: A measurement older than this at `time_s` is stale.

        >>> seen = Observation(time_s=60, ready_replicas=2, measured_at_s=15, arrival_rate_rps=0.0)
        >>> seen.state_of("arrival_rate_rps").value, seen.state_of("arrival_rate_rps", max_age_s=30).value
        ('a true zero', 'stale')
        >>> seen.state_of("cpu_utilization").value
        'not a number'
        """
        if reading in self.missing:
            return DataState.MISSING
        value: float = getattr(self, reading)
        if not math.isfinite(value):
            return DataState.NOT_A_NUMBER
        if reading in self.stale or self.time_s - self.measured_at_s > max_age_s:
            return DataState.STALE
        return DataState.FRESH if value else DataState.TRUE_ZERO

    def unusable(self, readings: Collection[str], *, max_age_s: float = math.inf) -> str:
        """Why these measurements cannot be acted on, as a text; empty if all of them can."""
        if not readings:
            return ""
        # The common case, on the hot path of every backtest: one pass over plain numbers.
        if (
            self.time_s - self.measured_at_s <= max_age_s
            and self.missing.isdisjoint(readings)
            and (not self.stale or self.stale.isdisjoint(readings))
            and all(math.isfinite(getattr(self, reading)) for reading in readings)
        ):
            return ""
        states = {reading: self.state_of(reading, max_age_s=max_age_s) for reading in sorted(readings)}
        usable = (DataState.FRESH, DataState.TRUE_ZERO)
        return ", ".join(f"{reading} is {state}" for reading, state in states.items() if state not in usable)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, where NaN has no place and becomes None.

        >>> seen = Observation(time_s=15, ready_replicas=1, measured_at_s=15, arrival_rate_rps=2.5)
        >>> Observation.from_dict(seen.to_dict()).arrival_rate_rps
        2.5
        """
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain |= {name: None for name, value in plain.items() if isinstance(value, float) and math.isnan(value)}
        return plain | {"missing": sorted(self.missing), "stale": sorted(self.stale)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Observation:
        """The observation that `to_dict` wrote down."""
        values = {name: math.nan if value is None else value for name, value in plain.items()}
        return cls(**values | {name: frozenset(plain[name]) for name in ("missing", "stale")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a policy wants, and why, in words an operator understands."""

    desired_replicas: int
    reason: str

    def __post_init__(self) -> None:
        require_count(desired_replicas=self.desired_replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the fleet is asked for: the decision after the guardrails.

    Attributes:
        replicas: The size asked for.
        decision: What the policy wanted.
        limited_by: Names of the guardrails that changed the number, in order.
        held: The policy was not asked, because measurements were missing, stale or not numbers.
    """

    replicas: int
    decision: Decision
    limited_by: tuple[str, ...] = ()
    held: bool = False

    def __post_init__(self) -> None:
        require_count(replicas=self.replicas)
        if self.replicas >= UPPER_BOUND:
            raise ParameterError("a target must be bounded, but nothing limited the decision; add a Bounds guardrail")
