"""HTTP/1.1 as a load generator needs it: many connections, one question at a time on each, exact times.

A client library would cost more CPU than the service under load and add its own waiting to what is measured
(httpx: fourteen times the cost of a lean client). So requests are bytes, and answers are hardly read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hindscale.core.errors import ParameterError
from hindscale.live.load_parser import AnswerParser, BadAnswer

__all__ = ["Origin", "Pool", "Question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where requests go.

    Attributes:
        host, port: Of the server.
        is_secure: Whether by TLS.
        path: With the query; where the URL points to.
    """

    host: str
    port: int
    is_secure: bool
    path: str

    @classmethod
    def parse(cls, url: str) -> Origin:
        """The parts of a URL.

        Raises:
            ParameterError: If it is not one of http or https.

        >>> Origin.parse("http://127.0.0.1:8080/v1?a=b")
        Origin(host='127.0.0.1', port=8080, is_secure=False, path='/v1?a=b')
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ParameterError(f"url must look like http://127.0.0.1:8080, was {url!r}")
        try:
            port = parts.port
        except ValueError:
            raise ParameterError(f"url: the port must be a number from 1 to 65535, was {url!r}") from None
        is_secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(host=parts.hostname, port=port or (443 if is_secure else 80), is_secure=is_secure, path=path)

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(eq=False, slots=True, kw_only=True)
class Question:
    """One request on its way, and what became of it.

    Attributes:
        content: The request, as bytes.
        due_s: When it was to be sent, on the event loop's clock.
        on_end: Called with the question when it has its answer, or will have none.
        output_tokens: Of a streamed answer, where that is known; else 0.
        connection: That it is under way on; None before and after.
        first_s: When the first byte of the answer's body came; None before.
        status: Of the answer; 0 without one.
        failure: Why there is none; empty if there is.
    """

    content: bytes
    due_s: float
    on_end: Callable[[Question], None]
    output_tokens: float = 0.0
    connection: Connection | None = None
    first_s: float | None = None
    status: int = 0
    failure: str = ""


class Connection(asyncio.Protocol):
    """A connection that carries one question at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._question: Question | None = None
        self._parser = AnswerParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, question: Question) -> None:
        """Send a question; its end is told to the pool."""
        assert self._transport is not None
        self._question = question
        question.connection = self
        self._parser = AnswerParser()
        self._transport.write(question.content)

    def data_received(self, data: bytes) -> None:
        question = self._question
        if question is None:
            self.abort()
            return
        try:
            self._parser.feed(data)
        except BadAnswer:
            self._finish("bad answer")
            return
        if question.first_s is None and self._parser.has_body:
            question.first_s = self._pool.now_s()
        if self._parser.is_done:
            self._finish("")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._question is not None:
            self._finish("" if exc is None and self._parser.end() else "connection lost")
        self._pool.lost(self)

    def give_up(self, failure: str) -> None:
        """End the question without an answer."""
        self._finish(failure)

    def _finish(self, failure: str) -> None:
        question, self._question = self._question, None
        assert question is not None
        question.failure = failure
        question.status = 0 if failure else self._parser.status
        reusable = not failure and self._parser.keeps_alive
        if not reusable:
            self.abort()
        question.connection = None
        self._pool.ended(question, self if reusable else None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Connections to one server: idle ones are used again, new ones are made up to a bound.

    Attributes:
        held_back: Questions that found no free connection and had to wait for one.
    """

    def __init__(self, origin: Origin, *, most: int, tls: ssl.SSLContext | None = None) -> None:
        self._origin = origin
        self._most = most
        self._tls = (tls or ssl.create_default_context()) if origin.is_secure else None
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[Question] = deque()
        self.held_back = 0

    def now_s(self) -> float:
        return self._loop.time()

    def ask(self, question: Question) -> None:
        """Send a question as soon as there is a connection for it."""
        if self._idle:
            self._idle.pop().ask(question)
            return
        self._waiting.append(question)
        self.held_back += self._is_full
        self._open_if_needed()

    @property
    def _is_full(self) -> bool:
        return len(self._all) + self._opening >= self._most

    def _open_if_needed(self) -> None:
        """Open a connection for who waits, if there may be more."""
        if self._opening < len(self._waiting) and not self._is_full:
            # Counted by hand: a task that is done stays in the set for a moment.
            self._opening += 1
            task = self._loop.create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        connection = None
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), self._origin.host, self._origin.port, ssl=self._tls
            )
        except OSError:
            pass
        finally:
            self._opening -= 1
        if connection is not None:
            self._all.add(connection)
            self._serve(connection)
        elif self._waiting:
            question = self._waiting.popleft()
            question.failure = "no connection"
            question.on_end(question)

    def _serve(self, connection: Connection) -> None:
        """Give a free connection to who waits."""
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def ended(self, question: Question, free: Connection | None) -> None:
        """A question has its end; its connection may be free for another."""
        if free is not None:
            self._serve(free)
        question.on_end(question)

    def lost(self, connection: Connection) -> None:
        """A connection is no more."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_if_needed()

    def give_up(self, question: Question, failure: str) -> None:
        """End a question that has no answer yet."""
        if question.connection is not None:
            question.connection.give_up(failure)
            return
        self._waiting.remove(question)
        question.failure = failure
        question.on_end(question)

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in tuple(self._all):
            connection.abort()
        await asyncio.sleep(0)
