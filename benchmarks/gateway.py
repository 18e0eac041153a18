"""What the gateway costs a request, against a plain Envoy in the same run.

Both pass the same requests of wrk to the same four backends, in turns. The figure is CPU time of the Envoy process
alone, over the requests that it passed: how fast the machine is, and who else uses it, hardly matters for the ratio.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from _measuring import Figure
from hindscale.live.local import LocalServiceSpec
from hindscale.live.local.envoy import Endpoint, Files, bootstrap, endpoints_file, find_envoy
from hindscale.live.ports import free_port

__all__ = ["TITLE", "measure"]

TITLE = "Gateway, against a plain Envoy with the same backends"
BACKENDS = 4
LOADS = (("GET", 32), ("POST", 32), ("GET", 256))
POST = 'wrk.method = "POST"; wrk.body = string.rep("x", 1000)'
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
BACKEND = """
import asyncio, sys
class Answer(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.rest = transport, b""
    def data_received(self, data):
        *heads, self.rest = (self.rest + data).split(b"\\r\\n\\r\\n")
        self.transport.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 13\\r\\n\\r\\nhello, world!" * len(heads))
async def main():
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Answer, "127.0.0.1", int(port)) for port in sys.argv[1:]]
    await asyncio.gather(*(server.serve_forever() for server in servers))
asyncio.run(main())
"""


def measure(*, quick: bool) -> Iterator[Figure]:
    if shutil.which("wrk") is None:
        yield Figure(name="CPU per request", value=float("nan"), unit="x", note="wrk is not on this machine.")
        return
    rounds, seconds = (3, 1) if quick else (7, 3)
    with ExitStack() as stack:
        ports = [free_port() for _ in range(BACKENDS)]
        stack.enter_context(process([sys.executable, "-c", BACKEND, *map(str, ports)]))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        envoys = {
            name: stack.enter_context(envoy(folder / name, configure, ports))
            for name, configure in (("plain", plain), ("gateway", gateway))
        }
        scripts = {"GET": folder / "get.lua", "POST": folder / "post.lua"}
        scripts["GET"].write_text("")
        scripts["POST"].write_text(POST)
        for method, connections in LOADS:
            taken = {name: [] for name in envoys}
            wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(scripts[method])]
            for _ in range(rounds):
                for name, (pid, port) in envoys.items():
                    taken[name].append(cpu_us_per_request(pid, [*wrk, f"http://127.0.0.1:{port}/"]))
            yield from figures(taken, f"{method}, {connections} connections")


def figures(taken: dict[str, list[float]], load: str) -> Iterator[Figure]:
    middle = {name: statistics.median(each) for name, each in taken.items()}
    for name, value in middle.items():
        yield Figure(name=f"{name}, {load}", value=value, unit="us CPU/request")
    ratios = [ours / theirs for ours, theirs in zip(taken["gateway"], taken["plain"], strict=True)]
    yield Figure(
        name=f"gateway over plain, {load}",
        value=statistics.median(ratios),
        unit="x",
        at_most=1.1,
        note="Median over rounds of neighbouring runs of wrk; keep-alive, 1 kB posted, 13 B back, one worker.",
    )


def cpu_us_per_request(pid: int, wrk: list[str]) -> float:
    """CPU of one process while wrk sends as fast as it is answered, over the requests that it had answered."""
    before = cpu_s(pid)
    said = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
    used_s = cpu_s(pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"requests failed: {said}")
    found = re.search(r"(\d+) requests in", said)
    assert found is not None
    return used_s / int(found[1]) * 1e6


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def gateway(folder: Path, port: int, backends: list[int]) -> dict:
    """What hindscale makes for a service with all its limits, and its endpoints."""
    files = Files.within(folder, folder)
    files.endpoints.parent.mkdir(parents=True)
    endpoints = [Endpoint(port=each) for each in backends]
    files.endpoints.write_text(json.dumps(endpoints_file(endpoints, free_port(), 1)))
    return bootstrap(LocalServiceSpec(command=("none",)), files, port, free_port())


def plain(folder: Path, port: int, backends: list[int]) -> dict:
    """The least that passes requests on: one route, one static cluster, the same balancing."""
    folder.mkdir()
    package = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{package}.http.router.v3.Router"}
    manager = {
        "@type": f"{package}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "all"}}]}
            ]
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    members = [{"endpoint": {"address": address(each)}} for each in backends]
    cluster = {
        "name": "all",
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {"cluster_name": "all", "endpoints": [{"lb_endpoints": members}]},
    }
    listener = {"name": "all", "address": address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@contextmanager
def envoy(folder: Path, configure: object, backends: list[int]) -> Iterator[tuple[int, int]]:
    """An Envoy with one worker: its process id and its port."""
    port = free_port()
    config = configure(folder, port, backends)
    (folder / "envoy.json").write_text(json.dumps(config))
    command = [str(find_envoy()[0]), "-c", str(folder / "envoy.json"), "--concurrency", "1", "--disable-hot-restart"]
    with process([*command, "--log-level", "error"]) as pid:
        time.sleep(1.0)
        yield pid, port


@contextmanager
def process(command: list[str]) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        try:
            yield started.pid
        finally:
            started.terminate()
