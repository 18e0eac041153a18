"""A service on this machine: gateway, activator and replicas, in one thread of their own."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from hindscale.core.checks import require_count
from hindscale.core.errors import RunError
from hindscale.core.files import make_folder
from hindscale.live.fleet import ReplicaCounts
from hindscale.live.local.activator import Activator
from hindscale.live.local.envoy import Files
from hindscale.live.local.gateway import Gateway
from hindscale.live.local.replicas import LocalReplicas
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.ports import LOOPBACK

__all__ = ["LocalService"]

ResultT = TypeVar("ResultT")


class LocalService:
    """A `Fleet` of processes behind a gateway.

    All that happens, happens in one thread, which runs an event loop. What callers ask is handed to it;
    what they read are values that it replaces as a whole. Used as a context manager it starts and closes.
    """

    def __init__(self, spec: LocalServiceSpec, *, on_waiting: Callable[[], None] | None = None) -> None:
        """A service that is not started yet.

        Args:
            spec: What is to be known of it.
            on_waiting: Called, in the service's thread, when a request begins to wait for want of a ready
                replica and none waited before.
        """
        self._spec = spec
        self._on_waiting = on_waiting
        self._cleanup = ExitStack()
        self._is_started = False
        self._is_closed = False

    def start(self) -> Self:
        """Start gateway and activator, with no replica yet; returns when clients can come.

        Raises:
            RunError: If there is no Envoy, or it cannot listen where it should.
        """
        private = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="hindscale-")))
        folder = make_folder(self._spec.folder or private).resolve()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"{self._spec.name} fleet", daemon=True)
        self._thread.start()
        try:
            self._run(self._start(folder, private))
        except BaseException:
            self._stop_thread()
            raise
        self._is_started = True
        return self

    async def _start(self, folder: Path, private: Path) -> None:
        spec = self._spec
        self._gateway = Gateway(spec, Files.within(folder, private))
        self._activator = Activator(
            slots=spec.slots,
            max_waiting=spec.max_waiting,
            wait_timeout_s=spec.wait_timeout_s,
            on_waiting=self._on_waiting,
        )
        try:
            await self._activator.start()
            await self._gateway.start(self._activator.port)
        except BaseException:
            await self._activator.close()
            await self._gateway.close()
            raise
        self._replicas = LocalReplicas(spec, folder, self._gateway, self._activator)

    @property
    def url(self) -> str:
        """Where clients come."""
        host = f"[{self._spec.host}]" if ":" in self._spec.host else self._spec.host
        return f"http://{host}:{self._gateway.port}"

    @property
    def metrics_url(self) -> str:
        """The gateway's metrics in Prometheus' format; the service is the cluster and prefix named `service`."""
        return f"http://{LOOPBACK}:{self._gateway.metrics_port}/stats/prometheus"

    def scale_to(self, replicas: int) -> None:
        """Ask for a size; returns at once, the fleet follows."""
        require_count(replicas=replicas)
        self._require_running()
        self._loop.call_soon_threadsafe(self._replicas.scale_to, replicas)

    def counts(self) -> ReplicaCounts:
        """Replicas by state, now."""
        return self._replicas.books.counts

    def replica_seconds(self) -> float:
        """Replica time paid for since the fleet began, from start to gone."""
        return self._replicas.books.replica_seconds(time.monotonic())

    def cold_starts_s(self) -> Sequence[float]:
        """The latest cold starts, newest last: from the start of the process to its first good answer."""
        return self._replicas.books.cold_starts_s

    def waiting_requests(self) -> int:
        """Requests that wait in the activator because no replica is ready."""
        return self._activator.waiting

    def close(self) -> None:
        """Take no new requests, let replicas finish for a while, end everything; a second call does nothing."""
        if not self._is_started or self._is_closed:
            return
        self._is_closed = True
        try:
            self._run(self._close())
        finally:
            self._stop_thread()

    async def _close(self) -> None:
        await self._gateway.drain()
        self._activator.refuse()
        await self._replicas.close()
        await self._activator.close()
        await self._gateway.close()

    def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._cleanup.close()

    def _require_running(self) -> None:
        if not self._is_started:
            raise RunError(f"{self._spec.name}: the fleet is not started; call start() first")
        if self._is_closed:
            raise RunError(f"{self._spec.name}: the fleet is closed; make a new one")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
