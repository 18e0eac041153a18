"""What tests of real processes share: looking for them, waiting for them, calling them."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from hindscale.live.local import LocalService

PATIENCE_S = 60.0
MARK = "HINDSCALE_TEST_MARK"
client = httpx.Client(timeout=30.0, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
"""For single questions: a client of its own for each would read the system's certificates each time."""


def processes(mark: str) -> dict[int, str]:
    """The living processes that carry a mark in their environment, and their commands."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # gone, or not ours
        if f"{MARK}={mark}".encode() in environment.split(b"\0") and state != "Z" and folder.name != str(os.getpid()):
            found[int(folder.name)] = command
    return found


def until(condition: Callable[[], object], *, what: str = "") -> None:
    """Wait for something to become true."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"did not happen: {what or condition}"
        time.sleep(0.01)


def scaled(service: LocalService, replicas: int) -> LocalService:
    """The service, once it has so many ready replicas and no others."""
    service.scale_to(replicas)
    until(lambda: service.counts().ready == replicas and service.counts().draining == 0, what=f"{replicas} ready")
    return service


def active_requests(service: LocalService) -> int:
    """Requests that the gateway has passed on and that are not answered yet."""
    page = client.get(service.metrics_url).text
    (line,) = re.findall(r'envoy_cluster_upstream_rq_active\{envoy_cluster_name="service"\} (\d+)', page)
    return int(line)


def members(service: LocalService) -> int:
    """Endpoints that the gateway knows: replicas, and the activator."""
    page = client.get(service.metrics_url).text
    (line,) = re.findall(r'envoy_cluster_membership_total\{envoy_cluster_name="service"\} (\d+)', page)
    return int(line)


class Visitors:
    """Clients that ask again and again until they are told to stop; every answer is kept.

    Attributes:
        statuses: How often each status came; an exception counts under its name.
    """

    def __init__(self, url: str, *, clients: int = 8, body: bytes | None = None) -> None:
        self.statuses: Counter[int | str] = Counter()
        self._url = url
        self._body = body
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(clients)]

    def _ask_on(self) -> None:
        with httpx.Client(timeout=30.0, verify=False) as client:
            while not self._stop.is_set():
                try:
                    answer = client.request("GET" if self._body is None else "POST", self._url, content=self._body)
                    self.statuses[answer.status_code] += 1
                except httpx.HTTPError as error:
                    self.statuses[type(error).__name__] += 1

    def __enter__(self) -> Visitors:
        for thread in self._threads:
            thread.start()
        until(lambda: self.statuses.total() >= len(self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
