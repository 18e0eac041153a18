"""The gateway: an Envoy that is kept running, told of endpoints by a file, and asked about them.

Should Envoy end, it is started again on the same ports from the same files, and so takes up every
replica where it left them; requests that were in it are lost with it, replicas are not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from hindscale.core.errors import OutputError, RunError
from hindscale.core.files import atomic_writer, make_folder
from hindscale.live.local.backoff import Backoff
from hindscale.live.local.envoy import SERVICE, Endpoint, Files, bootstrap, endpoints_file, find_envoy
from hindscale.live.local.process import GuardedProcess, last_words
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.ports import LOOPBACK, free_port, require_free

__all__ = ["EndpointLoad", "Gateway"]

LOGGER = logging.getLogger(__name__)
START_TIMEOUT_S = 20.0
ASK_TIMEOUT_S = 2.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLoad:
    """What Envoy says of one endpoint.

    Attributes:
        active_requests: It has now, by way of Envoy.
        is_draining: Whether Envoy knows that it gets nothing new.
    """

    active_requests: int
    is_draining: bool


class Gateway:
    """Envoy for one service.

    Attributes:
        port: Where clients come.
        metrics_port: Where its metrics are.
    """

    def __init__(self, spec: LocalServiceSpec, files: Files) -> None:
        self._binary, remark = find_envoy()
        if remark:
            LOGGER.warning(remark)
        self._spec = spec
        self._files = files
        self._activator_port = 0
        self.port = spec.gateway_port or free_port()
        self.metrics_port = spec.metrics_port or free_port(taken=(self.port,))
        self._version = 0
        self._published: tuple[Endpoint, ...] | None = None
        self._process: GuardedProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._admin = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self._files.admin)),
            base_url="http://envoy",
            timeout=ASK_TIMEOUT_S,
        )

    async def start(self, activator_port: int) -> None:
        """Start Envoy and return when it answers.

        Args:
            activator_port: Who takes requests while there is no replica.

        Raises:
            RunError: If it cannot listen where it should, or does not start.
        """
        require_free(self._spec.host, self.port, what="gateway")
        require_free(LOOPBACK, self.metrics_port, what="metrics")
        make_folder(self._files.endpoints.parent)
        self._activator_port = activator_port
        self.publish(())
        config = bootstrap(self._spec, self._files, self.port, self.metrics_port)
        with atomic_writer(self._files.bootstrap) as file:
            file.write(json.dumps(config, indent=1).encode())
        self._process = await self._launch()
        await self._until_ready(self._process)
        self._keeper = asyncio.create_task(self._keep_running(self._process))

    async def _launch(self) -> GuardedProcess:
        self._files.admin.unlink(missing_ok=True)
        command = (
            str(self._binary),
            "--config-path",
            str(self._files.bootstrap),
            "--concurrency",
            str(self._spec.gateway_threads),
            # Without it, Envoys of one machine would talk to each other.
            "--disable-hot-restart",
            "--log-level",
            "warning",
        )
        return await GuardedProcess.start(command, log=self._files.log)

    async def _until_ready(self, process: GuardedProcess) -> None:
        until_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until_s and process.exit_code is None:
            with suppress(httpx.HTTPError):
                if (await self._admin.get("/ready")).is_success:
                    return
            await asyncio.sleep(POLL_S)
        await process.end(grace_s=1.0)
        raise RunError(f"gateway: Envoy did not start: {last_words(self._files.log)}; its log is {self._files.log}")

    async def _keep_running(self, process: GuardedProcess | None) -> None:
        """Start Envoy again whenever it ends, after pauses that double up while it goes on failing."""
        backoff = Backoff(longest_s=self._spec.longest_backoff_s)
        while True:
            began_s = time.monotonic()
            try:
                process = self._process = process or await self._launch()
                code = await process.wait()
                LOGGER.error("gateway: Envoy ended with code %d: %s", code, last_words(self._files.log))
            except OutputError as error:
                LOGGER.warning("gateway: Envoy cannot be started: %s", error)
            process, now_s = None, time.monotonic()
            backoff = backoff.after_failure(now_s, began_s=began_s, well_s=now_s - began_s)
            await asyncio.sleep(backoff.until_s - now_s)

    def publish(self, endpoints: Sequence[Endpoint]) -> None:
        """Tell Envoy of these replicas, and of no others.

        The file appears whole, so that Envoy reads the old list or the new one.

        Raises:
            OutputError: If the file cannot be written; Envoy goes on with what it has.
        """
        if tuple(endpoints) == self._published:
            return
        content = endpoints_file(endpoints, self._activator_port, self._version + 1)
        with atomic_writer(self._files.endpoints) as file:
            file.write(json.dumps(content).encode())
        self._version += 1
        self._published = tuple(endpoints)

    async def loads(self) -> Mapping[int, EndpointLoad] | None:
        """What each endpoint has, by port; None if Envoy does not answer."""
        try:
            answer = await self._admin.get("/clusters", params={"format": "json"})
            answer.raise_for_status()
            clusters = answer.json()["cluster_statuses"]
        except (httpx.HTTPError, ValueError, KeyError):
            return None
        hosts = [host for each in clusters if each["name"] == SERVICE for host in each.get("host_statuses", ())]
        return {int(host["address"]["socket_address"]["port_value"]): _load_of(host) for host in hosts}

    async def until_without(self, port: int, *, within_s: float) -> None:
        """Wait until Envoy has let go of an endpoint that is published no more, but not forever."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s and port in (await self.loads() or ()):
            await asyncio.sleep(POLL_S)

    async def drain(self) -> None:
        """Take no more connections; those that are there may finish."""
        with suppress(httpx.HTTPError):
            await self._admin.post("/drain_listeners")

    async def close(self) -> None:
        """End."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        if self._process is not None:
            await self._process.end(self._spec.stop_grace_s)
        await self._admin.aclose()
        self._files.admin.unlink(missing_ok=True)


def _load_of(host: dict[str, Any]) -> EndpointLoad:
    active = next((stat.get("value", 0) for stat in host["stats"] if stat["name"] == "rq_active"), 0)
    return EndpointLoad(
        active_requests=int(active),
        is_draining=host.get("health_status", {}).get("eds_health_status") == "DRAINING",
    )
