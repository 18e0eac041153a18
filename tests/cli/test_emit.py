from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from hindscale.cli.main import main
from hindscale.traces import RateTrace, write_trace


@pytest.fixture
def rates(tmp_path: Path) -> str:
    path = tmp_path / "rates.csv"
    write_trace(RateTrace(name="rates", window_s=60.0, requests=np.array([60, 120, 240, 180, 60.0])), path)
    return str(path)


def call(*arguments: str) -> int:
    return main(["emit", *arguments])


def test_the_manifest_goes_to_stdout_and_remarks_to_stderr(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(rates, "--policy", "hpa:target=70", "--name", "chat", "--namespace", "prod", "--seeds", "1") == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["metadata"] == {"name": "chat", "namespace": "prod"}
    assert printed.err.startswith("assuming model-server: 4 slots")


def test_a_file_is_read_back_to_the_same_backtest(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "hpa.yaml"
    assert call(rates, "--policy", "hpa:target=70,tolerance=0.05", "--seeds", "1", "--out", str(out)) == 0
    assert f"manifest: {out}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".csv"] == ["hpa.yaml"]
    line = next(line for line in out.read_text().splitlines() if line.startswith("# Read back by: "))
    read_back = shlex.split(line.removeprefix("# Read back by: "))
    assert read_back[:3] == ["hindscale", "backtest", "TRACE"]
    assert main(["backtest", rates, *read_back[3:], "--policy", "hpa:target=70,tolerance=0.05", "--seeds", "1"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "hpa:" in line]
    assert len(rows) >= 2


def test_the_settings_of_a_run_can_be_taken_from_its_folder(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    asked = ("--policy", "hpa:target=70", "--policy", "keda", "--seeds", "1", "--slots", "2", "--out", str(run))
    assert main(["backtest", rates, *asked]) == 0
    assert call("--config", str(run / "run.json")) == 2
    assert "emit writes one policy, was asked for 2 (hpa:target=70, keda)" in capsys.readouterr().err
    assert call("--config", str(run / "run.json"), "--policy", "hpa:target=70") == 0
    printed = capsys.readouterr().out
    assert "# For model-server: 2 slots" in printed
    rows = json.loads((run / "scores.json").read_text())["traces"][0]["policies"]
    cost = next(row["runs"][0]["cost"] for row in rows if row["policy"] == "hpa:target=70")
    assert f"#   cost {cost:.2f}, " in printed


def test_without_a_trace_there_is_a_bare_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--policy", "keda:target=3.5", "--max-replicas", "20", "--query", 'sum(x{a="b"})') == 0
    text = capsys.readouterr().out
    assert "# Nothing is predicted: it was not run on any traffic.\n" in text
    document = yaml.safe_load(text)
    assert document["metadata"]["name"] == "model-server"
    assert document["spec"]["maxReplicaCount"] == 20
    assert document["spec"]["triggers"][0]["metadata"]["query"] == 'sum(x{a="b"})'


def test_the_command_is_said_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HINDSCALE_EMIT_MAX_REPLICAS", "20")
    assert call("chatbot", "--policy", "hpa", "--name", "chat", "--no-predict", "--slo", "p95 < 17s") == 0
    first = capsys.readouterr().out.splitlines()[0]
    said = "hindscale emit chatbot --policy hpa --slo 'p95 < 17s' --max-replicas 20 --name chat --no-predict"
    assert first.endswith(f": {said}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chatbot"], "emit writes one policy: name it, such as --policy hpa:target=70"),
        (
            ["--policy", "hpa", "--policy", "keda", "--max-replicas", "9"],
            "emit writes one policy, was asked for 2 (hpa, keda)",
        ),
        (
            ["--policy", "hpa"],
            "max_replicas must be given where no trace says what the peak needs; --max-replicas 20",
        ),
        (
            ["--policy", "hpa", "--max-replicas", "9", "--name", ""],
            (
                "name must be a DNS label (lower-case letters, digits and '-', a letter first, at most 63 characters),"
                " was ''; such as chat-server"
            ),
        ),
        (
            ["--policy", "hpa", "--max-replicas", "9", "--name", "a\nkind: Secret"],
            (
                "name must be a DNS label (lower-case letters, digits and '-', a letter first, at most 63 characters),"
                " was 'a\\nkind: Secret'; such as chat-server"
            ),
        ),
    ],
)
def test_a_wrong_use_is_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == f"hindscale: {message}"
    assert not printed.out


def test_a_place_that_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--policy", "hpa", "--max-replicas", "9", "--out", str(tmp_path / "no" / "hpa.yaml")) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_vertical_autoscaler_of_the_configuration_comes_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "emit.toml"
    config.write_text('policies = ["hpa"]\nmax_replicas = 9\n[vertical]\nmax_allowed = { cpu_cores = 3.5 }\n')
    assert call("--config", str(config), "--name", "chat") == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds == ["HorizontalPodAutoscaler", "VerticalPodAutoscaler"]


def test_the_example_in_the_docs_is_what_is_printed(
    real_traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "emitting.md").read_text()
    block = re.search(r"```console\n\$ (hindscale emit (\S+) .*)\n((?:.*\n)*?)```", page)
    assert block is not None
    command, trace, printed = block.groups()
    (tmp_path / trace).symlink_to(real_traces / trace)
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 0
    without_version = re.compile(r"^# Made by hindscale \S+:", re.MULTILINE)
    assert without_version.sub("", capsys.readouterr().out) == without_version.sub("", printed)
