"""What goes wrong with a whole live run, with real processes: in no case is the fleet shrunk because data are missing,
a running request cut, or a process left behind. Tests are named after what happened to others.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hindscale.live.clock import WallClock
from hindscale.live.controller import Controller
from hindscale.live.local import LocalService, LocalServiceSpec
from hindscale.live.sources import ScrapeSource, preset
from hindscale.live.store import Store, StoreReader
from live.doubles import PROFILE, a_plan
from live.sources.pages import Pages, served
from live_helpers import MARK, Visitors, client, processes, until

SERVER = Path(__file__).parent / "local" / "server.py"
FILTER = preset("envoy").path.partition("?")[2]
WANTED = 3


class Live:
    """A run on real processes whose metrics pass through the test's hands."""

    def __init__(self, folder: Path) -> None:
        spec = LocalServiceSpec(
            command=(sys.executable, "-S", str(SERVER), "{port}"),
            probe_interval_s=0.1,
            folder=folder / "fleet",
            slots=4,
        )
        self.service = LocalService(spec).start()
        self.lie: Callable[[str], str] = lambda page: page
        self._serving = served(self._page)
        self.pages: Pages = self._serving.__enter__()
        plan = a_plan(
            act=True,
            policy="target-tracking:target_per_replica=3,tolerance=0.3",
            shadows=(),
            profile=PROFILE,
            control_interval_s=0.2,
            max_age_s=0.6,
            max_replicas=4,
        )
        self._clock = WallClock()
        self._store = Store(folder)
        self._source = ScrapeSource(
            lambda: [self.pages.address],
            preset("envoy").with_labels({"envoy_http_conn_manager_prefix": "service"}),
            bound_s=2.0,
            window_s=0.2,
            timeout_s=0.3,
        )
        self.controller = Controller(
            plan,
            source=self._source,
            fleet=self.service,
            store=self._store,
            clock=self._clock,
            begin_with=1,
        )
        self._thread = threading.Thread(target=self.controller.run)
        self._thread.start()

    def _page(self) -> str:
        return self.lie(client.get(f"{self.service.metrics_url}?{FILTER}").text)

    @property
    def held(self) -> int:
        return self.controller.board.state.held_ticks

    @property
    def target(self) -> int:
        record = self.controller.board.state.record
        return 0 if record is None or record.tick.target is None else record.tick.target.replicas

    def close(self) -> None:
        self._clock.stop()
        self._thread.join()
        self._source.close()
        self._serving.__exit__(None, None, None)
        self.service.close()
        self._store.close()


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Marks what a test starts, and sees that none of it is left."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield mark
    until(lambda: not processes(mark), what=f"the end of {processes(mark)}")


@pytest.fixture
def live(mark: str, tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path)
    yield live
    live.close()


def targets_since(folder: Path, number: int) -> set[int]:
    reader = StoreReader(folder)
    rows = reader.rows("SELECT target FROM ticks WHERE id > ? AND target IS NOT NULL", (number,))
    reader.close()
    return {row["target"] for row in rows}


def zeroed(page: str) -> str:
    """Every number but the server's clock is zero."""
    return re.sub(r"^(envoy_http\S*) .*$", r"\1 0", page, flags=re.MULTILINE)


