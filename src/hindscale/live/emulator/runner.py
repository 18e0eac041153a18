"""Drives the engine by a clock, and tells those who wait for tokens."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from hindscale.core.checks import require_positive
from hindscale.live.emulator.engine import Engine, Sequence

__all__ = ["ModelClock", "Runner", "Ticket"]

RESOLUTION_S = 0.002
"""Of the clock on the wall: iterations that end closer together are told of together."""


class ModelClock:
    """Seconds of the model's time, which passes `speed` times as fast as that on the wall."""

    def __init__(self, speed: float = 1.0, wall: Callable[[], float] = time.monotonic) -> None:
        require_positive(speed=speed)
        self.speed = speed
        self._wall = wall
        self._began_s = wall()

    def now_s(self) -> float:
        return (self._wall() - self._began_s) * self.speed

    def wall_s_until(self, model_s: float) -> float:
        """Seconds on the wall until then; >= 0."""
        return max((model_s - self.now_s()) / self.speed, 0.0)


@dataclass(eq=False, slots=True, kw_only=True)
class Ticket:
    """A request in the engine, and the sign that it has new tokens."""

    sequence: Sequence
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Runner:
    """One engine under one clock.

    The engine's times follow from the model alone: however late this process is woken, a request's tokens
    carry the times at which the model would have had them.
    """

    def __init__(self, engine: Engine, clock: ModelClock, on_finished: Callable[[Sequence], None]) -> None:
        self.engine = engine
        self._clock = clock
        self._on_finished = on_finished
        self._woken = asyncio.Event()
        self._open: dict[Sequence, Ticket] = {}

    async def run(self) -> None:
        """Perform iterations as they end, for ever."""
        while True:
            self._advance()
            self._woken.clear()
            pause_s = self._clock.wall_s_until(self.engine.next_s)
            if math.isinf(pause_s):
                await self._woken.wait()
            else:
                await asyncio.sleep(max(pause_s, RESOLUTION_S))

    def _advance(self) -> None:
        finished = self.engine.advance(self._clock.now_s())
        for ticket in self._open.values():
            ticket.news.set()
        for sequence in finished:
            if self._open.pop(sequence, None) is not None:  # who was cancelled does not count
                self._on_finished(sequence)

    def submit(self, input_tokens: int, output_tokens: int) -> Ticket:
        """A request that comes now.

        Raises:
            ParameterError: If it can never run.
        """
        self._advance()
        ticket = Ticket(sequence=self.engine.add(input_tokens, output_tokens, self._clock.now_s()))
        self._open[ticket.sequence] = ticket
        self._woken.set()
        return ticket

    async def tokens(self, ticket: Ticket) -> AsyncGenerator[int]:
        """How many tokens are new, whenever some are, until the answer is complete.

        A caller that stops listening takes its request out of the engine.
        """
        sequence, told = ticket.sequence, 0
        try:
            while told < sequence.output_tokens:
                await ticket.news.wait()
                ticket.news.clear()
                if sequence.generated > told:
                    new, told = sequence.generated - told, sequence.generated
                    yield new
        finally:
            if self._open.pop(sequence, None) is not None:
                self.engine.cancel(sequence)
