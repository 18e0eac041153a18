"""The activator: where requests wait while no replica is ready.

Envoy sends requests here when it has nobody else to send them to. Each comes on a connection of its own.
Its head is read, then it waits in line. When a replica has room, what was received is handed on with
`Connection: close`, and from then on bytes pass both ways untouched, so that bodies, streams and
server-sent events need no understanding here. Too many, or too long a wait, is answered with 503 and
Retry-After. A client that leaves gives up its place in the line: nobody is woken for a phantom.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress

from hindscale.live.ports import LOOPBACK

__all__ = ["Activator"]

RETRY_AFTER_S = 5
HELD_BYTES = 1 << 20
"""More than this of a waiting request stays in the sender's hands."""
CHUNK_BYTES = 1 << 16
LINGER_S = 1.0


class Gone(Exception):
    """The client has left."""


class Refused(Exception):
    """The request cannot be served; the text says why."""


class Activator:
    """A line of waiting requests, first come, first served.

    A ready replica gets at most `slots` of them at a time, so that one that has just started is not buried
    under everything that waited for it.

    Attributes:
        port: Where it listens, on loopback.
    """

    def __init__(
        self, *, slots: int, max_waiting: int, wait_timeout_s: float, on_waiting: Callable[[], None] | None = None
    ) -> None:
        self._slots = slots
        self._max_waiting = max_waiting
        self._wait_timeout_s = wait_timeout_s
        self._on_waiting = on_waiting or (lambda: None)
        self._line: OrderedDict[asyncio.Task[None], asyncio.Future[int]] = OrderedDict()
        self._ready: set[int] = set()
        self._active: Counter[int] = Counter()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on any free port of loopback."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0, limit=HELD_BYTES)
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._line)

    def active(self, port: int) -> int:
        """Requests that a replica has by way of the activator."""
        return self._active[port]

    def set_ready(self, ports: Collection[int]) -> None:
        """Replicas that requests may go to from now on."""
        self._ready = set(ports)
        self._release()

    def refuse(self) -> None:
        """Let nobody wait any more, and send away who does; who is served may finish."""
        self._max_waiting = 0
        for turn in self._line.values():
            turn.set_exception(Refused("the service is being closed"))
        self._line.clear()

    async def close(self) -> None:
        """Listen no more, and cut who is still served."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One request, from its head to its end."""
        try:
            await self._hand_on(reader, writer)
        except Refused as refusal:
            await _refuse(reader, writer, str(refusal))
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # nobody is left to tell
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _hand_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        received = _for_one_request(await reader.readuntil(b"\r\n\r\n"))
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._wait_timeout_s
        while True:
            port = await self._turn(reader, received, until_s - loop.time())
            try:
                replica = await asyncio.open_connection(LOOPBACK, port, limit=HELD_BYTES)
            except OSError:
                self._ready.discard(port)  # gone since; whoever runs the fleet will notice too
                self._leave(port)
                continue
            try:
                await _pass_both_ways((reader, writer), replica, received)
            finally:
                self._leave(port)
            return

    async def _turn(self, reader: StreamReader, received: bytearray, patience_s: float) -> int:
        """Wait in line; returns the port of the replica whose turn it is to serve.

        Raises:
            Refused: If the line is full, or the wait too long.
            Gone: If the client leaves.
        """
        if len(self._line) >= self._max_waiting and not self._has_room():
            raise Refused(f"{self._max_waiting} requests wait already and no replica is ready")
        turn = self._stand_in_line()
        listening = asyncio.create_task(_receive(reader, received))
        try:
            await asyncio.wait((turn, listening), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            if turn.done():
                return turn.result()
            if listening.done():
                raise Gone
            raise Refused(f"no replica was ready within {self._wait_timeout_s:g} s")
        except asyncio.CancelledError:
            if turn.done() and not turn.exception():
                self._leave(turn.result())
            raise
        finally:
            self._line.pop(_this_task(), None)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _stand_in_line(self) -> asyncio.Future[int]:
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._line[_this_task()] = turn
        self._release()
        if len(self._line) == 1:
            self._on_waiting()
        return turn

    def _release(self) -> None:
        """Give each free slot to the next in line, least busy replicas first."""
        while self._line and self._has_room():
            _, turn = self._line.popitem(last=False)
            port = min(self._ready, key=lambda port: (self._active[port], port))
            self._active[port] += 1
            turn.set_result(port)

    def _has_room(self) -> bool:
        return any(self._active[port] < self._slots for port in self._ready)

    def _leave(self, port: int) -> None:
        self._active[port] -= 1
        if not self._active[port]:
            del self._active[port]
        self._release()


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _for_one_request(head: bytes) -> bytearray:
    """The head, with the wish that the connection ends with the answer: its end is then the answer's end."""
    return bytearray(head[:-2] + b"connection: close\r\n\r\n")


async def _receive(reader: StreamReader, received: bytearray) -> None:
    """Take what the client sends, up to a bound; returns only when the client has left."""
    while len(received) < HELD_BYTES:
        chunk = await reader.read(CHUNK_BYTES)
        if not chunk:
            return
        received += chunk
    await asyncio.get_running_loop().create_future()


async def _pass_both_ways(
    client: tuple[StreamReader, StreamWriter], replica: tuple[StreamReader, StreamWriter], received: bytearray
) -> None:
    """Pass bytes until the replica has answered, or the client has left."""
    replica[1].write(received)
    forth = asyncio.create_task(_pass(client[0], replica[1]))
    back = asyncio.create_task(_pass(replica[0], client[1]))
    try:
        await asyncio.wait((forth, back), return_when=asyncio.FIRST_COMPLETED)
        if back.done() and not back.exception() and not back.result():
            raise Refused("the replica ended without an answer")
    finally:
        for pump in (forth, back):
            pump.cancel()
        await asyncio.gather(forth, back, return_exceptions=True)
        replica[1].transport.abort()


async def _pass(source: StreamReader, sink: StreamWriter) -> int:
    """Pass what comes until it ends; returns how many bytes it was."""
    passed = 0
    while chunk := await source.read(CHUNK_BYTES):
        sink.write(chunk)
        passed += len(chunk)
        await sink.drain()
    return passed


async def _refuse(reader: StreamReader, writer: StreamWriter, why: str) -> None:
    """503, and some patience with what is still on its way: closing at once could destroy the answer."""
    body = f"{why}\n".encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nconnection: close\r\n"
        f"retry-after: {RETRY_AFTER_S}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    with suppress(OSError, TimeoutError):
        writer.write_eof()
        async with asyncio.timeout(LINGER_S):
            while await reader.read(CHUNK_BYTES):
                pass