FAULTS = {
    "gone (keda#965)": lambda live: setattr(live.pages, "status", 503),
    "empty (llm-d-autoscaling#1376)": lambda live: setattr(live, "lie", lambda _: ""),
    "slow (keda#6475)": lambda live: setattr(live.pages, "delay_s", 1.0),
    "dribbling": lambda live: setattr(live.pages, "dribble_s", 0.2),
    "zeros (aibrix#1014)": lambda live: setattr(live, "lie", zeroed),
    "no numbers (dynamo#6985)": lambda live: setattr(
        live, "lie", lambda page: re.sub(r"^(envoy_http\S*active\S*) .*$", r"\1 NaN", page, flags=re.MULTILINE)
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fleet_is_held_while_its_metrics_are(live: Live, tmp_path: Path, fault: str) -> None:
    with Visitors(f"{live.service.url}/?s=0.5") as visitors:
        until(lambda: live.service.counts().ready >= WANTED, what="a fleet of three")
        held = live.held
        FAULTS[fault](live)
        # Ticks that were under way may still have seen good numbers.
        until(lambda: live.held >= held + 2, what="two held ticks")
        number = live.controller.board.state.ticks
        until(lambda: live.held >= held + 8, what="eight held ticks")
        (target,) = targets_since(tmp_path, number)
        counts = live.service.counts()
        assert counts.ready + counts.starting >= target
    assert set(visitors.statuses) == {200}


def test_frozen_metrics_are_not_a_steady_load(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hindscale.live.sources.scrape.FROZEN_AFTER_S", 1.5)
    with Visitors(f"{live.service.url}/?s=0.5"):
        until(lambda: live.service.counts().ready >= WANTED)
        page = live._page()
        live.lie = lambda _: page
        held = live.held
        until(lambda: live.held >= held + 3, what="a held fleet")
    # Everybody has left, and nobody knows: the fleet stays.
    number = live.controller.board.state.ticks
    until(lambda: live.controller.board.state.ticks >= number + 5)
    assert min(targets_since(tmp_path, number)) >= WANTED


def test_all_replicas_lost_and_metrics_gone_is_still_the_same_fleet(live: Live, mark: str, tmp_path: Path) -> None:
    with Visitors(f"{live.service.url}/?s=0.5"):
        until(lambda: live.service.counts().ready >= WANTED)
        live.pages.status = 503
        held = live.held
        until(lambda: live.held > held + 3)
        wanted = live.target
        number = live.controller.board.state.ticks
        for pid, words in processes(mark).items():
            if re.match(r"\S*python\S* -S", words):
                os.kill(pid, signal.SIGKILL)
        until(lambda: live.service.counts().ready < WANTED)
        until(lambda: live.service.counts().ready >= wanted, what="the same fleet again")
        assert targets_since(tmp_path, number) == {wanted}


def test_a_gateway_restart_is_no_drop_in_traffic(live: Live, mark: str, tmp_path: Path) -> None:
    with Visitors(f"{live.service.url}/?s=0.5"):
        until(lambda: live.service.counts().ready >= WANTED)
        number = live.controller.board.state.ticks
        (envoy,) = (pid for pid, words in processes(mark).items() if re.match(r"\S*envoy --config-path", words))
        os.kill(envoy, signal.SIGKILL)
        until(lambda: live.controller.board.state.ticks >= number + 15)
        # What was in the gateway is lost with it, so that for a moment there really is less to do.
        assert min(targets_since(tmp_path, number)) >= WANTED - 1


def test_scaling_down_cuts_no_request(live: Live) -> None:
    """dynamo#13565, kthena#1589: requests aborted by a scale-down."""
    url = f"{live.service.url}/?s=1.5"
    statuses: list[int] = []
    visitors = Visitors(f"{live.service.url}/?s=0.3", clients=10)
    with visitors:
        until(lambda: live.service.counts().ready >= WANTED)
        threads = [threading.Thread(target=lambda: statuses.append(client.get(url).status_code)) for _ in range(6)]
        for thread in threads:
            thread.start()
    until(lambda: live.service.counts().ready == 1, what="a small fleet again")
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert set(visitors.statuses) == {200}


SERVICE = """
name: chat
slo: p99 < 2s
service: {{slots: 4, service_time: 0.5s, cold_start: 1s}}
fleet:
  command: [python, -S, "{server}", "{{port}}"]
  probe_interval_s: 0.1
policy: fixed:replicas=2
shadows: []
guardrails: []
control_interval_s: 100ms
min_replicas: 1
max_replicas: 4
"""


def test_a_controller_that_is_killed_leaves_no_process_and_comes_back_to_the_same_fleet(
    mark: str, tmp_path: Path
) -> None:
    service = tmp_path / "service.yaml"
    service.write_text(SERVICE.format(server=SERVER))
    folder = tmp_path / "state"
    command = [sys.executable, "-m", "hindscale.cli.main", "run", str(service), "--act", "--state", str(folder)]

    def servers() -> int:
        return sum(bool(re.match(r"\S*python\S* -S", words)) for words in processes(mark).values())

    for _ in range(2):
        process = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: servers() == 2, what="two replicas")
        finally:
            process.kill()
            process.communicate()
        until(lambda: not processes(mark), what="the end of everything it had started")
    reader = StoreReader(folder)
    acted = reader.rows("SELECT target FROM ticks WHERE acted ORDER BY id")
    reader.close()
    assert {row["target"] for row in acted} == {2}
