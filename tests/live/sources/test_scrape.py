"""Pages of metrics over a real wire: the five states told apart, and what goes wrong with pages."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from hindscale.core.errors import ParameterError
from hindscale.core.values import DataState, Observation
from hindscale.live.fleet import ReplicaCounts
from hindscale.live.metrics import LiveMetrics
from hindscale.live.sources import Measured, ScrapeSource, preset
from live.sources.pages import Envoy, Pages, Vllm, served


class TwoReplicas:
    """A fleet of two."""

    def counts(self) -> ReplicaCounts:
        return ReplicaCounts(ready=2, starting=0)

    def waiting_requests(self) -> int:
        return 0


@pytest.fixture
def vllm() -> Vllm:
    return Vllm()


@pytest.fixture
def pages(vllm: Vllm) -> Iterator[Pages]:
    with served(vllm.page) as pages:
        yield pages


@pytest.fixture
def source(pages: Pages) -> Iterator[ScrapeSource]:
    source = ScrapeSource(
        lambda: [pages.address + "/metrics"], preset("vllm"), bound_s=2.0, window_s=10.0, timeout_s=0.5
    )
    yield source
    source.close()


def observed(source: ScrapeSource, now_s: float) -> Observation:
    return LiveMetrics(source, TwoReplicas(), slots=4).observe(now_s)


def test_rates_are_what_the_counters_grew_by(source: ScrapeSource, vllm: Vllm) -> None:
    vllm.served, vllm.running, vllm.waiting, vllm.cache = 1000, 3, 0, 0.5
    source.measure(0.0)
    vllm.served, vllm.slow, vllm.running, vllm.waiting = 1020, 5, 4, 2
    seen = source.measure(10.0)
    assert seen.reading("completion_rate_rps") == 2.0
    # Twenty left, and three more are inside than before.
    assert seen.reading("arrival_rate_rps") == 2.3
    assert seen.reading("ongoing_requests") == 4
    assert seen.reading("queued_requests") == 2
    assert seen.reading("slo_attainment") == 0.75
    assert seen.reading("accelerator_utilization") == 0.5
    assert seen.latency_s[0.99] > 2.0
    assert (seen.totals.arrived, seen.totals.left, seen.totals.met) == (23, 20, 15)
    assert "cpu_utilization" in seen.missing
    assert not seen.trouble


def test_one_measurement_is_not_enough_for_a_rate(source: ScrapeSource) -> None:
    seen = source.measure(0.0)
    assert "arrival_rate_rps" in seen.missing
    assert seen.trouble == "one measurement so far, and rates need two"


def test_the_five_states_are_told_apart(source: ScrapeSource, vllm: Vllm, pages: Pages) -> None:
    vllm.running = 2
    observed(source, 0.0)
    vllm.cache = math.nan
    seen = observed(source, 10.0)
    assert seen.state_of("ongoing_requests", max_age_s=30) is DataState.FRESH
    assert seen.state_of("queued_requests", max_age_s=30) is DataState.TRUE_ZERO
    assert seen.state_of("accelerator_utilization", max_age_s=30) is DataState.NOT_A_NUMBER
    assert seen.state_of("cpu_utilization", max_age_s=30) is DataState.MISSING
    pages.status = 503
    seen = observed(source, 50.0)
    assert seen.state_of("ongoing_requests", max_age_s=30) is DataState.STALE


def test_what_the_page_does_not_have_is_missing(pages: Pages, source: ScrapeSource, vllm: Vllm) -> None:
    whole = vllm.page()
    pages.text = lambda: "\n".join(line for line in whole.splitlines() if "waiting" not in line) + "\n"
    source.measure(0.0)
    seen = source.measure(10.0)
    assert {"queued_requests", "arrival_rate_rps"} <= seen.missing
    assert "ongoing_requests" not in seen.missing


@pytest.mark.parametrize("page", ["", "<html>it works</html>", "vllm:num_requests_running{ 3\n", "\x00\x01"])
def test_a_page_that_is_none_adds_nothing(page: str, source: ScrapeSource, vllm: Vllm, pages: Pages) -> None:
    source.measure(0.0)
    good = source.measure(10.0)
    pages.text = lambda: page
    seen = source.measure(20.0)
    # An empty page is a page on which everything is missing; any other is no page at all.
    assert seen.missing > good.missing or seen.at_s == 10.0


def test_a_server_that_hangs_is_asked_once_and_not_waited_for(source: ScrapeSource, pages: Pages) -> None:
    source.measure(0.0)
    source.measure(10.0)
    pages.delay_s = 1.5
    before = len(pages.asked)
    first, second = source.measure(20.0), source.measure(21.0)
    assert first.at_s == second.at_s == 10.0
    assert "has not answered yet" in second.trouble
    assert len(pages.asked) <= before + 2


def test_a_page_that_dribbles_in_did_not_come(source: ScrapeSource, pages: Pages) -> None:
    source.measure(0.0)
    source.measure(10.0)
    pages.dribble_s = 0.2
    seen = source.measure(20.0)
    assert seen.at_s == 10.0
    assert seen.trouble


def test_requests_during_an_outage_are_counted_when_it_ends(source: ScrapeSource, pages: Pages, vllm: Vllm) -> None:
    source.measure(0.0)
    vllm.served = 10
    source.measure(10.0)
    pages.status = 500
    vllm.served = 50
    source.measure(20.0)
    pages.status = 200
    vllm.served = 90
    assert source.measure(30.0).totals.left == 90


def test_with_one_page_of_two_missing_nothing_is_lost(vllm: Vllm, pages: Pages) -> None:
    other = Vllm()
    with served(other.page) as others:
        addresses = [pages.address, others.address]
        source = ScrapeSource(lambda: addresses, preset("vllm"), bound_s=2.0, window_s=10.0, timeout_s=0.5)
        source.measure(0.0)
        vllm.served, other.served = 10, 20
        assert source.measure(10.0).totals.left == 30
        others.status = 500
        vllm.served, other.served = 15, 25
        assert source.measure(20.0).at_s == 10.0
        others.status = 200
        vllm.served, other.served = 18, 30
        assert source.measure(30.0).totals.left == 48
        source.close()


def test_a_new_replica_does_not_bring_its_past_along(vllm: Vllm, pages: Pages) -> None:
    other = Vllm(served=1_000_000)
    with served(other.page) as others:
        addresses = [pages.address]
        source = ScrapeSource(lambda: addresses, preset("vllm"), bound_s=2.0, window_s=10.0, timeout_s=0.5)
        source.measure(0.0)
        source.measure(10.0)
        addresses.append(others.address)
        assert source.measure(20.0).reading("completion_rate_rps") == 0.0
        other.served += 5
        assert source.measure(30.0).reading("completion_rate_rps") == 0.5
        source.close()


def test_a_server_that_lies_with_zeros_is_not_believed(source: ScrapeSource, vllm: Vllm) -> None:
    """A lost scrape looks like idle: llm-d-autoscaling#1376, keda#965."""
    vllm.served, vllm.running = 100, 4
    source.measure(0.0)
    vllm.served = 150
    source.measure(10.0)
    vllm.served = vllm.running = vllm.waiting = 0
    seen = source.measure(20.0)
    assert seen.at_s == 10.0
    assert "counters fell although the server was not started again" in seen.trouble


