"""A backtest of one's own service in two commands, out of a real Prometheus that holds real traffic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hindscale.cli.main import main
from hindscale.core.errors import ParameterError
from hindscale.live.importing import import_trace
from hindscale.live.sources.prometheus import PrometheusServer
from hindscale.traces import RateTrace, read_trace
from live.prometheus_server import backfill, needs_prometheus, prometheus

BEGIN_S = 1_700_000_040  # on a whole minute
STARTS = 4


def openmetrics(requests: list[float], *, hole: range = range(0)) -> list[str]:
    """Two replicas of vLLM that answer so many requests in each minute, every fourth in up to two seconds."""
    counts = dict.fromkeys((0, 1), 0.0)
    totals: list[str] = []
    running: list[str] = []
    buckets: dict[str, list[str]] = {bound: [] for bound in ("0.5", "2.0", "+Inf")}
    sums: list[str] = []
    number: list[str] = []
    started: list[str] = []
    for minute, count in enumerate([0.0, *requests]):
        at = BEGIN_S + 60 * minute
        if minute in hole:
            continue
        for replica in counts:
            counts[replica] += count / 2
            label = f'instance="r{replica}"'
            done = counts[replica]
            totals.append(f"vllm:request_success_total{{{label}}} {done} {at}")
            running.append(f"vllm:num_requests_running{{{label}}} {min(count / 60, 6) // 1} {at}")
            for bound, share in (("0.5", 0.75), ("2.0", 1.0), ("+Inf", 1.0)):
                line = f'vllm:e2e_request_latency_seconds_bucket{{{label},le="{bound}"}} {done * share} {at}'
                buckets[bound].append(line)
            sums.append(f"vllm:e2e_request_latency_seconds_sum{{{label}}} {done * 0.5} {at}")
            number.append(f"vllm:e2e_request_latency_seconds_count{{{label}}} {done} {at}")
            # Started again every now and then, seen 45 s later.
            every = len(requests) // STARTS
            start_s = BEGIN_S + 60 * (minute // every * every) - 45
            started.append(f"process_start_time_seconds{{{label}}} {start_s} {at}")
    return [
        "# TYPE vllm:request_success counter", *totals,
        "# TYPE vllm:num_requests_running gauge", *running,
        "# TYPE vllm:e2e_request_latency_seconds histogram", *(line for lines in buckets.values() for line in lines),
        *sums, *number,
        "# TYPE process_start_time_seconds gauge", *started,
    ]  # fmt: skip


@needs_prometheus
def test_two_commands_backtest_a_service_from_its_history(
    real_traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = read_trace(real_traces / "azure_llm_2023_conv.parquet").to_rates(60.0)
    assert isinstance(recorded, RateTrace)
    requests = recorded.requests.tolist()
    backfill(tmp_path, openmetrics(requests, hole=range(20, 23)))
    end_s = BEGIN_S + 60 * len(requests)
    monkeypatch.setattr("hindscale.live.importing.require_answer", lambda _: float(end_s))
    out = tmp_path / "chat"
    with prometheus(tmp_path, []) as address:
        arguments = ["import", "prometheus", address, "--preset", "vllm", "--since", f"{len(requests)}min"]
        assert main([*arguments, "--step", "1min", "--slo", "p95<2s", "--out", str(out)]) == 0
    said = capsys.readouterr()
    trace = read_trace(out / "trace.parquet")
    assert isinstance(trace, RateTrace)
    whole = slice(30, min(len(trace.requests), len(requests)))
    offset = len(requests) - len(trace.requests)
    np.testing.assert_allclose(trace.requests[whole], requests[30 + offset : whole.stop + offset], rtol=0.02, atol=1)
    assert "cold_start" in said.err
    config = (out / "service.toml").read_text()
    assert 'slo = "p95<2s"' in config
    assert "slots = " in config
    assert "mean_s = 0.5" in config
    assert 'cold_start = { kind = "empirical", values_s = [45.0,' in config
    command = said.out.splitlines()[-1].split()[1:]
    assert main([*command, "--seeds", "1", "--policy", "target-tracking"]) == 0
    assert "target-tracking" in capsys.readouterr().out


@needs_prometheus
def test_what_cannot_be_traffic_is_refused(tmp_path: Path) -> None:
    with prometheus(tmp_path, []) as address:
        server = PrometheusServer(address)
        span = {"from_s": BEGIN_S * 1.0, "to_s": BEGIN_S + 600.0, "step_s": 60.0}
        with pytest.raises(ParameterError, match="has no value in this time"):
            import_trace(server, "nothing_like_it", name="x", **span)
        with pytest.raises(ParameterError, match="is negative in places"):
            import_trace(server, "vector(-1)", name="x", **span)
        edges = f"vector(1) and on() (vector(time()) < {BEGIN_S + 100} or vector(time()) > {BEGIN_S + 590})"
        with pytest.raises(ParameterError, match="has values for only"):
            import_trace(server, edges, name="x", **span)
        but_one = f"vector(2) and on() (vector(time()) != {BEGIN_S + 120})"
        trace, remarks = import_trace(server, but_one, name="x", **span)
        assert trace.requests.tolist() == [120.0] * 11
        assert remarks == ["1 of 11 windows were missing and are interpolated"]
        server.close()


def test_nothing_to_ask_for_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "prometheus", "http://127.0.0.1:1", "--out", str(tmp_path)]) == 2
    assert "say what to ask for: --preset vllm, or --query" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "prometheus", "http://127.0.0.1:1", "--preset", "vllm", "--out", str(tmp_path)]) == 1
    assert "http://127.0.0.1:1/api/v1/query: ConnectError" in capsys.readouterr().err
