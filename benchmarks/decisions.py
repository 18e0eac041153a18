"""One decision of each policy by itself, for a fleet of 100 replicas whose load goes up and down.

What a live controller waits for, and what an emulation adds to a backtest: a week of decisions every 15 s is
40,320 of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from _measuring import Figure, best_cpu_s
from hindscale.core.control import Policy
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.core.values import Observation
from hindscale.policies import POLICIES, build_policy

__all__ = ["TITLE", "measure"]

TITLE = "One decision for 100 replicas, by policy"
REPLICAS = 100
NEEDS = {"schedule": {"entries": "08:00=10;20:00=2"}, "predictive": {"window_s": "15s"}}


def measure(*, quick: bool) -> Iterator[Figure]:
    profile = ServiceProfile()
    spec = ServiceSpec(profile=profile, slo=Slo(latency_s=2.0), max_replicas=1000, peak_rate_rps=900.0)
    count = 500 if quick else 5000
    for name, cls in POLICIES.classes.items():
        policy = build_policy(name, spec, NEEDS.get(name))
        seen = [_observation(tick * getattr(policy, "interval_s", 15.0)) for tick in range(1, count + 1)]
        seconds = best_cpu_s(partial(_decide_all, policy, seen), rounds=2 if quick else 5)
        is_emulation = hasattr(cls, "emulates")
        yield Figure(name=name, value=seconds / count * 1e6, unit="µs", at_most=100 if is_emulation else None)


def _decide_all(policy: Policy[object], observations: list[Observation]) -> None:
    state = policy.initial_state()
    for observation in observations:
        _, state = policy.decide(observation, state)


def _observation(time_s: float) -> Observation:
    """A fleet of 100, some of them starting, at a load between 55 and 95 %."""
    busy = 0.75 + 0.2 * math.sin(time_s / 600.0)
    return Observation(
        time_s=time_s,
        measured_at_s=time_s,
        ready_replicas=REPLICAS - 5,
        starting_replicas=5,
        arrival_rate_rps=10.0 * REPLICAS * busy,
        completion_rate_rps=10.0 * REPLICAS * busy,
        ongoing_requests=4.0 * REPLICAS * busy,
        queued_requests=3.0,
        slo_attainment=0.99,
        cpu_utilization=0.05 + 0.95 * busy,
        memory_utilization=0.8,
        accelerator_utilization=busy,
    )