def test_a_restart_is_a_pause_and_not_a_burst(source: ScrapeSource, vllm: Vllm) -> None:
    vllm.served = 1000
    source.measure(0.0)
    source.measure(10.0)
    vllm.served, vllm.started = 40, 2000.0
    assert "started again" in source.measure(20.0).trouble
    vllm.served = 60
    seen = source.measure(30.0)
    assert seen.totals.left == 20
    assert not seen.trouble


def test_a_page_that_is_frozen_while_busy_grows_old(source: ScrapeSource, vllm: Vllm) -> None:
    vllm.running = 3
    for now_s in (0.0, 1.0, 2.0, 3.0):
        assert not source.measure(now_s).trouble or now_s == 0.0
    assert "has not changed for 4 s" in source.measure(4.0).trouble


def test_a_page_that_is_the_same_because_nobody_is_there_is_believed(source: ScrapeSource) -> None:
    for now_s in range(0, 100, 10):
        seen = source.measure(float(now_s))
    assert seen.at_s == 90.0
    assert seen.reading("ongoing_requests") == 0.0


def test_a_gateway_whose_clock_stands_still_is_frozen_even_when_idle() -> None:
    envoy = Envoy()
    with served(envoy.page) as pages:
        source = ScrapeSource(lambda: [pages.address], preset("envoy"), bound_s=0.5, window_s=1.0)
        for now_s in range(8):
            seen = source.measure(float(now_s))
        assert seen.at_s == 3.0
        assert "has not changed" in seen.trouble
        source.close()


def test_a_gateway_counts_errors_as_misses_and_splits_what_is_inside() -> None:
    envoy = Envoy()
    with served(envoy.page) as pages:
        source = ScrapeSource(lambda: [pages.address], preset("envoy"), bound_s=0.5, window_s=1.0)
        metrics = LiveMetrics(source, TwoReplicas(), slots=4)
        metrics.observe(0.0)
        envoy.arrived, envoy.answered, envoy.errors, envoy.active, envoy.uptime = 25, 9, None, 11, 11
        seen = metrics.observe(1.0)
        assert seen.arrival_rate_rps == 25
        assert (seen.ongoing_requests, seen.queued_requests) == (8, 3)
        assert seen.slo_attainment == 1.0
        envoy.errors, envoy.uptime = 0, 12
        metrics.observe(2.0)
        envoy.answered, envoy.errors, envoy.uptime = 10, 1, 13
        seen = metrics.observe(3.0)
        assert seen.slo_attainment == 0.5
        source.close()


def test_a_secret_is_sent_and_never_said(vllm: Vllm, pages: Pages) -> None:
    pages.status = 401
    source = ScrapeSource(
        lambda: [pages.address + "/metrics?key=hush"],
        preset("vllm"),
        bound_s=2.0,
        window_s=10.0,
        headers={"Authorization": "Bearer hush"},
    )
    seen = source.measure(0.0)
    assert pages.headers[0]["Authorization"] == "Bearer hush"
    assert "401" in seen.trouble
    assert "hush" not in seen.trouble
    source.close()


def test_only_web_addresses_are_fetched(vllm: Vllm) -> None:
    source = ScrapeSource(lambda: ["file:///etc/passwd"], preset("vllm"), bound_s=2.0, window_s=10.0)
    with pytest.raises(ParameterError, match="address must be an http:// or https:// address"):
        source.measure(0.0)
    source.close()


def test_a_page_without_end_is_refused(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hindscale.live.sources._http.MOST_BYTES", 1000)
    pages.text = lambda: "x" * 10_000
    source = ScrapeSource(lambda: [pages.address], preset("vllm"), bound_s=2.0, window_s=10.0)
    assert "larger than" in source.measure(0.0).trouble
    source.close()


def test_without_a_replica_nothing_is_known(vllm: Vllm) -> None:
    source = ScrapeSource(list, preset("vllm"), bound_s=2.0, window_s=10.0)
    seen: Measured = source.measure(0.0)
    assert "arrival_rate_rps" in seen.missing
    assert seen.trouble == "there is no replica to ask"
    source.close()
