"""What a network does in steady state, over load and fleet size: the picture that shows whether it makes sense.

More load should never ask for fewer replicas. Nothing in a network promises that, so it is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.core.service import ServiceSpec
from hindscale.core.values import Observation
from hindscale.policies._dqn_actions import LADDER, Shield
from hindscale.policies._dqn_network import Network
from hindscale.policies._dqn_state import Memory, ServiceFigures, Traffic, features

__all__ = ["ActionMap", "action_map"]

LOADS, FLEETS = 48, 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionMap:
    """Sizes that are asked for, by load and fleet.

    Attributes:
        loads: Steady loads in replicas that they keep busy, shape (L,), rising.
        fleets: Ready replicas, shape (F,), rising.
        wanted: The size after the network's step, shape (F, L); -1 where the state is outside of training.
        allowed: The size after the shield, likewise.
    """

    loads: NDArray[np.float64]
    fleets: NDArray[np.int64]
    wanted: NDArray[np.int64]
    allowed: NDArray[np.int64]

    @property
    def violations(self) -> float:
        """Share of neighbouring loads, both within training, at which the network asks for fewer at the higher."""
        return _falling_share(self.wanted)

    @property
    def violations_behind_shield(self) -> float:
        """The same for what is asked for after the shield."""
        return _falling_share(self.allowed)


def _falling_share(sizes: NDArray[np.int64]) -> float:
    is_known = (sizes[:, 1:] >= 0) & (sizes[:, :-1] >= 0)
    falls = (np.diff(sizes, axis=1) < 0) & is_known
    return float(falls.sum()) / max(int(is_known.sum()), 1)


def action_map(network: Network, spec: ServiceSpec, *, largest_load: float, caution: float | None = None) -> ActionMap:
    """What a network does when load and fleet have been as they are for a while.

    Args:
        network: A trained network.
        spec: The service.
        largest_load: The map's right edge, in replicas that are kept busy; its top is twice that.
        caution: Weight of a missed request; by default the network's.
    """
    loads = np.linspace(largest_load / LOADS, largest_load, LOADS)
    most = max(min(math.ceil(2 * largest_load), spec.max_replicas), 2)
    fleets = np.unique(np.linspace(max(spec.min_replicas, 1), most, FLEETS).round().astype(np.int64))
    shield = Shield(min_replicas=spec.min_replicas, max_replicas=spec.max_replicas)
    price = network.caution if caution is None else caution
    wanted = np.array([[_size(network, spec, load, int(fleet), price) for load in loads] for fleet in fleets])
    allowed = [
        [shield.allowed(int(size), load) if size >= 0 else -1 for size, load in zip(row, loads, strict=True)]
        for row in wanted
    ]
    return ActionMap(loads=loads, fleets=fleets, wanted=wanted, allowed=np.array(allowed))


def _size(network: Network, spec: ServiceSpec, load: float, fleet: int, caution: float) -> int:
    """The size that is wanted at a steady load, or -1 where training has not been."""
    figures = ServiceFigures.of(spec)
    rate_rps = load * figures.service_rate_rps
    # Noon, where the day is known; chance makes a Poisson process' rate vary like this even when nothing happens.
    now_s = 43_200.0 - (figures.start_of_day_s or 0.0)
    traffic = Traffic(minute_rps=rate_rps, long_rps=rate_rps, peak_rps=rate_rps, variance=rate_rps / figures.interval_s)
    seen = Observation(
        time_s=now_s,
        measured_at_s=now_s,
        ready_replicas=fleet,
        arrival_rate_rps=rate_rps,
        queued_requests=max(load - fleet, 0.0) * figures.service_rate_rps * figures.interval_s,
        slo_attainment=1.0 if load < fleet else 0.0,
    )
    state = np.array(features(seen, Memory(traffic=traffic, requested=fleet), figures, caution), np.float32)
    if network.unseen(state):
        return -1
    return LADDER[int(np.argmax(network.q_values(state)))].from_size(fleet)
