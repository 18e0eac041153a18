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

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def rates(tmp_path: Path) -> str:
    path = tmp_path / "rates.csv"
    write_trace(RateTrace(name="rates", window_s=60.0, requests=np.array([60, 120, 240, 180, 60.0])), path)
    return str(path)


def call(*arguments: str) -> int:
    return main(["what-if", *arguments])


QUICK = ("--policy", "fixed:replicas=3", "--policy", "predictive", "--seeds", "2", "--slo", "p90<2s")


def test_the_answer_goes_to_stdout_and_remarks_to_stderr(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(rates, *QUICK, "--if", "traffic=2x", "--if", "half:price=0.5x") == 0
    printed = capsys.readouterr()
    assert "→ base: " in printed.out
    assert "→ traffic=2x costs " in printed.out
    assert "→ half saves " in printed.out
    assert max(map(len, printed.out.splitlines())) <= 80
    assert printed.err.startswith("assuming model-server: 4 slots")


def test_json_is_json_and_nothing_else(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(rates, *QUICK, "--if", "large:slots=8,price=2", "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)
    (alternative,) = values["alternatives"]
    assert (alternative["name"], alternative["changes"]) == ("large", {"slots": "8", "price": "2"})
    assert {each["policy"] for each in alternative["answers"][0]["policies"]} == {"fixed:replicas=3", "predictive"}
    assert values["base"]["finished_runs"] == alternative["finished_runs"] == 4


def test_a_run_folder_can_be_repeated_to_the_last_digit(rates: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    given = ("--if", "traffic=1.5x", "--if", "large:slots=8,service_time=+20%,price=2", "--burstiness", "0.5")
    assert call(rates, *QUICK, *given, "--out", str(first)) == 0
    assert call("--config", str(first / "run.json"), "--out", str(second)) == 0
    assert {path.name for path in first.iterdir()} == {"run.json", "scores.json", "report.html"}
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_a_backtest_takes_the_same_run_file_and_leaves_the_alternatives(rates: str, tmp_path: Path) -> None:
    assert call(rates, *QUICK, "--if", "traffic=2x", "--out", str(tmp_path / "run")) == 0
    assert main(["backtest", "--config", str(tmp_path / "run" / "run.json")]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chatbot",), "--if must say what could be different, such as --if traffic=2x, was not given"),
        (("chatbot", "--if", "trafic=2x"), "trafic=2x: nothing is called 'trafic'; did you mean 'traffic'?"),
        (("chatbot", "--if", "traffic"), "an alternative must look like 'cold_start=30s'"),
        (("chatbot", "--if", "slots=0"), "slots=0: slots must be a whole number >= 1, was 0"),
        (("chatbot", "--if", "service_time=10min"), "service_time=10min: slo p95 < 16s cannot be met by any fleet"),
        (("chatbot", "--if", "price=2", "--if", "price=2"), "'price=2' appears twice"),
        (("chatbot", "--if", "price=2", "--format", "xml"), "--format must be table or json, was 'xml'"),
        (("chatbot", "--if", "price=2", "--jobs", "0"), "jobs must be a whole number >= 1"),
        (("--if", "price=2"), "name at least one trace"),
    ],
)
def test_a_wrong_usage_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("hindscale: ")
    assert message in said.splitlines()[-1]


def test_an_interruption_shows_what_was_finished(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-u", "-m", "hindscale.cli.main", "what-if", "chatbot", "--days", "3", "--seeds", "40",
               "--policy", "fixed:replicas=20", "--if", "price=2", "--jobs", "1", "--out", str(out)]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("assuming chatbot")  # what is left to do is the runs
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.rstrip().endswith("hindscale: interrupted")
    assert "of 80 runs were finished" in printed
    assert {path.name for path in out.iterdir()} == {"run.json", "scores.json", "report.html"}


def test_the_docs_show_what_the_recording_gives(real_traces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "what-if.md").read_text(encoding="utf-8")
    given = ("--policy", "hpa", "--policy", "predictive", "--if", "traffic=2x", "--if", "cold_start=30s",
             "--if", "price=+20%", "--if", "large:slots=32,service_time=+20%,price=4")  # fmt: skip
    assert call(str(real_traces / "azure_llm_2023_conv.parquet"), *given) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line.rstrip() in page
