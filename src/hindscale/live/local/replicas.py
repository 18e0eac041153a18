"""The replicas of one service: as many as were asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.core.errors import HindscaleError, OutputError
from hindscale.live.fleet import ReplicaCounts
from hindscale.live.local.activator import Activator
from hindscale.live.local.backoff import Backoff
from hindscale.live.local.envoy import Endpoint
from hindscale.live.local.gateway import Gateway
from hindscale.live.local.life import Life, ReplicaFailed
from hindscale.live.local.process import GuardedProcess
from hindscale.live.local.replica import Replica, ReplicaState
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.ports import free_port

__all__ = ["Books", "LocalReplicas"]

LOGGER = logging.getLogger(__name__)
CLOSE_TIMEOUT_S = 30.0
KEPT_LOGS = 100


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
    """All replicas of one service. Each has a task that leads it through its life.

    Attributes:
        books: What others may know; a new value takes its place at each change.
    """

    def __init__(self, spec: LocalServiceSpec, folder: Path, gateway: Gateway, activator: Activator) -> None:
        self._spec = spec
        self._folder = folder
        self._gateway = gateway
        self._activator = activator
        self._life = Life(spec, gateway, activator, self._changed)
        self._desired = 0
        self._launched = 0
        self._launching = 0
        self._replicas: dict[int, Replica] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shrinking: asyncio.Task[None] | None = None
        self._backoff = Backoff(longest_s=spec.longest_backoff_s)
        self._retry: asyncio.TimerHandle | None = None
        self._is_published = True
        self._paid_s = 0.0
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
            await asyncio.wait(self._tasks, timeout=patience_s + self._spec.stop_grace_s)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for replica in self._replicas.values():  # whose end was interrupted
            await replica.process.end(0.0)
        if self._retry is not None:
            self._retry.cancel()
        await self._life.close()

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
                self._spawn(self._start_and_live())
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
            return replica.state is ReplicaState.READY, self._life.requests_of(replica, loads), -replica.number

        for replica in sorted(wanted, key=missed)[: max(len(wanted) - self._desired, 0)]:
            replica.sent_away.set()
        self._changed()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start_and_live(self) -> None:
        replica, began_s = None, time.monotonic()
        try:
            replica = await self._launch()
            await self._life.live(replica)
        except (ReplicaFailed, HindscaleError) as failure:
            self._note_failure(replica, str(failure), began_s)
        finally:
            if replica is not None:
                await self._life.end(replica)
                self._paid_s += time.monotonic() - replica.began_s
                del self._replicas[replica.number]
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
        ready = [replica.port for replica in self._wanted() if replica.state is ReplicaState.READY]
        self._activator.set_ready(ready)

    def _publish(self) -> None:
        endpoints = [
            Endpoint(port=replica.port, is_draining=replica.state is ReplicaState.DRAINING)
            for replica in self._replicas.values()
            if replica.state in (ReplicaState.READY, ReplicaState.DRAINING)
        ]
        try:
            self._gateway.publish(endpoints)
        except OutputError as error:
            if self._is_published:  # once is enough; it is tried again at every change
                LOGGER.warning("the gateway does not know of the latest replicas: %s", error)
            self._is_published = False
        else:
            self._is_published = True

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
            cold_starts_s=tuple(self._life.cold_starts_s),
        )

    def _prune_logs(self) -> None:
        """Keep the logs of those that live, and the newest of the others."""
        living = {replica.process.log for replica in self._replicas.values()}
        for log in sorted(self._folder.glob("replica-*.log"))[:-KEPT_LOGS]:
            if log not in living:
                log.unlink(missing_ok=True)
