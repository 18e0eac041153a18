"""`hindscale run` as a real process: killed at any instant, waiting for its turn, ending in good order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hindscale.cli.main import main
from hindscale.live.lease import Lease
from hindscale.live.replay import replay, resume
from hindscale.live.store import StoreReader
from live.sources.pages import Pages, Vllm, served

SERVICE = """
name: chat
slo: p99 < 2s
service: {{slots: 4, service_time: 0.5s, cold_start: 2s}}
source: {{preset: vllm, pages: ["{address}/metrics"]}}
policy: predictive:window_s=0.1
shadows: [target-tracking, knative]
control_interval_s: 50ms
max_age_s: 1s
"""


class Busy(Vllm):
    """A server whose counters grow whenever it is looked at."""

    def page(self) -> str:
        self.served += 2
        self.running = random.Random(self.served).randint(0, 8)
        return super().page()


@pytest.fixture
def pages() -> Iterator[Pages]:
    with served(Busy().page) as pages:
        yield pages


@pytest.fixture
def service(pages: Pages, tmp_path: Path) -> Path:
    path = tmp_path / "service.yaml"
    path.write_text(SERVICE.format(address=pages.address))
    return path


def started(service: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hindscale.cli.main", "run", str(service), "--state", str(folder)]
    return subprocess.Popen(
        [*command, "--no-dashboard", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def ticks_in(folder: Path) -> int:
    try:
        reader = StoreReader(folder)
        row = reader.last_tick()
        reader.close()
    except Exception:  # not made yet
        return 0
    return 0 if row is None else int(row["id"])


def until(is_so: Callable[[], bool], *, at_most_s: float = 60.0) -> None:
    """Wait for something that happens in another process."""
    end_s = time.monotonic() + at_most_s
    while not is_so():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)


def test_killed_at_any_instant_it_loses_nothing_that_was_written_down(service: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    dice = random.Random(7)
    before = 0

    def at_least(ticks: int) -> Callable[[], bool]:
        return lambda: ticks_in(folder) >= ticks

    for _ in range(3):
        process = started(service, folder)
        try:
            until(at_least(before + 3))
            time.sleep(dice.uniform(0.0, 0.3))  # anywhere in a tick
        finally:
            process.kill()
            process.communicate()
        assert ticks_in(folder) >= before + 3
        before = ticks_in(folder)
    reader = StoreReader(folder)
    assert [row["id"] for row in reader.rows("SELECT id FROM ticks ORDER BY id")] == list(range(1, before + 1))
    assert reader.row("PRAGMA integrity_check")[0] == "ok"  # type: ignore[index]
    assert all(replay(reader, tick).agrees for tick in range(1, before + 1))
    resumed = resume(reader)
    assert resumed is not None
    assert (resumed.number, resumed.trouble) == (before, "")
    times = [row["time_s"] for row in reader.rows("SELECT time_s FROM ticks ORDER BY id")]
    assert times == sorted(times)
    reader.close()


def test_a_second_controller_waits_until_the_first_is_gone(service: Path, tmp_path: Path) -> None:
    """llm-d-autoscaling#1044: two installations that fight over one fleet."""
    folder = tmp_path / "state"
    first = started(service, folder)
    second = None
    try:
        until(lambda: ticks_in(folder) > 0)
        second = started(service, folder)
        assert second.stderr is not None
        lines = [second.stderr.readline() for _ in range(2)]
        assert lines[1] == f"process {first.pid} controls this fleet; waiting until it ends\n"
        first.kill()
        first.wait()
        at_death = ticks_in(folder)
        until(lambda: ticks_in(folder) > at_death)
        assert Lease(folder).holder == f"process {second.pid}"
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def test_asked_to_end_it_ends_in_good_order(service: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    process = started(service, folder)
    until(lambda: ticks_in(folder) > 0)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in said
    lease = Lease(folder)
    assert lease.try_acquire()
    lease.release()


def test_it_ends_by_itself_after_the_time_it_was_given(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    assert main(["run", str(service), "--state", str(folder), "--for", "1s", "--no-dashboard"]) == 0
    assert ticks_in(folder) > 0
    said = capsys.readouterr().err
    assert said.startswith("chat: predictive:window_s=0.1 decides in shadow, nothing is scaled (--act)\n")


def test_the_lease_is_one_processs_at_a_time(tmp_path: Path) -> None:
    first, second = Lease(tmp_path), Lease(tmp_path)
    assert first.try_acquire()
    assert not second.try_acquire()
    said: list[str] = []
    ended = threading.Event()
    ended.set()
    assert not second.acquire(wait=ended.wait, say=said.append)
    assert said == [f"process {os.getpid()} controls this fleet; waiting until it ends"]
    first.release()
    assert second.try_acquire()
    second.release()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("slo: p99 < 2s", "slo: fast"),
        ("preset: vllm", "preset: vlm"),
        ("preset: vllm, ", ""),
        ("policy: predictive", "polcy: predictive"),
        ("shadows: [target-tracking, knative]", "shadows: [target-traking]"),
        ("shadows: [target-tracking, knative]", "shadows: [fixed]"),
        ("control_interval_s: 50ms", "control_interval_s: soon"),
        ("name: chat", "name: [chat"),
    ],
)
def test_a_wrong_service_file_is_one_line_that_says_where(
    change: str, message: str, service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.write_text(service.read_text().replace(change, message))
    code = main(["run", str(service), "--state", str(tmp_path / "state"), "--for", "0s", "--no-dashboard"])
    said = capsys.readouterr().err.splitlines()
    assert code == 2
    assert said[-1].startswith("hindscale: ")
    assert len([line for line in said if line.startswith("hindscale: ")]) == 1
