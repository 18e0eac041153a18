"""One replica: a process, its state, and the question whether it is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from hindscale.live.local.process import GuardedProcess
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.ports import LOOPBACK

__all__ = ["Probe", "Replica", "ReplicaState"]

STARTING_FACTOR = 0.25


class ReplicaState(StrEnum):
    """Where a replica is in its life; it only ever goes back from ready to starting, when it falls ill."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    LEAVING = "leaving"  # drained, and unknown to the gateway; its process is being ended


@dataclass(eq=False, slots=True, kw_only=True)
class Replica:
    """What the fleet knows of one replica.

    Attributes:
        number: Counts up from 1 over the life of the fleet.
        port: Where it listens, on loopback.
        process: Its process.
        began_s: When it was started, on the monotonic clock.
        state: Where it is in its life.
        ready_s: When it was first ready; None before.
        sent_away: Set once it is wanted no more.
    """

    number: int
    port: int
    process: GuardedProcess
    began_s: float
    state: ReplicaState = ReplicaState.STARTING
    ready_s: float | None = None
    sent_away: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_wanted(self) -> bool:
        """Whether it counts towards the size that was asked for."""
        return self.state in (ReplicaState.STARTING, ReplicaState.READY) and not self.sent_away.is_set()


class Probe:
    """Asks replicas whether they are ready."""

    def __init__(self, spec: LocalServiceSpec) -> None:
        self._spec = spec
        # Fresh connections: a server that closes idle ones must not look ill, and one that accepts none must.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=spec.probe_timeout_s, limits=limits, trust_env=False)

    async def is_ready(self, replica: Replica) -> bool:
        """One question: a good answer in time is a yes."""
        try:
            answer = await self._client.get(f"http://{LOOPBACK}:{replica.port}{self._spec.readiness_path}")
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def until_ready(self, replica: Replica) -> None:
        """Ask until it is ready."""
        while not await self.is_ready(replica):
            await asyncio.sleep(self._spec.probe_interval_s * STARTING_FACTOR)

    async def until_ill(self, replica: Replica) -> None:
        """Ask until there was no good answer so many times in a row."""
        failures = 0
        while failures < self._spec.unready_after:
            await asyncio.sleep(self._spec.probe_interval_s)
            failures = 0 if await self.is_ready(replica) else failures + 1

    async def close(self) -> None:
        await self._client.aclose()
