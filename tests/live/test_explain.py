"""A decision in words, made again."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import pytest

from hindscale.cli.explain import moment
from hindscale.cli.main import main
from hindscale.core import ParameterError
from hindscale.live.command import Command
from hindscale.live.explain import explain
from hindscale.live.store import StoreReader
from live.doubles import a_plan, steady
from live.rig import Rig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run in which data went missing, and the bounds bit."""

    def load(now_s: float) -> dict[str, float] | None:
        if 10 < now_s < 20:
            return {"ongoing_requests": math.nan, "arrival_rate_rps": 40.0}
        return steady(40.0)(now_s)

    rig = Rig(tmp_path, a_plan(act=True, max_age_s=5.0), load, ticks=30)
    rig.after(24, lambda controller: controller.submit(Command(kind="bounds", min_replicas=1, max_replicas=3))).run()
    return tmp_path


def text_at(folder: Path, tick: int) -> str:
    reader = StoreReader(folder)
    try:
        return explain(reader, 1_700_000_100.5 + tick).text
    finally:
        reader.close()


def test_it_says_what_was_measured_wanted_limited_and_what_others_would_do(folder: Path) -> None:
    text = text_at(folder, 30)
    assert "decision 30 of chat: 3 → 3 replicas" in text
    assert "arrivals 40/s, answers 0/s, in service 20, waiting 0" in text
    assert "p99 1s; 0s old" in text
    assert (
        "wanted      5 replicas, target-tracking:target_per_replica=4 (bounds 1..3): 20 requests / 4 per replica"
        in text
    )
    assert "limited by  bounds: 5 → 3" in text
    assert "asked for   3 replicas, carried out" in text
    assert "others      fixed:replicas=3: has 3 ready, asks for 3: always 3" in text
    assert "made again  the same result" in text


def test_it_says_why_the_fleet_was_held(folder: Path) -> None:
    text = text_at(folder, 15)
    assert "ongoing_requests is not a number" in text
    assert "held, policy not asked: hold: ongoing_requests is not a number" in text


def test_a_record_that_was_changed_is_found_out(folder: Path) -> None:
    with sqlite3.connect(folder / "decisions.sqlite") as database:
        database.execute("UPDATE ticks SET target = 7 WHERE id = 15")
    database.close()
    assert "ANOTHER result" in text_at(folder, 15)


def test_the_command_prints_it_in_both_forms(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "now", "--state", str(folder)]) == 0
    assert "decision 30 of chat" in capsys.readouterr().out
    assert main(["explain", "now", "--state", str(folder), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tick"], found["target"], found["agrees"]) == (30, 3, True)
    assert found["limits"] == [{"name": "bounds", "wanted": 5, "allowed": 3}]
    assert found["states"]["queued_requests"] == "a true zero"


def test_a_folder_without_decisions_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "now", "--state", str(tmp_path)]) == 1
    assert "holds no decisions; name the folder that `hindscale run --state` wrote" in capsys.readouterr().err


def test_times_as_people_write_them() -> None:
    assert moment("now") - moment("5min") == pytest.approx(300, abs=5)
    assert moment("2026-03-01T09:00:00+00:00") == 1772355600
    assert moment("09:00") == moment("09:00:00")
    with pytest.raises(ParameterError, match="TIME must be now, a date and time"):
        moment("yesterdayish")
