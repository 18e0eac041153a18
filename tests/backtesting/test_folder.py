from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hindscale.backtesting import Backtest, BacktestResult
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.folder import fingerprint, tick_table, tick_writer, versions, write_result
from hindscale.backtesting.report import report_html
from hindscale.core import OutputError, ResourceRequest, ServiceProfile
from hindscale.core import files as core_files
from hindscale.simulation import Cluster, NodePool, SimulationSettings, VerticalAutoscaler
from hindscale.traces import RateTrace


def test_a_folder_holds_configuration_scores_and_report(compared: BacktestResult, tmp_path: Path) -> None:
    write_result(tmp_path / "run", compared, {"any": "configuration"})
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written == {"run.json", "scores.json", "report.html"}
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["config"] == {"any": "configuration"}
    assert set(run["traces"]) == {"rising", "recorded"}
    assert {"python", "numpy", "numba"} <= set(run["versions"])
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["finished_runs"] == 20


def test_tick_logs_are_written_in_the_order_of_runs_whatever_comes_first(
    compared: BacktestResult, tmp_path: Path
) -> None:
    backtest = compared.backtest
    outcomes = [backtest.perform(run, with_ticks=True) for run in backtest.runs]
    files = []
    for order in (outcomes, outcomes[::-1]):
        path = tmp_path / f"{len(files)}.parquet"
        with tick_writer(backtest, path) as writer:
            for outcome in order:
                writer.add(outcome)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    table = pq.read_table(tmp_path / "0.parquet").to_pylist()
    first = table[0]
    assert (first["trace"], first["policy"], first["seed"], first["time_s"]) == ("rising", "fixed", 0, 15.0)
    assert {"reason", "limited_by", "arrived", "met", "target", "queued"} <= set(first)
    assert len(table) == sum(len(outcome.ticks) for outcome in outcomes if outcome.ticks is not None)


@pytest.mark.parametrize("has_nodes", [False, True])
def test_what_was_not_simulated_has_no_column(rising: RateTrace, has_nodes: bool) -> None:
    pool = NodePool(name="gpu", cpu_cores=4, memory_gib=16, accelerators=1, price_per_hour=3.6)
    plan = Backtest(
        traces=(rising,),
        policies=policy_entries(("target-tracking",)),
        service=ServiceProfile(resource_request=ResourceRequest(accelerators=1)),
        settings=SimulationSettings(cluster=Cluster(pools=(pool,)) if has_nodes else None),
    )
    outcome = plan.perform(plan.runs[0], with_ticks=True)
    assert outcome.ticks is not None
    table = tick_table(plan, plan.runs[0], outcome.ticks)
    assert ({"nodes", "node_cost"} <= set(table.column_names)) == has_nodes
    if has_nodes:
        assert sum(table["node_cost"].to_pylist()) == pytest.approx(outcome.scores.cost)
        page = BacktestResult.of(plan, [outcome])
        assert "requests 0 CPU, 0 GiB, 1 nvidia.com/gpu; nodes: gpu (4 CPU, 16 GiB, 1 nvidia.com/gpu, 3.6 an hour)" in (
            report_html(page)
        )


def test_changing_requests_have_columns_and_are_named_on_the_page(rising: RateTrace) -> None:
    plan = Backtest(
        traces=(rising,),
        policies=policy_entries(("target-tracking",)),
        service=ServiceProfile(resource_request=ResourceRequest(cpu_cores=2)),
        settings=SimulationSettings(vertical=VerticalAutoscaler(controlled_resources=("cpu",))),
    )
    outcome = plan.perform(plan.runs[0], with_ticks=True)
    assert outcome.ticks is not None
    columns = set(tick_table(plan, plan.runs[0], outcome.ticks).column_names)
    assert {"cpu_request_cores", "memory_request_gib", "cpu_target_cores", "memory_target_gib", "evicted"} <= columns
    page = report_html(BacktestResult.of(plan, [outcome]))
    assert "1 an hour; vertical autoscaler: Recreate, cpu</p>" in page


def test_an_interruption_keeps_the_runs_that_were_finished(compared: BacktestResult, tmp_path: Path) -> None:
    backtest, path = compared.backtest, tmp_path / "ticks.parquet"
    finished = [backtest.perform(backtest.runs[number], with_ticks=True) for number in (0, 5)]

    def interrupted() -> None:
        with tick_writer(backtest, path) as writer:
            for outcome in finished:
                writer.add(outcome)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert set(pq.read_table(path, columns=["trace"])["trace"].to_pylist()) == {"rising", "recorded"}
    assert [path.name for path in tmp_path.iterdir()] == ["ticks.parquet"]


def test_a_failure_leaves_no_tick_log(compared: BacktestResult, tmp_path: Path) -> None:
    backtest = compared.backtest

    def failing() -> None:
        with tick_writer(backtest, tmp_path / "ticks.parquet") as writer:
            writer.add(backtest.perform(backtest.runs[0], with_ticks=True))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        failing()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_leaves_nothing(
    compared: BacktestResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(core_files.os, "fsync", full)
    with pytest.raises(OutputError, match=r"run\.json: cannot be written: No space left on device"):
        write_result(tmp_path, compared, {})
    assert not list(tmp_path.iterdir())


def test_the_same_traffic_has_the_same_fingerprint() -> None:
    one = RateTrace(name="a", window_s=60.0, requests=np.array([1.0, 2.0]))
    same = RateTrace(name="b", window_s=60.0, requests=np.array([1.0, 2.0]))
    other = RateTrace(name="a", window_s=60.0, requests=np.array([1.0, 3.0]))
    slower = RateTrace(name="a", window_s=30.0, requests=np.array([1.0, 2.0]))
    assert fingerprint(one) == fingerprint(same)
    assert len({fingerprint(each) for each in (one, other, slower)}) == 3


def test_versions_name_the_project() -> None:
    assert versions()["hindscale"]
