"""Envoy alone, between visitors and servers that never change: only its list of endpoints does."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hindscale.live.local import LocalServiceSpec
from hindscale.live.local.envoy import Endpoint, Files
from hindscale.live.local.gateway import Gateway
from live_helpers import Visitors

CHANGES = 100


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request on a connection after 5 ms; bodies are of one byte."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                await reader.readexactly(1)
            await asyncio.sleep(0.005)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def started(spec: LocalServiceSpec, folder: Path, activator_port: int = 9) -> AsyncIterator[Gateway]:
    with tempfile.TemporaryDirectory() as private:
        gateway = Gateway(spec, Files.within(folder, Path(private)))
        try:
            await gateway.start(activator_port)
            yield gateway
        finally:
            await gateway.close()


async def until_known(gateway: Gateway, port: int) -> None:
    while port not in (await gateway.loads() or ()):
        await asyncio.sleep(0.01)


def test_no_request_is_lost_over_a_hundred_changes_of_the_list(tmp_path: Path) -> None:
    async def story() -> Visitors:
        async with AsyncExitStack() as stack:
            servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(4)]
            ports = [server.sockets[0].getsockname()[1] for server in servers]
            gateway = await stack.enter_async_context(started(LocalServiceSpec(command=("none",)), tmp_path))
            gateway.publish([Endpoint(port=port) for port in ports])
            await until_known(gateway, ports[-1])
            visitors = Visitors(f"http://127.0.0.1:{gateway.port}", clients=4, body=b"x")
            await asyncio.to_thread(visitors.__enter__)
            dice = random.Random(1)
            for _ in range(CHANGES):
                some = dice.sample(ports, dice.randint(1, 4))
                states = [dice.random() < 0.3 for _ in some[1:]]  # the first one always takes requests
                gateway.publish([Endpoint(port=p, is_draining=d) for p, d in zip(some, [False, *states], strict=True)])
                await asyncio.sleep(0.02)
            await asyncio.to_thread(visitors.__exit__)
            for server in servers:
                server.close()
            return visitors

    visitors = asyncio.run(story())
    assert set(visitors.statuses) == {200}
    assert visitors.statuses[200] > CHANGES


def test_an_endpoint_that_drains_gets_nothing_new_as_soon_as_envoy_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        asked = {"one": 0, "other": 0}

        def counting(name: str):
            async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked[name] += 1
                await answer(reader, writer)

            return count

        one = await asyncio.start_server(counting("one"), "127.0.0.1", 0)
        other = await asyncio.start_server(counting("other"), "127.0.0.1", 0)
        first, second = (server.sockets[0].getsockname()[1] for server in (one, other))
        # One request a connection, so that connections count requests.
        spec = LocalServiceSpec(command=("none",), keep_alive_s=0.001)
        async with started(spec, tmp_path) as gateway:
            gateway.publish([Endpoint(port=first), Endpoint(port=second)])
            await until_known(gateway, second)
            gateway.publish([Endpoint(port=first, is_draining=True), Endpoint(port=second)])
            while not (loads := await gateway.loads() or {})[first].is_draining:
                await asyncio.sleep(0.001)
            assert loads[second].active_requests == 0
            visitors = Visitors(f"http://127.0.0.1:{gateway.port}", clients=2)
            await asyncio.to_thread(visitors.__enter__)
            await asyncio.to_thread(visitors.__exit__)
        assert asked["one"] == 0
        assert asked["other"] > 0
        for server in (one, other):
            server.close()

    asyncio.run(story())


def test_what_is_published_twice_is_written_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with started(LocalServiceSpec(command=("none",)), tmp_path) as gateway:
            file = tmp_path / "endpoints" / "endpoints.json"
            gateway.publish([Endpoint(port=1)])
            before = file.stat().st_ino
            gateway.publish([Endpoint(port=1)])
            assert file.stat().st_ino == before
            gateway.publish([])
            assert file.stat().st_ino != before

    asyncio.run(story())
