"""The life of a replica, told in order: become ready, serve, drain, end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hindscale.live.local.activator import Activator
from hindscale.live.local.gateway import EndpointLoad, Gateway
from hindscale.live.local.process import last_words
from hindscale.live.local.replica import Probe, Replica, ReplicaState
from hindscale.live.local.spec import LocalServiceSpec

__all__ = ["Life", "ReplicaFailed"]

LOGGER = logging.getLogger(__name__)
REMEMBERED_STARTS = 1000
DRAIN_POLL_S = 0.1
IDLE_POLLS = 3
"""A request that Envoy had just given away may not be in the first count of zero."""
LET_GO_S = 1.0


class ReplicaFailed(Exception):
    """A replica ended, or did not become ready; the text says how."""


class Life:
    """What all replicas of a service go through.

    Args:
        changed: Called at every change of a replica's state: whoever sends it requests must know.

    Attributes:
        cold_starts_s: Measured so far, newest last.
    """

    def __init__(
        self, spec: LocalServiceSpec, gateway: Gateway, activator: Activator, changed: Callable[[], None]
    ) -> None:
        self._spec = spec
        self._gateway = gateway
        self._activator = activator
        self._changed = changed
        self._probe = Probe(spec)
        self.cold_starts_s: deque[float] = deque(maxlen=REMEMBERED_STARTS)

    async def live(self, replica: Replica) -> None:
        """From the start of its process until it has nothing left to do.

        Raises:
            ReplicaFailed: If its process ends, or it does not become ready in time.
        """
        while not replica.sent_away.is_set():
            await self._become_ready(replica)
            await self._serve(replica)
        if replica.state is ReplicaState.READY:
            await self._drain(replica)

    async def end(self, replica: Replica) -> None:
        """See that nobody sends it anything any more, and end its process."""
        self._enter(replica, ReplicaState.LEAVING)
        await self._gateway.until_without(replica.port, within_s=LET_GO_S)
        await replica.process.end(self._spec.stop_grace_s)

    async def close(self) -> None:
        """Ask no more questions."""
        await self._probe.close()

    def requests_of(self, replica: Replica, loads: Mapping[int, EndpointLoad]) -> int:
        """Requests that it has, given what Envoy says of its endpoints."""
        by_gateway = loads[replica.port].active_requests if replica.port in loads else 0
        return by_gateway + self._activator.active(replica.port)

    def _enter(self, replica: Replica, state: ReplicaState) -> None:
        replica.state = state
        self._changed()

    async def _become_ready(self, replica: Replica) -> None:
        if not await self._unless_sent_away(replica, self._probe.until_ready(replica), self._spec.start_timeout_s):
            return
        if replica.ready_s is None:
            replica.ready_s = time.monotonic()
            self.cold_starts_s.append(replica.ready_s - replica.began_s)
        self._enter(replica, ReplicaState.READY)

    async def _serve(self, replica: Replica) -> None:
        """Until it is sent away, or falls ill: then it starts over, and gets no requests meanwhile."""
        if replica.sent_away.is_set() or not await self._unless_sent_away(replica, self._probe.until_ill(replica)):
            return
        LOGGER.warning("replica %d no longer answers %s", replica.number, self._spec.readiness_path)
        self._enter(replica, ReplicaState.STARTING)

    async def _unless_sent_away(
        self, replica: Replica, event: Coroutine[Any, Any, None], within_s: float | None = None
    ) -> bool:
        """Wait for something to happen to a replica; False if it is sent away before.

        Raises:
            ReplicaFailed: If its process ends, or nothing happens in time.
        """
        happens, sent_away, ended = watched = (
            asyncio.create_task(event),
            asyncio.create_task(replica.sent_away.wait()),
            asyncio.create_task(replica.process.wait()),
        )
        try:
            done, _ = await asyncio.wait(watched, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watched:
                task.cancel()
            await asyncio.gather(*watched, return_exceptions=True)
        if ended in done and sent_away not in done:
            raise ReplicaFailed(f"ended with code {replica.process.exit_code}: {last_words(replica.process.log)}")
        if not done:
            raise ReplicaFailed(f"was not ready within {within_s:g} s and is given up")
        return happens in done

    async def _drain(self, replica: Replica) -> None:
        """Let it finish: it gets nothing new, and goes when it has nothing left, or its time is over."""
        self._enter(replica, ReplicaState.DRAINING)
        try:
            async with asyncio.timeout(self._spec.drain_timeout_s):
                await self._until_idle(replica)
        except TimeoutError:
            LOGGER.warning("replica %d still had requests after %g s", replica.number, self._spec.drain_timeout_s)

    async def _until_idle(self, replica: Replica) -> None:
        idle_polls = 0
        while idle_polls < IDLE_POLLS and replica.process.exit_code is None:
            await asyncio.sleep(DRAIN_POLL_S)
            self._changed()  # again, in case the gateway could not be told
            loads = await self._gateway.loads()
            idle_polls = idle_polls + 1 if self._is_idle(replica, loads) else 0

    def _is_idle(self, replica: Replica, loads: Mapping[int, EndpointLoad] | None) -> bool:
        """Whether nothing is left and nothing can come. A gateway that does not answer is no proof of that."""
        if loads is None or self.requests_of(replica, loads):
            return False
        return replica.port not in loads or loads[replica.port].is_draining
