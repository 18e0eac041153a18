"""The activator without Envoy: a client is a socket, a replica a small server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hindscale.live.local.activator import HELD_BYTES, Activator

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASK = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%s"


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(bounded())


@asynccontextmanager
async def activator(**given: object) -> AsyncIterator[Activator]:
    settings: dict[str, object] = {"slots": 2, "max_waiting": 10, "wait_timeout_s": 10.0, **given}
    made = Activator(**settings)  # type: ignore[arg-type]
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def replica(handle: Handle) -> AsyncIterator[int]:
    tasks = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def served() -> None:
            try:
                await handle(reader, writer)
            finally:
                writer.close()

        tasks.add(asyncio.create_task(served()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the request's head and the length of its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"content-length"))
    body = await reader.readexactly(length)
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + head + b"%d" % len(body))
    await writer.drain()


async def ask(port: int, body: bytes = b"") -> bytes:
    """All that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(ASK % (len(body), body))
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_requests_wait_for_a_replica_and_are_served_whole() -> None:
    async def story() -> None:
        woken = []
        body = b"x" * (3 * HELD_BYTES)
        async with activator(on_waiting=lambda: woken.append(1)) as made, replica(echo) as port:
            asked = [asyncio.create_task(ask(made.port, body)) for _ in range(2)]
            await until(lambda: made.waiting == 2)
            assert woken == [1]
            made.set_ready([port])
            for answer in await asyncio.gather(*asked):
                assert b"\r\nconnection: close\r\n\r\n" in answer
                assert answer.endswith(b"%d" % len(body))
            await until(lambda: made.active(port) == 0)
            assert made.waiting == 0

    run(story())


def test_a_replica_gets_no_more_than_its_slots_and_the_first_come_first() -> None:
    async def story() -> None:
        served: list[bytes] = []
        gate = asyncio.Semaphore(0)

        async def one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)
            served.append(request[-1:])
            await gate.acquire()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")

        async with activator(slots=2) as made, replica(one_by_one) as port:
            asked = []
            for number in range(5):
                asked.append(asyncio.create_task(ask(made.port, b"%d" % number)))
                await until(lambda number=number: made.waiting == number + 1)
            made.set_ready([port])
            await until(lambda: len(served) == 2)
            assert made.waiting == 3
            assert made.active(port) == 2
            for _ in asked:
                gate.release()
            await asyncio.gather(*asked)
            assert sorted(served[:2]) == [b"0", b"1"]
            assert sorted(served[2:4]) == [b"2", b"3"]

    run(story())


def test_a_stream_passes_as_it_comes() -> None:
    async def story() -> None:
        turn = asyncio.Event()

        async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndata: 1\n\n")
            await turn.wait()
            writer.write(b"data: 2\n\n")

        async with activator() as made, replica(stream) as port:
            made.set_ready([port])
            reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
            writer.write(ASK % (0, b""))
            assert (await reader.readuntil(b"data: 1\n\n")).startswith(b"HTTP/1.1 200")
            turn.set()  # the second event is sent only after the first was received
            assert await reader.read() == b"data: 2\n\n"
            writer.close()

    run(story())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"wait_timeout_s": 0.0}, b"no replica was ready within 0 s\n"),
        ({"max_waiting": 0}, b"0 requests wait already and no replica is ready\n"),
    ],
)
def test_what_cannot_wait_is_told_to_come_again(given: dict[str, object], why: bytes) -> None:
    async def story() -> None:
        async with activator(**given) as made:
            answer = await ask(made.port, b"x" * 100_000)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nretry-after: 5\r\n" in answer
            assert answer.endswith(why)
            assert made.waiting == 0

    run(story())


def test_phantom_queue_after_clients_vanish_blocks_scale_down() -> None:
    """llm-d-autoscaling 769: who has left is counted no more."""

    async def story() -> None:
        async with activator() as made:
            _, writer = await asyncio.open_connection("127.0.0.1", made.port)
            writer.write(ASK % (5, b"12345"))
            await until(lambda: made.waiting == 1)
            writer.close()
            await until(lambda: made.waiting == 0)

    run(story())


def test_a_request_whose_replica_is_gone_goes_back_into_the_line() -> None:
    async def story() -> None:
        async with activator() as made, replica(echo) as port:
            async with replica(echo) as gone:
                pass
            made.set_ready([gone])
            asked = asyncio.create_task(ask(made.port))
            await until(lambda: made.waiting == 1)
            made.set_ready([port])
            assert (await asked).startswith(b"HTTP/1.1 200")
            assert made.active(gone) == 0

    run(story())


def test_a_replica_that_dies_with_a_request_is_said_so() -> None:
    async def story() -> None:
        async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()

        async with activator() as made, replica(die) as port:
            made.set_ready([port])
            answer = await ask(made.port)
            assert answer.startswith(b"HTTP/1.1 503")
            assert answer.endswith(b"the replica ended without an answer\n")
            await until(lambda: made.active(port) == 0)

    run(story())


def test_closing_refuses_who_waits() -> None:
    async def story() -> None:
        async with activator() as made:
            asked = asyncio.create_task(ask(made.port))
            await until(lambda: made.waiting == 1)
            made.refuse()
            assert (await asked).endswith(b"the service is being closed\n")

    run(story())
