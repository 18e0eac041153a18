"""One decision of each policy by itself, for a fleet of 100 replicas whose load goes up and down.

What a live controller waits for, and what an emulation adds to a backtest: a week of decisions every 15 s is
40,320 of them.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

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
    with tempfile.TemporaryDirectory() as folder:
        needs = NEEDS | {"dqn": {"path": _network(Path(folder) / "dqn.safetensors")}}
        for name, cls in POLICIES.classes.items():
            policy = build_policy(name, spec, needs.get(name))
            seen = [_observation(tick * getattr(policy, "interval_s", 15.0)) for tick in range(1, count + 1)]
            seconds = best_cpu_s(partial(_decide_all, policy, seen), rounds=2 if quick else 5)
            most = 50 if name == "dqn" else 100 if hasattr(cls, "emulates") else None
            yield Figure(name=name, value=seconds / count * 1e6, unit="µs", at_most=most)


def _network(path: Path) -> str:
    """A network of the trained size; its numbers do not matter to the clock."""
    import numpy as np

    from hindscale.policies._dqn_actions import LADDER
    from hindscale.policies._dqn_network import Network
    from hindscale.policies._dqn_state import FEATURES
    from hindscale.training.files import write_network

    rng, sizes = np.random.default_rng(0), (len(FEATURES), 64, 64, len(LADDER))
    layers = tuple(
        (rng.normal(size=(size, wide)).astype(np.float32), np.zeros(wide, np.float32)) for size, wide in pairwise(sizes)
    )
    zero, large = np.zeros(sizes[0], np.float32), np.full(sizes[0], 1e6, np.float32)
    write_network(
        path,
        Network(
            layers=layers,
            mean=zero,
            deviation=zero + 1,
            low=-large,
            high=large,
            interval_s=15.0,
            caution=20.0,
            training={},
        ),
    )
    return str(path)


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
