"""Queries to a real Prometheus server, and to one that misbehaves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hindscale.core.errors import MetricsUnavailable, ParameterError
from hindscale.core.values import DataState, Observation
from hindscale.live.metrics import LiveMetrics, ReplicasFromMetrics
from hindscale.live.sources import PrometheusSource, preset
from hindscale.live.sources.prometheus import PrometheusServer, Query, latency_query, queries_of
from live.prometheus_server import needs_prometheus, prometheus
from live.sources.pages import Pages, Vllm, served


class Busy(Vllm):
    """Ten requests, one of them slow, at every look."""

    def page(self) -> str:
        self.served += 10
        self.slow += 1
        self.running, self.cache = 3, 0.25
        return super().page()


def until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.1)


def source_of(server: PrometheusServer, **given: float) -> PrometheusSource:
    vllm = preset("vllm")
    return PrometheusSource(
        server,
        queries_of(vllm, window_s=5.0) | {"ready_replicas": Query(value='count(up{job="vllm"})')},
        latency=latency_query(vllm, window_s=5.0),
        bound_s=2.0,
        max_age_s=given.get("max_age_s", 3.0),
    )


@pytest.fixture(scope="module")
def busy() -> Iterator[Pages]:
    with served(Busy().page) as pages:
        yield pages


@pytest.fixture(scope="module")
def server(busy: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), [busy.address.removeprefix("http://")]) as address:
        server = PrometheusServer(address)
        yield server
        server.close()


@needs_prometheus
def test_presets_measure_a_real_server_and_know_when_it_freezes(server: PrometheusServer, busy: Pages) -> None:
    source = source_of(server)
    metrics = LiveMetrics(source, ReplicasFromMetrics(source), slots=4)
    # Rates settle once their window is full.
    until(lambda: abs(source.measure(0.0).reading("arrival_rate_rps") - 10) < 2)
    seen: Observation = metrics.observe(100.0)
    assert seen.ready_replicas == 1
    assert seen.arrival_rate_rps == pytest.approx(10, rel=0.3)
    assert seen.ongoing_requests == 3
    assert seen.queued_requests == 0.0
    assert seen.accelerator_utilization == 0.25
    assert seen.slo_attainment == pytest.approx(0.9, abs=0.02)
    assert metrics.measured.latency_s[0.5] < 1.0
    assert metrics.measured.latency_s[0.99] > 2.0
    assert seen.state_of("cpu_utilization") is DataState.MISSING
    # The scraped server goes away. Prometheus still answers from the last five minutes; we know how old that is.
    busy.status = 500
    try:
        until(lambda: "ongoing_requests" in source.measure(200.0).stale | source.measure(200.0).missing)
        held = metrics.observe(300.0)
        usable = {DataState.FRESH, DataState.TRUE_ZERO}
        assert held.state_of("ongoing_requests", max_age_s=3.0) not in usable
    finally:
        busy.status = 200


@needs_prometheus
def test_any_promql_will_do_and_a_wrong_one_is_missing_alone(server: PrometheusServer) -> None:
    queries = {
        "arrival_rate_rps": Query(value="vector(12)"),
        "queued_requests": Query(value="vector(0)"),
        "ongoing_requests": Query(value="vector(0) / 0"),
        "cpu_utilization": Query(value="no_such_metric"),
        "memory_utilization": Query(value="sum(("),
    }
    source = PrometheusSource(server, queries, max_age_s=10.0)
    metrics = LiveMetrics(source, ReplicasFromMetrics(type("R", (), {"ready_replicas": 2})()), slots=4)
    seen = metrics.observe(50.0)
    states = [seen.state_of(name) for name in queries]
    fresh, zero, nan, missing, wrong = states
    assert (fresh, zero, nan) == (DataState.FRESH, DataState.TRUE_ZERO, DataState.NOT_A_NUMBER)
    assert (missing, wrong) == (DataState.MISSING, DataState.MISSING)
    assert "parse error" in metrics.measured.trouble


@needs_prometheus
def test_ranges_have_a_value_for_every_step(server: PrometheusServer) -> None:
    now_s = math.floor(time.time())
    found = server.range("vector(1) + vector(1)", from_s=now_s - 100.0, to_s=now_s, step_s=10.0)
    assert found.values == (2.0,) * 11
    nothing = server.range("no_such_metric", from_s=now_s - 100.0, to_s=now_s, step_s=10.0)
    assert all(math.isnan(value) for value in nothing.values)


@needs_prometheus
def test_long_ranges_are_asked_for_in_pieces(server: PrometheusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hindscale.live.sources.prometheus.MOST_POINTS", 4)
    now_s = float(math.floor(time.time()))
    found = server.range("vector(1)", from_s=now_s - 100.0, to_s=now_s, step_s=10.0)
    assert found.values == (1.0,) * 11


# -- a server that misbehaves -------------------------------------------------------------------------


def vector(value: str, at_s: float = 1000.0) -> str:
    result = [{"metric": {}, "value": [at_s, value]}]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def faked(pages: Pages, **given: float) -> PrometheusSource:
    queries = {"ongoing_requests": Query(value="x", newest="timestamp(x)")}
    return PrometheusSource(PrometheusServer(pages.address, timeout_s=0.5), queries, max_age_s=given["max_age_s"])


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", '{"status": "error", "error": "overloaded"}', '{"status":"success"}']
)
def test_what_is_no_answer_is_missing_and_said(text: str) -> None:
    with served(lambda: text) as pages:
        source = faked(pages, max_age_s=5.0)
        seen = source.measure(10.0)
        assert "ongoing_requests" in seen.missing
        assert seen.trouble
        source.close()


def test_a_server_that_hangs_does_not_hold_up_the_loop() -> None:
    with served(lambda: vector("1")) as pages:
        pages.delay_s = 2.0
        source = faked(pages, max_age_s=5.0)
        begun_s = time.monotonic()
        seen = source.measure(10.0)
        assert time.monotonic() - begun_s < 1.9  # less than the server takes: it was not waited for
        assert "ongoing_requests" in seen.missing
        assert seen.trouble
        source.close()


@pytest.mark.parametrize("ahead_s", [-86_400.0, 0.0, 86_400.0])
def test_a_clock_that_differs_from_ours_makes_nothing_old(ahead_s: float) -> None:
    """Ages are differences of the server's own times."""
    server_s = time.time() + ahead_s

    with served(lambda: "") as pages:
        answers = {"time()": server_s, "x": 3.0, "timestamp(x)": server_s - 1.0}

        def page() -> str:
            from urllib.parse import parse_qs, urlsplit

            asked = parse_qs(urlsplit(pages.asked[-1]).query)["query"][0]
            return vector(repr(answers[asked]))

        pages.text = page
        source = faked(pages, max_age_s=5.0)
        # One after the other, so that the fake knows what it was asked.
        source._server._fetcher._pool._max_workers = 1
        seen = source.measure(500.0)
        assert seen.reading("ongoing_requests") == 3.0
        assert seen.stale == frozenset()
        assert seen.at_s == pytest.approx(499.0, abs=0.01)
        answers["timestamp(x)"] = server_s - 60.0
        assert source.measure(501.0).stale == {"ongoing_requests"}
        source.close()


def test_a_reading_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"nobody reads 'queue_requests'; did you mean 'queued_requests'\?"):
        PrometheusSource(PrometheusServer("http://x"), {"queue_requests": Query(value="x")}, max_age_s=1.0)


def test_an_address_must_be_one() -> None:
    with pytest.raises(ParameterError, match="prometheus must be an http:// or https:// address, was 'localhost:9090'"):
        PrometheusServer("localhost:9090")


def test_a_label_cannot_end_the_query() -> None:
    """What a service file says of labels stays a text in PromQL."""
    query = queries_of(preset("vllm").with_labels({"model_name": '"} or vector(1) or x{a="'}), window_s=60.0)
    assert query["queued_requests"].value == (
        'sum(vllm:num_requests_waiting{model_name="\\"} or vector(1) or x{a=\\""})'
    )


def test_errors_of_ranges_are_raised(tmp_path: Path) -> None:
    with served(lambda: vector("1")) as pages:
        server = PrometheusServer(pages.address)
        with pytest.raises(MetricsUnavailable, match="expected a range of values"):
            server.range("x", from_s=0.0, to_s=10.0, step_s=1.0)
        server.close()
