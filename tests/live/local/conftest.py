"""Real processes: every one that a test starts is marked, and must be gone when the test is over."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hindscale.live.local import LocalService, LocalServiceSpec
from live_helpers import MARK, processes, until

SERVER = Path(__file__).with_name("server.py")


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Marks what a test starts, and sees that none of it is left."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield mark
    until(lambda: not processes(mark), what=f"the end of {processes(mark)}")


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., LocalService]]:
    """Starts services that are closed at the end; what is given goes to the server or to the spec."""
    services: list[LocalService] = []

    def make(*arguments: str, **given: object) -> LocalService:
        command = (sys.executable, "-S", str(SERVER), "{port}", *arguments)
        quick: dict[str, object] = {"probe_interval_s": 0.1, "folder": tmp_path / f"service-{len(services)}"}
        spec = LocalServiceSpec(**{"command": command, **quick, **given})  # type: ignore[arg-type]
        services.append(LocalService(spec))
        return services[-1].start()

    yield make
    for service in services:
        service.close()
