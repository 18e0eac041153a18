from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from hindscale.cli.main import main
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, write_trace


@pytest.fixture
def rates(tmp_path: Path) -> str:
    path = tmp_path / "rates.csv"
    write_trace(RateTrace(name="rates", window_s=60.0, requests=np.array([60, 120, 240, 180, 60.0])), path)
    return str(path)


def call(*arguments: str) -> int:
    return main(["backtest", *arguments])


QUICK = ("--policy", "fixed", "--policy", "predictive", "--seeds", "1", "--slo", "p99<2s")


def test_the_answer_goes_to_stdout_and_remarks_to_stderr(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(rates, "--policy", "fixed", "--policy", "predictive", "--seeds", "2") == 0
    printed = capsys.readouterr()
    assert "predictive" in printed.out
    assert "meets the SLO" in printed.out
    assert max(map(len, printed.out.splitlines())) <= 80
    assert printed.err.startswith("assuming model-server: 4 slots")


def test_json_is_json_and_nothing_else(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(rates, *QUICK, "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)
    assert [row["policy"] for row in values["traces"][0]["policies"]]


def test_a_run_folder_can_be_repeated_to_the_last_digit(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    given = ("--policy", "predictive:alpha=0.7", "--policy", "utilization", "--seeds", "2", "--slots", "2",
             "--service-time", "300ms", "--service-cv", "0.4", "--guardrail", "cooldown:down_s=30", "--lag", "5s",
             "--burstiness", "0.5", "--scale", "1.5", "--warm-up", "1min")  # fmt: skip
    assert call(rates, *given, "--out", str(first)) == 0
    assert call("--config", str(first / "run.json"), "--out", str(second)) == 0
    for name in ("scores.json", "ticks.parquet", "report.html", "run.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert {path.name for path in first.iterdir()} == {"run.json", "scores.json", "ticks.parquet", "report.html"}


CLUSTER = """
policies = ["target-tracking", "fixed:replicas=3"]
seeds = 2

[service.resource_request]
cpu_cores = 4
memory_gib = 20.5
accelerators = 1

[cluster]
placement = "most-allocated"
expander = ["most-pods", "least-waste"]
scale_down_unneeded_time_s = "1min"

[[cluster.pools]]
name = "gpu"
cpu_cores = 15
memory_gib = 60
accelerators = 2
price_per_hour = 2.5
min_nodes = 1
machine_delay = "10s"
node_start = { kind = "lognormal", mean_s = "1min", cv = 0.5 }
image_pull = { kind = "empirical", values_s = [20, 30] }
"""


def test_a_run_with_nodes_can_be_repeated_to_the_last_digit(rates: str, tmp_path: Path) -> None:
    config, first, second = tmp_path / "backtest.toml", tmp_path / "first", tmp_path / "second"
    config.write_text(CLUSTER)
    assert call(rates, "--config", str(config), "--out", str(first)) == 0
    assert call("--config", str(first / "run.json"), "--out", str(second)) == 0
    for name in ("scores.json", "ticks.parquet", "report.html", "run.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    table = pq.read_table(first / "ticks.parquet")
    assert min(table["nodes"].to_pylist()) >= 1
    assert sum(table["node_cost"].to_pylist()) > 0
    kept = json.loads((first / "run.json").read_text())["config"]
    assert kept["service"]["resource_request"]["memory_gib"] == 20.5
    assert kept["cluster"]["scale_down_unneeded_time_s"] == 60.0
    # What was left to defaults is written down too.
    assert kept["cluster"]["scan_interval_s"] == 10.0
    assert kept["cluster"]["pools"][0]["max_nodes"] == 100


VERTICAL = """
[service.resources]
cpu = { idle = 0.1, full = 0.3 }
memory = { idle = 0.2, full = 0.25 }

[vertical]
manifest = "MANIFEST"
min_allowed = { cpu_cores = 0.3 }
max_allowed = { cpu_cores = 3.3, memory_gib = 12.75 }
recommender_interval_s = "15s"
eviction_requirements = [{ resources = ["cpu", "memory"], change_requirement = "TargetLowerThanRequests" }]

[vertical.recommender]
target_cpu_percentile = 0.95
confidence_interval_cpu_s = "1min"

[vertical.updater]
in_recommendation_bounds_eviction_lifetime_threshold_s = "2min"
"""
MANIFEST = """
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: it}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: it}
  updatePolicy: {updateMode: Auto, minReplicas: 2}
"""


def test_a_run_with_changing_requests_can_be_repeated_without_the_manifest(rates: str, tmp_path: Path) -> None:
    config, first, second = tmp_path / "backtest.toml", tmp_path / "first", tmp_path / "second"
    manifest = tmp_path / "vpa.yaml"
    manifest.write_text(MANIFEST)
    config.write_text(CLUSTER + VERTICAL.replace("MANIFEST", str(manifest)))
    assert call(rates, "--config", str(config), "--out", str(first)) == 0
    manifest.unlink()
    assert call("--config", str(first / "run.json"), "--out", str(second)) == 0
    for name in ("scores.json", "ticks.parquet", "report.html", "run.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    table = pq.read_table(first / "ticks.parquet")
    assert sum(table["evicted"].to_pylist()) > 0
    assert 0.3 <= min(table["cpu_request_cores"].to_pylist()) < 4
    kept = json.loads((first / "run.json").read_text())["config"]["vertical"]
    assert (kept["manifest"], kept["update_mode"], kept["min_replicas"]) == (None, "Auto", 2)
    assert kept["max_allowed"] == {"cpu_cores": 3.3, "memory_gib": 12.75}
    assert kept["recommender"]["recommendation_margin_fraction"] == 0.15
    assert kept["updater_interval_s"] == 60.0


def test_a_replica_too_large_for_every_node_is_one_line(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "backtest.toml"
    config.write_text(CLUSTER.replace("memory_gib = 20.5", "memory_gib = 80"))
    assert call(rates, "--config", str(config)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no node pool has nodes for a replica that requests 4 CPU, 80 GiB, 1 nvidia.com/gpu: gpu" in said
    assert said.endswith("Insufficient memory; request less or add a pool of larger nodes\n")


def test_a_trace_that_has_changed_is_not_taken_for_the_old_one(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(rates, *QUICK, "--out", str(tmp_path / "run")) == 0
    write_trace(RateTrace(name="rates", window_s=60.0, requests=np.array([1.0, 2.0])), rates)
    assert call("--config", str(tmp_path / "run" / "run.json")) == 2
    assert "trace rates is not the one that the run was made from" in capsys.readouterr().err


def test_flags_win_over_the_environment_over_the_file(
    rates: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "backtest.toml"
    config.write_text(
        f'traces = ["{rates}"]\npolicies = ["fixed"]\nslo = "p99 < 4s"\nseeds = 4\n'
        'control_interval_s = "30s"\n[service]\nslots = 3\n'
        'service_time = {kind = "lognormal", mean_s = "200ms", cv = 1}\n'
    )

    def answer(*flags: str) -> dict[str, Any]:
        assert call("--config", str(config), "--format", "json", *flags) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert (answer()["slo"], answer()["asked_runs"]) == ("p99 < 4s", 4)
    monkeypatch.setenv("HINDSCALE_BACKTEST_SEEDS", "3")
    assert answer()["asked_runs"] == 3
    assert answer("--seeds", "2")["asked_runs"] == 2


def test_several_traces_and_settings_for_all_policies(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "recorded.parquet"
    write_trace(RequestTrace(name="recorded", arrival_s=np.arange(1.0, 100.0)), other)
    assert call(rates, str(other), *QUICK, "--set", "alpha=0.7", "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)
    assert [each["trace"] for each in values["traces"]] == ["rates", "recorded"]
    assert {row["policy"] for row in values["traces"][0]["policies"]} == {"fixed", "predictive:alpha=0.7"}


def test_flags_that_cut_the_trace_or_change_the_service_win_over_a_run(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(rates, *QUICK, "--out", str(tmp_path / "run")) == 0
    again = ("--config", str(tmp_path / "run" / "run.json"), "--format", "json")
    assert call(*again, "--for", "3min") == 0
    assert call(*again, "--service", "driving", "--slo", "p90<150ms") == 0
    capsys.readouterr()


@pytest.mark.parametrize("text", ['{"config": {}, "traces": ["a"]}', '{"config": "x"}'])
def test_a_run_file_of_another_shape_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(text)
    assert call("--config", str(tmp_path / "run.json")) == 2
    assert "expected a table under" in capsys.readouterr().err


def test_the_readable_engine_gives_the_same_answer(rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for engine in ("fast", "readable"):
        assert call(rates, *QUICK, "--engine", engine, "--format", "json") == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name at least one trace"),
        (("nosuch",), "nosuch: neither a file nor an application; known: chatbot"),
        (("chatbt",), "did you mean 'chatbot'"),
        (("chatbot", "--policy", "target-traking"), "did you mean 'target-tracking'"),
        (("chatbot", "--policy", "predictive:alpha=70"), r"alpha must be in (0, 1], was 70.0; did you mean 0.7?"),
        (("chatbot", "--policy", "predictive:alpa=1"), "did you mean 'alpha'"),
        (("chatbot", "--policy", "predictive:alpha"), "expected key=value, was 'alpha'"),
        (("chatbot", "--policy", "optimum:alpha=1"), "optimum has no parameters, was given alpha"),
        (("chatbot", "--policy", "hpa:manifest=nosuch.yaml"), "nosuch.yaml cannot be read: No such file"),
        (("chatbot", "--set", "alpha"), "--set must be key=value"),
        (("chatbot", "--set", "alpa=1"), "did you mean 'alpha'"),
        (("chatbot", "--guardrail", "cooldwn"), "did you mean 'cooldown'"),
        (("chatbot", "--guardrail", "bounds"), "set min_replicas and max_replicas instead"),
        (("chatbot", "--min-replicas", "5", "--max-replicas", "2"), "min_replicas must be <= max_replicas, but 5 > 2"),
        (("chatbot", "--slots", "0"), "slots must be a whole number >= 1, was 0"),
        (("chatbot", "--slots", "x"), "valid integer"),
        (("chatbot", "--cold-start", "-5s"), "value_s must be a number >= 0, was -5.0"),
        (("chatbot", "--service-cv", "0.3"), "--service-cv needs --service-time"),
        (("chatbot", "--cold-start-cv", "0.3"), "--cold-start-cv needs --cold-start"),
        (("chatbot", "--service-time", "0s"), "mean_service_time_s must be a number > 0"),
        (("chatbot", "--slo", "fast"), "slo must look like 'p99 < 2s'"),
        (("chatbot", "--slo", "p99<1ms"), "cannot be met by any fleet"),
        (("chatbot", "--seeds", "0"), "seeds must be a whole number >= 1"),
        (("chatbot", "--jobs", "0"), "jobs must be a whole number >= 1"),
        (("chatbot", "--interval", "soon"), "control_interval_s"),
        (("chatbot", "--from", "2d"), "nothing lies between"),
        (("chatbot", "--scale", "0"), "factor must be a number > 0"),
        (("chatbot", "--warm-up", "2d"), "warm_up_s must be shorter than the trace"),
        (("chatbot", "--engine", "warp"), "engine"),
        (("chatbot", "--fill", "x"), "fill"),
        (("chatbot", "--format", "xml"), "--format must be table or json"),
        (("chatbot", "--service", "chatbt"), "did you mean 'chatbot'"),
        (("chatbot", "driving"), "the traces call for different services"),
        (("chatbot", "chatbot"), "'chatbot' appears twice"),
        (("chatbot", "--config", "nosuch.toml"), "nosuch.toml: cannot be read"),
        (("--polcy", "x"), "No such option: --polcy"),
    ],
)
def test_a_wrong_usage_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith("hindscale: ")
    assert message in printed.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [", "expected TOML"),
        ("sedes = 3", "sedes is not a setting; did you mean 'seeds'?"),
        ("[service]\nslot = 3", "service.slot is not a setting; did you mean 'slots'?"),
        ("seeds = 'many'", "seeds: input should be a valid integer"),
        ("[service]\ncold_start = 'soon'", "service.cold_start: "),
        ("[service]\nbalancer = 'fair'", "service.balancer: input should be 'round-robin'"),
        ("[service.resources.cpu]\nidel = 0.1", "did you mean 'idle'"),
        ("[monitoring]\nlag = 3", "did you mean 'lag_s'"),
        ("[cluster]\nplacement = 'tight'", "cluster.pools: field required"),
        ("[cluster]\npool = []", "cluster.pool is not a setting; did you mean 'pools'?"),
        ("[[cluster.pools]]\nname = 'a'", "cluster.pools.0.cpu_cores: field required"),
        (
            "[[cluster.pools]]\nname='a'\ncpu_cores=1\nmemory_gib=1\nimage_pul=3",
            "cluster.pools.0.image_pul is not a setting; did you mean 'image_pull'?",
        ),
        ("[service.resource_request]\ngpus = 1", "service.resource_request.gpus is not a setting"),
        ("[vertical]\nmode = 'Off'", "vertical.mode is not a setting; known: controlled_resources"),
        ("[vertical.recommender]\ntarget_percentile = 1", "did you mean 'target_cpu_percentile'?"),
        (
            "[vertical]\nmax_allowed = { cpu = 2 }",
            "vertical.max_allowed.cpu is not a setting; known: cpu_cores, memory_gib",
        ),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "backtest.toml"
    config.write_text(text)
    assert call("chatbot", "--config", str(config)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"hindscale: {config}: ")
    assert message in said


def test_a_bad_file_is_one_line_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("arrival_s\n1\n3\n2\n")
    assert call(str(path)) == 1
    assert "row 3 has 2 after 3" in capsys.readouterr().err


def test_utilization_is_pointed_to_the_converter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cpu.csv"
    write_trace(UtilizationTrace(name="cpu", window_s=60.0, utilization=np.array([0.4, 0.5])), path)
    assert call(str(path)) == 2
    assert "hindscale traces convert --full-load-rps" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(
    rates: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert call(rates, *QUICK, "--out", str(tmp_path / "taken")) == 1
    assert "taken: cannot be made a folder" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(rates: str, tmp_path: Path) -> None:
    """A real file system that is full: a file size limit that the tick log exceeds."""
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from hindscale.cli.main import main
sys.exit(main(["backtest", {rates!r}, "--seeds", "1", "--policy", "fixed", "--out", {str(tmp_path / "run")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").iterdir())


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nosuch", "--debug") == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.rstrip().endswith("driving, monitoring, recommendation")


@pytest.mark.parametrize(("jobs", "how"), [("1", "INT"), ("2", "INT"), ("2", "INT INT"), ("1", "TERM"), ("2", "TERM")])
def test_an_interruption_leaves_what_was_finished(tmp_path: Path, jobs: str, how: str) -> None:
    """After the first runs are done, the group gets Ctrl-C, once or twice, or the process is asked to end."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "hindscale.cli.main", "backtest", "chatbot", "--days", "3", "--seeds", "40",
               "--policy", "fixed", "--jobs", jobs, "--out", str(out)]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    aside = out / "missing"
    deadline = time.monotonic() + 60
    # The tick log grows beside its destination when a run is done.
    while time.monotonic() < deadline and process.poll() is None:
        aside = next(out.glob(".ticks.parquet.*"), aside) if out.exists() else aside
        if aside.exists() and aside.stat().st_size > 1000:
            break
        time.sleep(0.05)
    for each in how.split():
        if each == "TERM":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert said.rstrip().endswith("hindscale: interrupted")
    assert "of 40 runs were finished" in printed
    assert {path.name for path in out.iterdir()} == {"run.json", "scores.json", "ticks.parquet", "report.html"}
    finished = json.loads((out / "scores.json").read_text())["finished_runs"]
    assert 0 < finished < 40
    assert len(set(pq.read_table(out / "ticks.parquet", columns=["seed"])["seed"].to_pylist())) == finished
    assert _ends(process.pid), "processes of the group are left behind"


def _ends(group: int) -> bool:
    """Whether every process of a group ends within a few seconds: helpers notice that their parent has gone."""
    for _ in range(100):
        listing = subprocess.run(["ps", "-eo", "pgid="], capture_output=True, text=True, check=True).stdout.split()
        if str(group) not in listing:
            return True
        time.sleep(0.1)
    return False
