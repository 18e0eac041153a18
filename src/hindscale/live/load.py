"""Replays a trace at a service, open-loop: requests are sent when they are due, whoever still waits.

A generator that waits for answers sends less just when the service is slow, and leaves out of its figures
the very requests that would have waited (coordinated omission). Here every latency counts from the instant
at which the trace has the request, and how late the generator itself was is reported beside it.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from hindscale.core.checks import require_at_least, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.slo import Slo
from hindscale.live.load_http import Origin, Pool, Question
from hindscale.live.load_report import LoadReport
from hindscale.live.load_requests import RequestTemplate
from hindscale.live.load_tally import Tally
from hindscale.traces.arrivals import arrival_chunks
from hindscale.traces.types import RateTrace, RequestTrace, Trace, UtilizationTrace

__all__ = ["LoadPlan", "Progress", "replay"]

SWEEP_S = 0.05
PROGRESS_S = 0.25
LONGEST_SLEEP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is sent, where to, and how fast.

    Attributes:
        trace: When requests arrive. Rates become arrivals by a seeded Poisson process.
        url: Where they go.
        template: What they ask.
        speed: How many times faster than recorded; > 0.
        service_speed: How many times faster than the clock the service itself runs, as an emulator may; latencies
            count that many times. > 0.
        slo: What answers are held to; None for nothing.
        timeout_s: Requests without a whole answer this long after they were due are given up; > 0.
        connections: At most so many at once; >= 1.
        seed: Of arrivals that are drawn.
    """

    trace: Trace
    url: str
    template: RequestTemplate = field(default_factory=RequestTemplate)
    speed: float = 1.0
    service_speed: float = 1.0
    slo: Slo | None = None
    timeout_s: float = 60.0
    connections: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(speed=self.speed, service_speed=self.service_speed, timeout_s=self.timeout_s)
        require_at_least(1, connections=self.connections)
        Origin.parse(self.url)
        if isinstance(self.trace, UtilizationTrace):
            way_out = "make requests of it by `hindscale traces convert --full-load-rps`"
            raise ParameterError(f"{self.trace.name}: holds utilization, not requests; {way_out}")


class Progress(NamedTuple):
    """How far a replay is.

    Attributes:
        done_s: Of the trace.
        sent: Requests so far.
        ended: Of these.
        p99_s: Of their latencies; NaN before the first.
    """

    done_s: float
    sent: int
    ended: int
    p99_s: float


class Due(NamedTuple):
    """One request of a trace."""

    arrival_s: float
    input_tokens: int
    output_tokens: int


def replay(plan: LoadPlan, on_progress: Callable[[Progress], None] | None = None) -> LoadReport:
    """Send a trace's requests, and say what became of them.

    Ctrl-C ends it early; the report then says so.
    """
    return asyncio.run(Replay(plan, on_progress).run())


def requests_due(trace: Trace, template: RequestTemplate, seed: int) -> Iterator[Due]:
    """The requests of a trace, in order of arrival."""
    if isinstance(trace, RequestTrace):
        count = len(trace.arrival_s)
        inputs = _tokens(trace.input_tokens, template.input_tokens, count)
        outputs = _tokens(trace.output_tokens, template.output_tokens, count)
        yield from map(Due, trace.arrival_s.tolist(), inputs, outputs)
        return
    assert isinstance(trace, RateTrace)
    for chunk in arrival_chunks(trace, np.random.default_rng(seed)):
        for arrival_s in chunk.tolist():
            yield Due(arrival_s, template.input_tokens, template.output_tokens)


def _tokens(recorded: np.ndarray[tuple[int], np.dtype[np.float64]] | None, default: int, count: int) -> list[int]:
    """Token counts as a model takes them: at least one."""
    return [default] * count if recorded is None else np.maximum(recorded, 1).astype(np.int64).tolist()


class Replay:
    """One replay, while it lasts."""

    def __init__(self, plan: LoadPlan, on_progress: Callable[[Progress], None] | None) -> None:
        self._plan = plan
        self._on_progress = on_progress or (lambda _: None)
        self._tally = Tally(plan.slo, plan.service_speed)
        self._under_way: OrderedDict[Question, None] = OrderedDict()  # in order of their time-out
        self._all_ended = asyncio.Event()
        self._began_s = math.nan
        self._sent = 0

    async def run(self) -> LoadReport:
        """Send everything, wait for every end."""
        self._loop = asyncio.get_running_loop()
        origin = Origin.parse(self._plan.url)
        self._pool = Pool(origin, most=self._plan.connections)
        self._make = self._plan.template.maker(origin)
        self._began_s = self._loop.time()
        helpers = [self._loop.create_task(self._sweep()), self._loop.create_task(self._tell())]
        is_complete = False
        try:
            await self._send_all()
            await self._until_all_ended()
            is_complete = True
        except asyncio.CancelledError:
            self._give_up_all()  # Ctrl-C: tell what has been until now
        finally:
            await _cancelled(helpers)
            await self._pool.close()
        return self._tally.report(
            trace=self._plan.trace.name,
            url=self._plan.url,
            speed=self._plan.speed,
            duration_s=self._loop.time() - self._began_s,
            held_back=self._pool.held_back,
            is_complete=is_complete,
        )

    async def _send_all(self) -> None:
        for due in requests_due(self._plan.trace, self._plan.template, self._plan.seed):
            due_s = self._began_s + due.arrival_s / self._plan.speed
            while (early_s := due_s - self._loop.time()) > 0:
                await asyncio.sleep(min(early_s, LONGEST_SLEEP_S))
            self._send(due, due_s)
            if not self._sent % 64:
                await asyncio.sleep(0)  # who is late must still hear the answers

    def _send(self, due: Due, due_s: float) -> None:
        content = self._make(due.input_tokens, due.output_tokens)
        streamed = self._plan.template.api != "plain" and self._plan.template.is_streamed
        question = Question(
            content=content,
            due_s=due_s,
            on_end=partial(self._ended, due.arrival_s),
            output_tokens=due.output_tokens if streamed else 0,
        )
        self._sent += 1
        self._all_ended.clear()
        self._under_way[question] = None
        self._tally.sent(self._loop.time() - due_s)
        self._pool.ask(question)

    def _ended(self, arrival_s: float, question: Question) -> None:
        del self._under_way[question]
        self._tally.end(question, arrival_s, self._loop.time())
        if not self._under_way:
            self._all_ended.set()

    async def _until_all_ended(self) -> None:
        if self._under_way:
            await self._all_ended.wait()

    async def _sweep(self) -> None:
        """Give up what takes too long."""
        while True:
            await asyncio.sleep(SWEEP_S)
            before_s = self._loop.time() - self._plan.timeout_s
            while self._under_way and (oldest := next(iter(self._under_way))).due_s <= before_s:
                self._pool.give_up(oldest, "time-out")

    def _give_up_all(self) -> None:
        for question in tuple(self._under_way):
            self._pool.give_up(question, "interrupted")

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            done_s = (self._loop.time() - self._began_s) * self._plan.speed
            self._on_progress(Progress(done_s, self._sent, self._tally.ended, self._tally.p99_s))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
