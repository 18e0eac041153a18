"""The first thing a newcomer runs: one command, a link, a table, and nothing left behind."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from hindscale.cli.main import main
from live_helpers import MARK, processes, until


def test_a_demo_shows_itself_promotes_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    state = tmp_path / "state"
    command = [sys.executable, "-m", "hindscale.cli.main", "demo", "--for", "15s", "--port", "0", "--state", str(state)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert demo.stderr is not None
        said = [demo.stderr.readline() for _ in range(2)]
        (link,) = re.findall(r"dashboard: (http://127\.0\.0\.1:\d+/)", said[1])
        until(lambda: httpx.get(f"{link}api/v1/status").json()["tick"] is not None)
        assert httpx.get(f"{link}api/v1/status").json()["mode"] == "acting"
        assert main(["promote", "predictive", "--state", str(state)]) == 0
        until(lambda: httpx.get(f"{link}api/v1/status").json()["policy"] == "predictive")
        assert main(["rollback", "--state", str(state)]) == 0
        out, _ = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.communicate()
    assert demo.returncode == 0
    assert "this fleet, measured" in out
    assert "target-tracking, simulated" in out
    until(lambda: not processes(mark), what=f"the end of {processes(mark)}")


def test_without_a_run_there_is_nothing_to_promote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", "predictive", "--state", str(tmp_path)]) == 1
    assert "no run serves a dashboard here; start one with `hindscale run`" in capsys.readouterr().err
