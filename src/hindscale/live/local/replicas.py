"""The replicas of one service: as many as were asked for, each from its start to its end.

Every replica has a task that tells its life in order: become ready, serve, drain, end. `LocalReplicas`
starts them and sends them away, so that the number of those that are wanted follows the size asked for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.core.errors import HindscaleError, OutputError
from hindscale.live.fleet import ReplicaCounts
from hindscale.live.local.activator import Activator
from hindscale.live.local.backoff import Backoff
from hindscale.live.local.envoy import Endpoint
from hindscale.live.local.gateway import EndpointLoad, Gateway
from hindscale.live.local.ports import free_port
from hindscale.live.local.process import GuardedProcess, last_words
from hindscale.live.local.replica import Probe, Replica, ReplicaState
from hindscale.live.local.spec import LocalServiceSpec

__all__ = ["Books", "LocalReplicas"]

LOGGER = logging.getLogger(__name__)
REMEMBERED_STARTS = 1000
KEPT_LOGS = 100
CLOSE_TIMEOUT_S = 30.0
DRAIN_POLL_S = 0.1
IDLE_POLLS = 3
"""A request that Envoy had just given away may not be in the first count of zero."""
LET_GO_S = 1.0


class ReplicaFailed(Exception):
    """A replica ended, or did not become ready; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the fleet looks like at one moment: a value that other threads can read.

    Attributes:
        counts: Replicas by state.
        paid_s: Replica time of replicas that are gone.
        began_s: When the others began, on the monotonic clock.
        cold_starts_s: Measured so far, newest last.
    """

    counts: ReplicaCounts
    paid_s: float
    began_s: tuple[float, ...]
    cold_starts_s: tuple[float, ...]

    def replica_seconds(self, now_s: float) -> float:
        """Replica time paid for until `now_s`."""
        return self.paid_s + sum(now_s - began_s for began_s in self.began_s)


class LocalReplicas:
    """All replicas of one service.

    Attributes:
        books: What others may know; a new value takes its place at each change.
    """

    def __init__(self, spec: LocalServiceSpec, folder: Path, gateway: Gateway, activator: Activator) -> None:
        self._spec = spec
        self._folder = folder
        self._gateway = gateway
        self._activator = activator
        self._probe = Probe(spec)
        self._desired = 0
        self._launched = 0
        self._launching = 0
        self._replicas: dict[int, Replica] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shrinking: asyncio.Task[None] | None = None
        self._backoff = Backoff(longest_s=spec.longest_backoff_s)
        self._retry: asyncio.TimerHandle | None = None
        self._paid_s = 0.0
        self._cold_starts_s: deque[float] = deque(maxlen=REMEMBERED_STARTS)
        self.books = self._balanced()

    def scale_to(self, replicas: int) -> None:
        """Ask for a size; the fleet follows."""
        self._desired = replicas
        self._follow()

    async def close(self) -> None:
        """Let every replica finish what it has, for a while, and end it."""
        self.scale_to(0)
        patience_s = CLOSE_TIMEOUT_S if self._spec.drain_timeout_s is None else self._spec.drain_timeout_s
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._retry is not None:
            self._retry.cancel()
        await self._probe.close()

    # As many as were asked for

    def _follow(self) -> None:
        """Start what is missing, send away what is too much."""
        surplus = len(self._wanted()) + self._launching - self._desired
        if surplus < 0:
            self._start_now_or_later(-surplus)
        elif surplus > 0 and self._shrinking is None:
            self._shrinking = self._spawn(self._shrink())
        self._changed()

    def _wanted(self) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.is_wanted]

    def _start_now_or_later(self, missing: int) -> None:
        pause_s = self._backoff.until_s - time.monotonic()
        if pause_s <= 0:
            self._launching += missing
            for _ in range(missing):
                self._spawn(self._live())
        elif self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(pause_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._follow()

    async def _shrink(self) -> None:
        """Send away those that are missed least: who does not serve yet, then who has least to do, then the newest."""
        try:
            loads = await self._gateway.loads() or {}
        finally:
            self._shrinking = None
        wanted = self._wanted()

        def missed(replica: Replica) -> tuple[bool, int, int]:
            return replica.state is ReplicaState.READY, self._requests_of(replica, loads), -replica.number

        for replica in sorted(wanted, key=missed)[: max(len(wanted) - self._desired, 0)]:
            replica.sent_away.set()
        self._changed()

    def _requests_of(self, replica: Replica, loads: Mapping[int, EndpointLoad]) -> int:
        by_gateway = loads[replica.port].active_requests if replica.port in loads else 0
        return by_gateway + self._activator.active(replica.port)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # The life of one

    async def _live(self) -> None:
        """One replica, from its start to its end."""
        replica, began_s = None, time.monotonic()
        try:
            replica = await self._launch()
            while not replica.sent_away.is_set():
                await self._become_ready(replica)
                await self._serve(replica)
            await self._drain(replica)
        except (ReplicaFailed, HindscaleError) as failure:
            self._note_failure(replica, str(failure), began_s)
        finally:
            if replica is not None:
                await self._end(replica)
            self._follow()

    async def _launch(self) -> Replica:
        try:
            self._launched += 1
            number = self._launched
            port = free_port(self._spec.ports, taken=[replica.port for replica in self._replicas.values()])
            log = self._folder / f"replica-{number:05}.log"
            began_s = time.monotonic()
            process = await GuardedProcess.start(
                self._spec.command_on(port), log=log, environment=self._spec.environment_on(port)
            )
        finally:
            self._launching -= 1
        replica = Replica(number=number, port=port, process=process, began_s=began_s)
        self._replicas[number] = replica
        self._prune_logs()
        self._follow()
        return replica

    async def _become_ready(self, replica: Replica) -> None:
        if not await self._unless_sent_away(replica, self._probe.until_ready(replica), self._spec.start_timeout_s):
            return
        if replica.ready_s is None:
            replica.ready_s = time.monotonic()
            self._cold_starts_s.append(replica.ready_s - replica.began_s)
        replica.state = ReplicaState.READY
        self._changed()

    async def _serve(self, replica: Replica) -> None:
        if replica.sent_away.is_set() or not await self._unless_sent_away(replica, self._probe.until_ill(replica)):
            return
        LOGGER.warning("replica %d no longer answers %s", replica.number, self._spec.readiness_path)
        replica.state = ReplicaState.STARTING
        self._changed()

    async def _unless_sent_away(
        self, replica: Replica, event: Coroutine[Any, Any, None], within_s: float | None = None
    ) -> bool:
        """Wait for something to happen to a replica; False if it is sent away before.

        Raises:
            ReplicaFailed: If its process ends, or nothing happens in time.
        """
        happens = asyncio.create_task(event)
        watched = (
            happens,
            asyncio.create_task(replica.sent_away.wait()),
            asyncio.create_task(replica.process.wait()),
        )
        try:
            done, _ = await asyncio.wait(watched, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watched:
                task.cancel()
            await asyncio.gather(*watched, return_exceptions=True)
        if replica.process.exit_code is not None and not replica.sent_away.is_set():
            raise ReplicaFailed(f"ended with code {replica.process.exit_code}: {last_words(replica.process.log)}")
        if not done:
            raise ReplicaFailed(f"was not ready within {within_s:g} s and is given up")
        return happens in done

    async def _drain(self, replica: Replica) -> None:
        """Let it finish: it gets nothing new, and goes when it has nothing left, or its time is over."""
        if replica.state is not ReplicaState.READY:
            return
        replica.state = ReplicaState.DRAINING
        self._changed()
        try:
            async with asyncio.timeout(self._spec.drain_timeout_s):
                await self._until_idle(replica)
        except TimeoutError:
            LOGGER.warning("replica %d still had requests after %g s", replica.number, self._spec.drain_timeout_s)

    async def _until_idle(self, replica: Replica) -> None:
        idle_polls = 0
        while idle_polls < IDLE_POLLS and replica.process.exit_code is None:
            await asyncio.sleep(DRAIN_POLL_S)
            self._publish()  # again, in case it could not be written
            loads = await self._gateway.loads()
            idle_polls = idle_polls + 1 if self._is_idle(replica, loads) else 0

    def _is_idle(self, replica: Replica, loads: Mapping[int, EndpointLoad] | None) -> bool:
        """Whether nothing is left and nothing can come. A gateway that does not answer is no proof of that."""
        if loads is None or self._requests_of(replica, loads):
            return False
        return replica.port not in loads or loads[replica.port].is_draining

    async def _end(self, replica: Replica) -> None:
        """Nobody sends it anything any more; end its process."""
        replica.state = ReplicaState.LEAVING
        self._changed()
        await self._gateway.until_without(replica.port, within_s=LET_GO_S)
        await replica.process.end(self._spec.stop_grace_s)
        self._paid_s += time.monotonic() - replica.began_s
        del self._replicas[replica.number]

    # What others know

    def _note_failure(self, replica: Replica | None, text: str, began_s: float) -> None:
        now_s = time.monotonic()
        well_s = 0.0 if replica is None or replica.ready_s is None else now_s - replica.ready_s
        self._backoff = self._backoff.after_failure(now_s, began_s=began_s, well_s=well_s)
        pause_s = max(self._backoff.until_s - now_s, 0.0)
        who = "a replica" if replica is None else f"replica {replica.number}"
        LOGGER.warning("%s %s; the next start waits %.3g s", who, text, pause_s)

    def _changed(self) -> None:
        """Tell everybody who has to know."""
        self.books = self._balanced()
        self._publish()
        ready = [replica for replica in self._replicas.values() if replica.state is ReplicaState.READY]
        self._activator.set_ready([replica.port for replica in ready if not replica.sent_away.is_set()])

    def _publish(self) -> None:
        endpoints = [
            Endpoint(port=replica.port, is_draining=replica.state is ReplicaState.DRAINING)
            for replica in self._replicas.values()
            if replica.state in (ReplicaState.READY, ReplicaState.DRAINING)
        ]
        try:
            self._gateway.publish(endpoints)
        except OutputError as error:
            LOGGER.warning("the gateway does not know of the latest replicas: %s", error)

    def _balanced(self) -> Books:
        states = Counter(replica.state for replica in self._replicas.values())
        ready, starting = states[ReplicaState.READY], states[ReplicaState.STARTING]
        return Books(
            counts=ReplicaCounts(
                ready=ready,
                starting=starting,
                provisioning=max(self._desired - ready - starting, 0),
                draining=states[ReplicaState.DRAINING] + states[ReplicaState.LEAVING],
            ),
            paid_s=self._paid_s,
            began_s=tuple(replica.began_s for replica in self._replicas.values()),
            cold_starts_s=tuple(self._cold_starts_s),
        )

    def _prune_logs(self) -> None:
        """Keep the logs of those that live, and the newest of the others."""
        living = {replica.process.log for replica in self._replicas.values()}
        for log in sorted(self._folder.glob("replica-*.log"))[:-KEPT_LOGS]:
            if log not in living:
                log.unlink(missing_ok=True)
