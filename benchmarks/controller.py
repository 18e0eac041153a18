"""What a controller with ten shadow policies costs at one tick a second, and how long its dashboard takes for a day."""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _measuring import Figure, in_fresh_process, peak_memory_bytes

TITLE = "Controller, 1 s ticks, ten shadows"
DAY = 86_400
PAGE_TICKS = 60
SHADOWS = (
    "predictive",
    "hpa",
    "keda",
    "knative",
    "ray-serve",
    "skyserve",
    "normal-model",
    "utilization",
    "aibrix-kpa",
    "aws-target-tracking",
)

__all__ = ["TITLE", "measure"]


def measure(*, quick: bool) -> Iterator[Figure]:
    ticks = 1200 if quick else DAY
    found = in_fresh_process("controller", "a_day", ticks)
    hours = f"{ticks / 3600:g} h"
    yield Figure(
        name=f"CPU of one core, {hours} of ticks at once",
        value=found["cpu_s"] / ticks * 100,
        unit="%",
        at_most=5,
        note="Decisions, eleven simulated fleets, the store, and the gateway's page read and parsed at every tick.",
    )
    yield Figure(name=f"memory after {hours}", value=found["memory_mb"], unit="MB", at_most=300)
    yield Figure(name="disk for 24 h", value=found["disk_mb"] / ticks * DAY, unit="MB")
    yield Figure(
        name="dashboard with 24 h on it, until all is drawn",
        value=found["page_s"],
        unit="s",
        at_most=1,
        note="In headless Chromium on the same machine, from opening the page to the last chart; median of five."
        " Where fewer ticks were run, they are copied until a day is full.",
    )
    yield Figure(name=f"restart after {hours}", value=found["resume_s"], unit="s")


def a_day(ticks: int) -> dict[str, float]:
    """Run so many ticks as fast as they go, on pages like a gateway's, and look at them in a browser."""
    folder = Path(tempfile.mkdtemp(prefix="hindscale-bench-"))
    try:
        return _a_day(folder, ticks)
    finally:
        shutil.rmtree(folder)


def _a_day(folder: Path, ticks: int) -> dict[str, float]:
    from hindscale.core import Lognormal, ServiceProfile, Slo
    from hindscale.live.controller import Controller
    from hindscale.live.dashboard import Address, DashboardServer
    from hindscale.live.plan import Plan
    from hindscale.live.replay import resume
    from hindscale.live.store import Store, StoreReader

    plan = Plan(
        name="bench",
        profile=ServiceProfile(slots=8, service_time=Lognormal(mean_s=0.4, cv=0.5)),
        slo=Slo.parse("p99 < 2s"),
        shadows=SHADOWS,
        control_interval_s=1.0,
        max_replicas=40,
        act=True,
    )
    clock = _Hasty(ticks)
    begin_wall_s = time.time() - ticks
    controller = Controller(
        plan,
        source=_source(clock),
        fleet=_Obedient(),
        store=(store := Store(folder)),
        clock=clock.clock,
        begin_with=1,
        wall_s=lambda: begin_wall_s + clock.now_s,
    )
    clock.left = PAGE_TICKS  # compile, and fill what fills
    controller.run()
    clock.left = ticks
    begun_s = time.process_time()
    controller.run()
    cpu_s = time.process_time() - begun_s
    memory_mb = peak_memory_bytes() / 1e6
    disk_mb = sum(each.stat().st_size for each in folder.iterdir()) / 1e6
    _fill_a_day(folder, ticks)
    server = DashboardServer(controller, folder, Address(port=0))
    server.start()
    page_s = _page_s(server.url)
    server.close()
    store.close()
    begun_s = time.perf_counter()
    reader = StoreReader(folder)
    resume(reader)
    resume_s = time.perf_counter() - begun_s
    return {"cpu_s": cpu_s, "memory_mb": memory_mb, "disk_mb": disk_mb, "page_s": page_s, "resume_s": resume_s}


