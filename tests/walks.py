"""A policy over minutes of a fleet that does what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hindscale.core import Policy
from hindscale.testing import observation

__all__ = ["walk"]


def walk(policy: Policy[Any], ticks: Sequence[tuple[float, float]], ready: int) -> list[int]:
    """Targets minute by minute, from utilization and the share of the wanted replicas that are ready."""
    state, wanted = policy.initial_state(), ready
    targets: list[int] = []
    for minute, (utilization, share_ready) in enumerate(ticks, start=1):
        now_ready = min(wanted, max(1, round(wanted * share_ready)))
        seen = observation(
            60.0 * minute, ready=now_ready, starting_replicas=wanted - now_ready, cpu_utilization=utilization
        )
        decision, state = policy.decide(seen, state)
        wanted = decision.desired_replicas
        targets.append(wanted)
    return targets
