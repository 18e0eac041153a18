"""How many plain requests a second the load generator sends on one core, and how late it is below that."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

from _measuring import Figure
from gateway import BACKEND, process
from hindscale.live.load import LoadPlan, replay
from hindscale.live.ports import free_port
from hindscale.traces import RateTrace

__all__ = ["TITLE", "measure"]

TITLE = "Load generator"
RATE_RPS = 5000.0
CALM_RPS = 500.0


def measure(*, quick: bool) -> Iterator[Figure]:
    seconds = 2 if quick else 6
    port = free_port()
    with process([sys.executable, "-c", BACKEND, str(port)]):
        time.sleep(0.5)
        url = f"http://127.0.0.1:{port}"
        before = time.process_time()
        report = replay(LoadPlan(trace=steady(RATE_RPS, seconds), url=url))
        yield Figure(
            name=f"CPU per request at {RATE_RPS:,.0f} requests/s",
            value=(time.process_time() - before) / report.requests * 1e6,
            unit="us",
            note="A plain GET with keep-alive; the answering process runs beside it.",
        )
        report = replay(LoadPlan(trace=steady(CALM_RPS, seconds), url=url))
        yield Figure(name=f"sent late at {CALM_RPS:,.0f} requests/s, p99", value=report.lag.p99_s * 1e3, unit="ms")


def steady(rate_rps: float, seconds: int) -> RateTrace:
    return RateTrace(name="steady", window_s=1.0, requests=np.full(seconds, rate_rps))