def _fill_a_day(folder: Path, ticks: int) -> None:
    """Copy ticks into the past until there are a day of them."""
    figures = (
        "rate_rps, queued, ready, starting, provisioning, draining, desired, target, before, changed, held, acted,"
    )
    figures += " arrived, gone, met, replica_s, p50_s, p95_s, p99_s"
    with sqlite3.connect(folder / "decisions.sqlite") as database:
        for copy in range(1, DAY // ticks):
            shift = copy * ticks
            database.execute(
                f"INSERT INTO ticks SELECT id - {shift} - {PAGE_TICKS}, time_s - {shift}, wall_s - {shift}, plan,"
                f" {figures} FROM ticks WHERE id > {PAGE_TICKS}"
            )
            database.execute(
                f"INSERT INTO texts SELECT tick - {shift} - {PAGE_TICKS}, observation, limited_by, reason, trouble,"
                f" shadows FROM texts WHERE tick > {PAGE_TICKS}"
            )
    database.close()


class _Hasty:
    """A clock whose seconds pass at once."""

    def __init__(self, ticks: int) -> None:
        from hindscale.live.clock import WallClock

        self.now_s = 0.0
        self.left = ticks
        self.clock = WallClock(now_s=lambda: self.now_s, wait=self.wait)

    def wait(self, seconds: float) -> bool:
        self.left -= 1
        self.now_s += seconds
        return self.left < 0


class _Obedient:
    """A fleet that is as large as it is asked to be."""

    replicas = 1
    paid_s = 0.0

    def scale_to(self, replicas: int) -> None:
        self.replicas = replicas

    def counts(self) -> Any:
        from hindscale.live.fleet import ReplicaCounts

        return ReplicaCounts(ready=self.replicas, starting=0)

    def replica_seconds(self) -> float:
        self.paid_s += self.replicas
        return self.paid_s

    def cold_starts_s(self) -> list[float]:
        return [30.0]

    def waiting_requests(self) -> int:
        return 0


def _source(clock: _Hasty) -> Any:
    """A gateway's page, written as Envoy writes it and fetched over a socket: a day's shape around 50/s."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from hindscale.live.sources import ScrapeSource, preset

    label = 'envoy_http_conn_manager_prefix="service"'
    bounds = [*(2.0 * 10 ** (step / 8) * 1000 for step in range(-16, 13)), math.inf]
    state = {"arrived": 0.0, "at_s": -1.0}

    def page() -> str:
        rate = 50 + 40 * math.sin(clock.now_s / 86_400 * 2 * math.pi) + 5 * math.sin(clock.now_s / 300)
        if clock.now_s != state["at_s"]:
            state["arrived"] += round(rate)
            state["at_s"] = clock.now_s
        arrived = state["arrived"]
        lines = [
            f"envoy_http_downstream_rq_total{{{label}}} {arrived:.0f}",
            f'envoy_http_downstream_rq_xx{{envoy_response_code_class="2",{label}}} {arrived:.0f}',
            f"envoy_http_downstream_rq_active{{{label}}} {rate * 0.4:.0f}",
            f"envoy_server_uptime {clock.now_s + 1:.0f}",
        ]
        for bound in bounds:
            within = arrived * min(1.0, bound / 1000)
            le = "+Inf" if math.isinf(bound) else repr(bound)
            lines.append(f'envoy_http_downstream_rq_time_bucket{{{label},le="{le}"}} {within:.0f}')
        return "\n".join(lines) + "\n"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = page().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    return ScrapeSource(lambda: [address], preset("envoy"), bound_s=2.0, window_s=1.0)


def _page_s(url: str) -> float:
    """From opening the dashboard, showing a day, to the last chart; NaN without a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return math.nan
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1180, "height": 900})
            begun_s = time.perf_counter()
            page.goto(f"{url}?since=86400")
            page.wait_for_selector("html[data-ready]")
            page.wait_for_function("() => document.querySelectorAll('.u-wrap canvas').length === 4")
            times.append(time.perf_counter() - begun_s)
            page.close()
        browser.close()
    return sorted(times)[2]
