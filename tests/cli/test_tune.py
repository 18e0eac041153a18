from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hindscale.cli.main import main
from hindscale.traces import RateTrace, write_trace


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("traces") / "waves.csv"
    minutes = np.arange(60)
    write_trace(RateTrace(name="waves", window_s=60.0, requests=900 + 660 * np.sin(2 * np.pi * minutes / 20)), path)
    return str(path)


def call(*arguments: str) -> int:
    return main(["tune", *arguments])


QUICK = ("--policy", "target-tracking", "--seeds", "2", "--slo", "p95<2s", "--trials", "8", "--jobs", "1")


def test_the_answer_goes_to_stdout_and_remarks_to_stderr(waves: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(waves, *QUICK) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("waves: tuned on the first 36min, judged on the 24min after")
    assert "→ target-tracking: " in printed.out
    assert printed.err.startswith("assuming model-server: 4 slots")


def test_a_tuning_can_be_repeated_from_its_folder_to_the_last_digit(waves: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    given = ("--train", "30min", "--reserve", "0.2", "--tune", "tolerance", "--tune", "target_per_replica=1..4")
    assert call(waves, *QUICK, *given, "--no-optimum", "--out", str(first)) == 0
    assert call("--config", str(first / "run.json"), "--jobs", "2", "--out", str(second)) == 0
    assert {path.name for path in first.iterdir()} == {"run.json", "trials.jsonl", "tuned.json", "judged"}
    for name in ("run.json", "tuned.json", "judged/scores.json", "judged/report.html", "judged/run.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    asked = json.loads((first / "run.json").read_text())["tuning"]
    assert asked == {
        "tune": ["tolerance", "target_per_replica=1..4"], "train": "30min", "trials": 8, "reserve": 0.2,
        "optimum": False,
    }  # fmt: skip


def test_the_judgement_is_a_backtest_that_can_be_repeated(waves: str, tmp_path: Path) -> None:
    out, again = tmp_path / "tuned", tmp_path / "again"
    assert call(waves, *QUICK, "--out", str(out)) == 0
    assert main(["backtest", "--config", str(out / "judged" / "run.json"), "--out", str(again)]) == 0
    assert (again / "scores.json").read_bytes() == (out / "judged" / "scores.json").read_bytes()


def test_what_was_found_is_what_backtest_takes(waves: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(waves, *QUICK, "--format", "policy") == 0
    entry = capsys.readouterr().out.strip()
    assert entry.startswith("target-tracking")
    assert main(["backtest", waves, "--policy", entry, "--seeds", "1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["traces"][0]["policies"][0]["policy"] == entry


def test_without_a_recommendation_there_is_no_policy_to_print(waves: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(waves, *QUICK, "--max-replicas", "2", "--no-optimum", "--format", "policy") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "none of 8 settings keeps the SLO in training" in printed.err


def test_several_policies_share_one_table(waves: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--policy", "predictive", "--tune", "alpha=0.5..1", "--tune", "target_per_replica", "--format", "json")
    assert call(waves, *QUICK, *asked, "--no-optimum") == 0
    values = json.loads(capsys.readouterr().out)
    assert [each["space"] for each in values["policies"]] == [
        {"target_per_replica": "0.57..4.28"},
        {"alpha": "0.5..1"},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one trace"),
        (("chatbot",), "name at least one policy to tune, such as --policy hpa"),
        (("chatbot", "--policy", "schedule:entries=08:00=3"), "schedule: declares nothing tunable"),
        (("chatbot", "--policy", "hpa", "--tune", "targt=50..90"), "did you mean 'target'?"),
        (("chatbot", "--policy", "hpa", "--tune", "target=50"), "--tune target must look like target=LOW..HIGH or A|B"),
        (("chatbot", "--policy", "hpa", "--train", "2d"), "--train must leave something to judge on: 2d of 1d"),
        (("chatbot", "--policy", "hpa", "--train", "much"), "--train must be a number with a unit"),
        (("chatbot", "--policy", "hpa", "--train", "60"), "--train must be a share in (0, 1) or a duration"),
        (("chatbot", "--policy", "hpa", "--trials", "0"), "trials must be a whole number >= 1, was 0"),
        (("chatbot", "--policy", "hpa", "--reserve", "1"), "reserve must be in [0, 1), was 1"),
        (("chatbot", "--policy", "hpa", "--jobs", "0"), "jobs must be a whole number >= 1, was 0"),
        (("chatbot", "--policy", "hpa", "--for", "2min"), "are needed (10 that p95 < 16s forgives)"),
        (("chatbot", "--policy", "hpa", "--format", "xml"), "--format must be one of table, json, policy, was 'xml'"),
        (
            ("chatbot", "--policy", "hpa", "--slo", "p95<6s"),
            "p95 < 6s cannot be met by any fleet: the service time alone reaches 13.9s",
        ),
    ],
)
def test_a_wrong_usage_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err.splitlines()[-1]
    assert printed.err.splitlines()[-1].startswith("hindscale: ")


def test_a_folder_of_another_tuning_is_one_line(waves: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(waves, *QUICK, "--trials", "2", "--no-optimum", "--out", str(tmp_path)) == 0
    assert call(waves, *QUICK, "--slots", "3", "--no-optimum", "--out", str(tmp_path)) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "holds runs of another trace, service or version; choose another folder, or remove it" in said


def test_a_setting_of_tuning_that_nobody_knows_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.json"
    config.write_text('{"config": {"traces": ["chatbot"], "policies": ["hpa"]}, "traces": {}, "tuning": {"trails": 3}}')
    assert call("--config", str(config)) == 2
    assert "tuning.trails is not a setting; did you mean 'trials'?" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_tuning_shows_the_best_and_goes_on_to_the_same_result(
    waves: str, tmp_path: Path, jobs: str
) -> None:
    """After the first runs are in the journal, the whole group gets Ctrl-C."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    asked = (waves, *QUICK, "--trials", "60", "--no-optimum")
    command = [sys.executable, "-m", "hindscale.cli.main", "tune", *asked, "--jobs", jobs, "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    journal, deadline = out / "trials.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > 12:
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.rstrip().endswith("hindscale: interrupted")
    assert "best so far is target-tracking" in printed
    assert "! interrupted after" in printed
    assert json.loads((out / "tuned.json").read_text())["interrupted"]
    assert call(*asked, "--out", str(out)) == 0
    assert call(*asked, "--out", str(whole)) == 0
    assert (out / "tuned.json").read_bytes() == (whole / "tuned.json").read_bytes()
