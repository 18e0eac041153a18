"""The emulator as a server: one replica of a language model service."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hindscale.core.checks import require_at_least, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError
from hindscale.live.emulator.engine import Engine
from hindscale.live.emulator.metrics import Metrics
from hindscale.live.emulator.model import EmulatedModel
from hindscale.live.emulator.requests import Completion
from hindscale.live.emulator.runner import ModelClock, Runner, Ticket
from hindscale.live.ports import require_free

__all__ = ["EmulatorSpec", "application", "serve"]

KEEP_ALIVE_S = 75
BACKLOG = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSpec:
    """One replica.

    Attributes:
        model: How long iterations take.
        name: What clients call the model.
        cold_start_s: From the start of the process to the first answer, in the model's time; it takes longer if the
            process itself does.
        speed: How many times faster than the clock on the wall everything is; > 0.
        default_tokens: Length of an answer where the client does not say; >= 1.
    """

    model: EmulatedModel = field(default_factory=EmulatedModel)
    name: str = "emulated"
    cold_start_s: float = 30.0
    speed: float = 1.0
    default_tokens: int = 128

    def __post_init__(self) -> None:
        require_positive(speed=self.speed)
        require_nonnegative(cold_start_s=self.cold_start_s)
        require_at_least(1, default_tokens=self.default_tokens)


class Emulator:
    """The handlers of all requests."""

    def __init__(self, spec: EmulatorSpec) -> None:
        self._spec = spec
        engine = Engine(spec.model)
        self._metrics = Metrics(spec.name, engine)
        self._runner = Runner(engine, ModelClock(spec.speed), self._metrics.finished)
        self._numbers = itertools.count(1)
        self._is_ready = False

    @asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """While the server runs: start cold, then perform iterations."""
        tasks = [asyncio.create_task(self._runner.run()), asyncio.create_task(self._become_ready())]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _become_ready(self) -> None:
        await asyncio.sleep(self._spec.cold_start_s / self._spec.speed - age_of_process_s())
        self._is_ready = True

    async def health(self, _: Request) -> Response:
        return Response(status_code=200 if self._is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.page(), media_type="text/plain; version=0.0.4")

    async def models(self, _: Request) -> Response:
        card = {"id": self._spec.name, "object": "model", "owned_by": "hindscale"}
        longest = self._spec.model.longest_request
        return JSONResponse({"object": "list", "data": [{**card, "max_model_len": longest}]})

    async def chat(self, request: Request) -> Response:
        return await self._complete(request, is_chat=True)

    async def completions(self, request: Request) -> Response:
        return await self._complete(request, is_chat=False)

    async def _complete(self, request: Request, *, is_chat: bool) -> Response:
        if not self._is_ready:
            return _error(503, "the model is being loaded", "service_unavailable")
        try:
            asked = Completion.parse(
                await request.body(),
                is_chat=is_chat,
                default_model=self._spec.name,
                default_tokens=self._spec.default_tokens,
            )
            if asked.model != self._spec.name:
                return _error(
                    404, f"the model {asked.model!r} does not exist; use {self._spec.name!r}", "NotFoundError"
                )
            ticket = self._runner.submit(asked.input_tokens, asked.output_tokens)
        except ParameterError as error:
            return _error(400, str(error), "BadRequestError")
        number, created = next(self._numbers), int(time.time())
        if asked.is_streamed:
            events = self._events(asked, ticket, number, created)
            return StreamingResponse(events, media_type="text/event-stream")
        await self._until_complete(request, ticket)
        return JSONResponse(asked.answer(number, created))

    async def _events(self, asked: Completion, ticket: Ticket, number: int, created: int) -> AsyncIterator[bytes]:
        told = 0
        async with aclosing(self._runner.tokens(ticket)) as tokens:
            async for new in tokens:
                for event in asked.events(number, created, told, new):
                    yield event
                told += new

    async def _until_complete(self, request: Request, ticket: Ticket) -> None:
        """Wait for the last token, or for the client to leave, which takes the request out of the engine."""
        complete = asyncio.create_task(self._exhaust(ticket))
        left = asyncio.create_task(_until_left(request))
        await asyncio.wait((complete, left), return_when=asyncio.FIRST_COMPLETED)
        for task in (complete, left):
            task.cancel()
        await asyncio.gather(complete, left, return_exceptions=True)

    async def _exhaust(self, ticket: Ticket) -> None:
        async with aclosing(self._runner.tokens(ticket)) as tokens:
            async for _ in tokens:
                pass


async def _until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _error(status: int, message: str, kind: str) -> Response:
    content = {"error": {"message": message, "type": kind, "param": None, "code": status}}
    return JSONResponse(content, status_code=status)


def age_of_process_s() -> float:
    """Seconds since this process was started, imports included; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_s


def application(spec: EmulatorSpec) -> Starlette:
    """The emulator as an ASGI application."""
    emulator = Emulator(spec)
    routes = [
        Route("/health", emulator.health),
        Route("/metrics", emulator.metrics),
        Route("/v1/models", emulator.models),
        Route("/v1/chat/completions", emulator.chat, methods=["POST"]),
        Route("/v1/completions", emulator.completions, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=emulator.running)


def serve(spec: EmulatorSpec, *, host: str, port: int) -> None:
    """Serve until TERM or Ctrl-C; requests that run then are finished first.

    Raises:
        RunError: If it cannot listen there.
    """
    require_free(host, port, what="emulator")
    uvicorn.run(
        application(spec),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=BACKLOG,
    )
