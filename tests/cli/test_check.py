"""The gate: exit codes, what is said, and paths that are relative to the budget's file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from hindscale.backtesting.promises import FIGURES
from hindscale.cli.main import main
from hindscale.traces import RateTrace, write_trace

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: it}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: it}
  minReplicas: 2
  maxReplicas: 9
"""
REQUESTS = [60, 120, 240, 180, 60.0]


def write_rates(path: Path, factor: float = 1.0) -> None:
    write_trace(RateTrace(name="rates", window_s=60.0, requests=factor * np.array(REQUESTS)), path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a trace and a manifest, and another one to call from."""
    write_rates(tmp_path / "rates.csv")
    (tmp_path / "hpa.yaml").write_text(MANIFEST)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def call(*arguments: str | Path) -> int:
    return main(["check", *map(str, arguments)])


def budget(place: Path, text: str, name: str = "budget.yaml") -> Path:
    (place / name).write_text(text)
    return place / name


SETTINGS = """
backtest:
  traces: [rates.csv]
  policies: ["hpa:manifest=hpa.yaml", "fixed:replicas=2"]
  slo: p90 < 2s
  seeds: 2
"""
ROOMY = SETTINGS + "budgets: [{at_most: {cost: 10, p99_s: 9s}, at_least: {slo_attainment: 50%}}]\n"
TIGHT = SETTINGS + "budgets: [{policy: hpa, at_most: {cost: 0.01}}, {policy: fixed, at_least: {utilization: 1%}}]\n"


def test_a_budget_that_is_kept_is_exit_code_0(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(budget(place, ROOMY)) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].startswith("6 of 6 promises kept")
    assert printed.err.startswith("assuming model-server: 4 slots")


def test_a_promise_that_is_broken_is_a_line_and_exit_code_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(budget(place, TIGHT)) == 1
    lines = capsys.readouterr().out.splitlines()
    (broken,) = [line for line in lines if line.startswith("broken: ")]
    assert broken.startswith("broken: hpa:manifest=hpa.yaml on rates: cost must be at most 0.01, was 0.")
    assert "% too much; " in broken
    assert lines[-1] == "1 of 2 promises kept"


def test_the_same_files_give_the_same_judgement(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = budget(place, TIGHT)
    said = [(call(path, "--format", "json"), capsys.readouterr().out) for _ in range(2)]
    assert said[0] == said[1]


@pytest.mark.parametrize("suffix", [".yaml", ".toml", ".json"])
def test_yaml_toml_and_json_say_the_same(place: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = {
        ".yaml": TIGHT,
        ".json": json.dumps(yaml.safe_load(TIGHT)),
        ".toml": (
            '[backtest]\ntraces = ["rates.csv"]\npolicies = ["hpa:manifest=hpa.yaml", "fixed:replicas=2"]\n'
            'slo = "p90 < 2s"\nseeds = 2\n[[budgets]]\npolicy = "hpa"\nat_most = { cost = 0.01 }\n'
            '[[budgets]]\npolicy = "fixed"\nat_least = { utilization = "1%" }\n'
        ),
    }
    assert call(budget(place, text[suffix], "budget" + suffix), "--format", "json") == 1
    values = json.loads(capsys.readouterr().out)
    assert [(each["policy"], each["figure"], each["is_kept"]) for each in values["judgements"]] == [
        ("hpa:manifest=hpa.yaml", "cost", False), ("fixed:replicas=2", "utilization", True)
    ]  # fmt: skip


def test_a_first_budget_is_written_and_kept(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = place / "budget.yaml"
    given = ("../rates.csv", "--policy", "hpa:manifest=../hpa.yaml", "--policy", "optimum", "--seeds", "2")
    assert call("--write", path, *given, "--slo", "p90<2s") == 0
    written = yaml.safe_load(path.read_text())
    # Called from elsewhere, paths are written relative to the file.
    assert written["backtest"]["traces"] == ["rates.csv"]
    assert written["backtest"]["policies"] == ["hpa:manifest=hpa.yaml", "optimum"]
    assert [entry["policy"] for entry in written["budgets"]] == ["hpa:manifest=hpa.yaml"]
    assert set(written["fingerprints"]["files"]) == {"hpa.yaml"}
    assert "# measured: cost_per_month " in path.read_text()
    capsys.readouterr()
    assert call(path) == 0
    assert "changed" not in capsys.readouterr().err


def test_changed_traffic_and_files_are_said_and_judged_all_the_same(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place / "budget.yaml"
    given = ("../rates.csv", "--policy", "hpa:manifest=../hpa.yaml", "--slo", "p90<2s", "--seeds", "2")
    assert call("--write", path, *given) == 0
    write_rates(place / "rates.csv", 4.0)
    (place / "hpa.yaml").write_text(MANIFEST.replace("minReplicas: 2", "minReplicas: 8"))
    capsys.readouterr()
    assert call(path, "--format", "json") == 1
    printed = capsys.readouterr()
    assert "traffic changed: rates is not what the budget was stated on" in printed.err
    assert "file changed: hpa.yaml is not what the budget was stated on" in printed.err
    assert len(json.loads(printed.out)["remarks"]) == 2


def test_a_run_folder_can_be_held_to_a_budget_and_be_its_baseline(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    given = ("rates.csv", "--policy", "hpa:manifest=hpa.yaml", "--slo", "p90<2s", "--seeds", "2", "--out", "run")
    assert main(["backtest", *given]) == 0
    path = budget(place, "run: run\nbaseline: run\nbudgets: [{at_most: {cost_times_baseline: 1.0}}]\n")
    monkeypatch.chdir(place / "elsewhere")
    assert call(path) == 0  # the same run costs the same to the last digit
    write_rates(place / "rates.csv", 6.0)
    capsys.readouterr()
    assert call(path) == 1
    printed = capsys.readouterr()
    assert "traffic changed: rates" in printed.err
    assert "cost_times_baseline must be at most 1, was 1." in printed.out


def test_flags_win_over_the_file_and_their_paths_are_the_callers(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = budget(place, ROOMY)
    write_rates(place / "elsewhere" / "other.csv", 2.0)
    assert call(path, "other.csv", "--seeds", "1", "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)
    assert {each["trace"] for each in values["judgements"]} == {"other"}
    assert all(each["half_width"] is None for each in values["judgements"])


def test_out_writes_the_run_where_the_caller_is(place: Path) -> None:
    assert call(budget(place, ROOMY), "--out", "run") == 0
    names = {path.name for path in (place / "elsewhere" / "run").iterdir()}
    assert names == {"run.json", "scores.json", "ticks.parquet", "report.html"}


def test_github_and_junit_forms(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = budget(place, TIGHT)
    assert call(path, "--format", "github") == 1
    assert f"::error file={path},title=hindscale check::hpa" in capsys.readouterr().out
    assert call(path, "--format", "junit") == 1
    assert ElementTree.fromstring(capsys.readouterr().out).get("failures") == "1"


ONE = "budgets: [{at_most: {cost: 1}}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE, "must say what is run: either run, a run.json, or backtest, its settings"),
        (SETTINGS + "run: run\n" + ONE, "must say what is run: either run"),
        (SETTINGS, "budgets: field required"),
        (SETTINGS + "budgets: []", "nothing is promised; state a figure under at_most or at_least"),
        (SETTINGS + "budgts: []", "budgts is not a setting; did you mean 'budgets'?"),
        (SETTINGS.replace("seeds", "sedes") + ONE, "backtest.sedes is not a setting; did you mean 'seeds'?"),
        (SETTINGS + "budgets: [{at_mst: {cost: 1}}]", "budgets.0.at_mst is not a setting; did you mean 'at_most'?"),
        (SETTINGS + "budgets: [{at_most: {coast: 1}}]", "budgets.0.at_most.coast is no figure; did you mean 'cost'?"),
        (SETTINGS + "budgets: [{at_least: {cost: 1}}]", "budgets.0.at_least.cost is better the less; state it under"),
        (SETTINGS + "budgets: [{at_most: {cost: x}}]", "budgets.0.at_most.cost: must be a number, was 'x'"),
        (SETTINGS + "budgets: [{policy: hpaa, at_most: {cost: 1}}]", "'hpaa' is not run; did you mean 'hpa'?"),
        (
            SETTINGS.replace('"fixed:replicas=2"', "optimum").replace('"hpa:manifest=hpa.yaml"', "fixed") + ONE,
            "budgets: all policies are hindsight, and a budget is for those that could be chosen",
        ),
        (SETTINGS + "baseline: gone.json\n" + ONE, "gone.json: cannot be read"),
        (SETTINGS + "baseline: hpa.json\n" + ONE, "hpa.json: expected the scores.json of a run"),
        (SETTINGS + "seeds: 2\nseeds: 3\n" + ONE, "expected YAML: seeds is stated twice"),
        ("backtest: [", "expected YAML"),
        ("- 1", "expected a table of settings, was list"),
        (SETTINGS.replace("rates.csv", "gone.csv") + ONE, "gone.csv"),
    ],
)
def test_a_wrong_budget_is_one_line_with_its_place(
    place: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "hpa.json").write_text('{"traces": 3}')
    path = budget(place, text)
    assert call(path) in (1, 2) if "gone.csv" in text else call(path) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert message in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone.yaml",), "gone.yaml: cannot be read: there is no such file; write a first one with `hindscale check"),
        ((), "Missing argument 'BUDGET'"),
        (("budget.yaml", "--format", "xml"), "--format must be one of table, json, github, junit, was 'xml'"),
        (("budget.yaml", "--jobs", "0"), "jobs must be a whole number >= 1"),
        (("budget.yaml", "--config", "a.toml"), "--config belongs to --write"),
        (("--write", "budget.toml", "chatbot"), "a budget is written as YAML; name it budget.yaml"),
        (("--write", "../hpa.yaml", "chatbot"), "../hpa.yaml: is there already"),
        (("--write", "new.yaml", "chatbot", "--margin", "-1"), "margin must be a number >= 0, was -1.0"),
        (("--write", "new.yaml"), "name at least one trace"),
    ],
)
def test_a_wrong_usage_is_one_line_and_exit_code_2(
    place: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said


def test_a_budget_for_hindsight_alone_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--write", "new.yaml", "../rates.csv", "--policy", "optimum", "--seeds", "1", "--slo", "p90<2s") == 2
    assert "a budget is for those that could be chosen; name another one" in capsys.readouterr().err
    assert not Path("new.yaml").exists()


def test_the_example_holds_in_a_process_of_its_own(tmp_path: Path) -> None:
    """As CI calls it, from another folder."""
    command = [sys.executable, "-m", "hindscale.cli.main", "check", str(ROOT / "examples" / "budget.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "4 of 4 promises kept"


def test_two_traces_are_promised_apart_and_what_misses_the_slo_is_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rates(place / "more.csv", 8.0)
    path = place / "budget.yaml"
    given = ("../rates.csv", "../more.csv", "--policy", "fixed:replicas=1", "--seeds", "1", "--slo", "p90<2s")
    assert call("--write", path, *given) == 0
    text = path.read_text()
    assert [entry["trace"] for entry in yaml.safe_load(text)["budgets"]] == ["more", "rates"]
    assert text.count("# This policy misses p90 < 2s: what is promised is less.") == 1
    capsys.readouterr()
    assert call(path) == 0


def test_what_was_interrupted_is_not_judged(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hindscale.cli.check.perform", lambda *_: (None, True))
    assert call(budget(place, ROOMY)) == 130
    assert call("--write", "new.yaml", "../rates.csv", "--seeds", "1") == 130
    assert not Path("new.yaml").exists()
    assert capsys.readouterr().out == ""


# -- the page about it ---------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")


def test_the_page_shows_the_example_and_names_every_figure() -> None:
    assert (ROOT / "examples" / "budget.yaml").read_text(encoding="utf-8").rstrip() in PAGE
    for name in FIGURES:
        assert f"`{name}`" in PAGE, name


def test_the_page_shows_what_a_broken_promise_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = (ROOT / "examples" / "budget.yaml").read_text(encoding="utf-8")
    worse = tmp_path / "worse.yaml"
    worse.write_text(example.replace("target_per_replica=9", "target_per_replica=30"))
    assert call(worse) == 1
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("broken"):
            assert line in PAGE
