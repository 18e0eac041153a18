"""Replays at real servers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hindscale.core.errors import ParameterError
from hindscale.core.slo import Slo
from hindscale.live.load import LoadPlan, Progress, replay
from hindscale.live.load_requests import RequestTemplate
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, read_trace

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextlib.contextmanager
def server(behave: Behave) -> Iterator[str]:
    """A server in a thread of its own; `behave` is called for each connection."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    listening = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def stop() -> None:
        listening.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


def steady(count: int, for_s: float) -> RequestTrace:
    return RequestTrace(name="steady", arrival_s=np.linspace(0.0, for_s, count))


def test_every_request_of_a_trace_is_sent_once() -> None:
    with server(answer_all) as url:
        report = replay(LoadPlan(trace=steady(300, 60.0), url=url, speed=120.0, slo=Slo.parse("p99 < 5s")))
    assert (report.requests, report.answered, report.statuses) == (300, 300, {200: 300})
    assert report.slo_attainment == report.minutes_attainment == 1.0
    assert report.is_complete
    assert report.latency.p50_s <= report.latency.max_s < 5.0


def test_rates_become_the_same_arrivals_for_the_same_seed() -> None:
    trace = RateTrace(name="rates", window_s=1.0, requests=np.array([50.0, 0.0, 30.0]))
    with server(answer_all) as url:
        plan = LoadPlan(trace=trace, url=url, speed=10.0, seed=4)
        counts = [replay(each).requests for each in (plan, plan, replace(plan, seed=5))]
    assert counts[0] == counts[1] != counts[2]


def test_a_stall_is_felt_by_all_who_were_due_in_it() -> None:
    """Coordinated omission: one connection stalls, and a generator that waited would measure one slow request."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = 0
        while await reader.readuntil(b"\r\n\r\n"):
            if served == 10:
                await asyncio.sleep(0.5)
            writer.write(OK)
            served += 1

    with server(stall) as url:
        report = replay(LoadPlan(trace=steady(100, 1.0), url=url, connections=1))
    # One connection: the stall holds back all that are due in its half second, 50 of the 100.
    assert report.answered == 100
    assert report.latency.p90_s > 0.3
    assert report.held_back > 30


def test_answers_are_not_waited_for() -> None:
    arrived: list[int] = []
    gate = threading.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.append(1)
        while not gate.is_set():
            await asyncio.sleep(0.005)
        writer.write(OK)

    def open_when_all_have_arrived(_: Progress) -> None:
        if len(arrived) == 40:
            gate.set()

    with server(hold) as url:
        report = replay(LoadPlan(trace=steady(40, 0.1), url=url), open_when_all_have_arrived)
    assert report.answered == 40


def test_what_goes_wrong_is_counted_by_its_kind() -> None:
    async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        kind = head.split()[1]
        if kind == b"/lost":
            writer.transport.abort()
        elif kind == b"/bad":
            writer.write(b"what?\r\n\r\n")
        elif kind == b"/error":
            writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            await asyncio.sleep(60)

    def outcome(url: str) -> tuple[dict[int, int], dict[str, int]]:
        report = replay(LoadPlan(trace=steady(3, 0.01), url=url, timeout_s=0.5, slo=Slo.parse("p99 < 2s")))
        assert report.slo_attainment == 0.0
        return report.statuses, report.failures

    with server(misbehave) as url:
        assert outcome(f"{url}/lost") == ({}, {"connection lost": 3})
        assert outcome(f"{url}/bad") == ({}, {"bad answer": 3})
        assert outcome(f"{url}/error") == ({503: 3}, {})
        assert outcome(f"{url}/slow") == ({}, {"time-out": 3})
    assert outcome(url) == ({}, {"no connection": 3})


def test_a_stream_is_timed_by_its_first_byte_and_its_tokens() -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for part in (b"data: 1\n\n", b"data: 2\n\n"):
            await asyncio.sleep(0.1)
            writer.write(part)

    two = np.array([2.0, 2.0])
    trace = RequestTrace(name="tokens", arrival_s=np.array([0.0, 0.1]), input_tokens=two, output_tokens=two)
    with server(stream) as url:
        report = replay(LoadPlan(trace=trace, url=url, template=RequestTemplate(api="chat")))
    assert report.answered == 2
    assert 0.1 <= report.first_byte.max_s < report.latency.max_s
    assert report.per_token.mean_s == pytest.approx(report.latency.mean_s - report.first_byte.mean_s, rel=0.01)


def test_utilization_is_no_traffic() -> None:
    trace = UtilizationTrace(name="cpu", window_s=60.0, utilization=np.array([0.5]))
    with pytest.raises(ParameterError, match="cpu: holds utilization, not requests; make requests of it by"):
        LoadPlan(trace=trace, url="http://a")


def test_a_recorded_hour_begins_as_it_was_recorded(real_traces: Path) -> None:
    trace = read_trace(real_traces / "azure_llm_2023_conv.parquet").between(0.0, 60.0)
    with server(answer_all) as url:
        report = replay(LoadPlan(trace=trace, url=url, speed=60.0))
    assert report.answered == report.requests == trace.total_requests == 191
