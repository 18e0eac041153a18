"""A real Prometheus server, from Debian's package, for tests that speak to one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="no Prometheus on PATH (on Debian: apt-get install prometheus)",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(folder: Path, targets: list[str], *, interval: str = "1s") -> Iterator[str]:
    """A server that scrapes these targets; its address."""
    port = free_port()
    configuration = folder / "prometheus.yml"
    scrape = f"{{job_name: vllm, scrape_interval: {interval}, static_configs: [{{targets: {targets}}}]}}"
    configuration.write_text(f"scrape_configs: [{scrape if targets else ''}]\n")
    arguments = ["--config.file", configuration, "--storage.tsdb.path", folder / "data"]
    arguments += ["--web.listen-address", f"127.0.0.1:{port}", "--storage.tsdb.retention.time", "100y"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["prometheus", *map(str, arguments)], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(address, folder / "log")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait_until_ready(address: str, log: Path) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def backfill(folder: Path, lines: list[str]) -> None:
    """Write OpenMetrics samples, with their times, into a server's storage before it is started."""
    samples = folder / "samples.txt"
    samples.write_text("\n".join([*lines, "# EOF", ""]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(samples), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
