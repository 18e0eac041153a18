from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting.alternatives import SETTINGS, Alternative, Amount
from hindscale.backtesting.backtest import Backtest, policy_entries
from hindscale.core import Constant, Lognormal, ParameterError, ResourceRequest, ServiceProfile, Slo, TokenTime
from hindscale.simulation import Cluster, NodePool, SimulationSettings
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.workload import with_measured_service
from hindscale.traces import RateTrace, RequestTrace, read_trace
from hindscale.traces.arrivals import ArrivalProcess

SERVICE = ServiceProfile(queue_timeout_s=60.0, provisioning=Constant(10.0))
RATES = RateTrace(name="rates", window_s=60.0, requests=np.array([60.0, 120.0, 90.0]))
BASE = Backtest(
    traces=(RATES,),
    policies=policy_entries(("fixed:replicas=3",)),
    service=SERVICE,
    max_replicas=20,
    settings=SimulationSettings(
        monitoring=Monitoring(lag_s=5.0, scrape_interval_s=15.0), arrivals=ArrivalProcess(burstiness=0.5)
    ),
)
NUMBERS = sorted(SETTINGS.keys() - {"slo"})


def changed(text: str, base: Backtest = BASE) -> Backtest:
    return Alternative.parse(text).of(base)


@pytest.mark.parametrize("key", NUMBERS)
def test_once_what_there_is_changes_nothing(key: str) -> None:
    after = changed(f"{key}=1x")
    for field in dataclasses.fields(Backtest):
        if field.name != "traces":  # they are not compared by value
            assert getattr(after, field.name) == getattr(BASE, field.name), field.name
    np.testing.assert_array_equal(after.traces[0].requests, RATES.requests)  # type: ignore[union-attr]


@given(factor=st.floats(0.01, 100.0))
def test_a_multiple_is_one_of_what_there_is(factor: float) -> None:
    assert changed(f"price={factor!r}x").service.price_per_replica_hour == pytest.approx(factor)
    assert changed(f"cold_start={factor!r}x").service.cold_start.mean_s == pytest.approx(30 * factor)
    assert changed(f"traffic={factor!r}x").traces[0].total_requests == pytest.approx(270 * factor)  # type: ignore[union-attr]


@given(percent=st.integers(-99, 300))
def test_a_step_is_one_from_what_there_is(percent: int) -> None:
    assert changed(f"lag={percent:+d}%").settings.monitoring.lag_s == pytest.approx(5 * (1 + percent / 100))


@given(
    names=st.sampled_from(["", "large:"]),
    values=st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from(["1", "2x", "+20%", "30s"]), min_size=1),
)
def test_an_alternative_is_read_again_as_it_was(names: str, values: dict[str, str]) -> None:
    read = Alternative.parse(names + ",".join(f"{key}={value}" for key, value in values.items()))
    again = Alternative.parse(read.text)
    assert (again.name, dict(again.changes)) == (read.name, dict(read.changes))


def test_settings_change_together() -> None:
    after = changed("large:slots=8,service_time=300ms,price=3,slo=p95<1s,interval=30s,queue_timeout=10s")
    assert (after.service.slots, after.service.price_per_replica_hour) == (8, 3.0)
    assert (after.service.service_time.mean_s, after.service.service_time.cv) == pytest.approx((0.3, 0.5))
    assert after.slo == Slo(latency_s=1.0, percentile=0.95)
    assert (after.control_interval_s, after.service.queue_timeout_s) == (30.0, 10.0)


def test_bounds_are_checked_when_all_changes_are_made() -> None:
    """From 20 at most to 30 at least and 40 at most: the first alone would be refused."""
    after = changed("min_replicas=30,max_replicas=40")
    assert (after.min_replicas, after.max_replicas) == (30, 40)


def test_a_cold_start_keeps_its_shape() -> None:
    assert changed("cold_start=2min").service.cold_start == Lognormal(mean_s=120.0, cv=0.25)
    assert changed("cold_start=0s").service.cold_start == Constant(0.0)
    no_start = dataclasses.replace(BASE, service=dataclasses.replace(SERVICE, cold_start=Constant(0.0)))
    assert changed("cold_start=30s", no_start).service.cold_start == Constant(30.0)


def test_recorded_times_in_service_change_as_asked_and_unknown_ones_stay_unknown() -> None:
    recorded = RequestTrace(name="r", arrival_s=np.arange(1.0, 5.0), service_s=np.array([1.0, 0.0, 2.0, 3.0]))
    base = dataclasses.replace(BASE, traces=(recorded,))
    for text in ("service_time=1s", "service_time=0.5x"):
        (trace,) = changed(text, base).traces
        np.testing.assert_allclose(trace.service_s, [0.5, 0.0, 1.0, 1.5])  # type: ignore[union-attr]


def test_token_counts_of_a_real_recording_become_the_times_asked_for(real_traces: Path) -> None:
    trace = read_trace(real_traces / "azure_llm_2023_conv.parquet")
    service = ServiceProfile(slots=16, service_time=TokenTime(prefill_s_per_token=0.0002, decode_s_per_token=0.03))
    base = dataclasses.replace(BASE, traces=(trace,), service=service, slo=Slo(latency_s=30.0, percentile=0.95))
    before = with_measured_service(trace, service)[1].service_time
    after = changed("service_time=4s", base)
    measured = after.prepared[trace.name][1].profile.service_time
    assert measured.mean_s == pytest.approx(4.0, rel=1e-3)  # a thousand quantiles stand for all requests
    assert measured.cv == pytest.approx(before.cv)


def test_a_price_is_refused_where_nodes_are_paid_for() -> None:
    service = dataclasses.replace(SERVICE, resource_request=ResourceRequest(cpu_cores=1))
    cluster = Cluster(pools=(NodePool(name="a", cpu_cores=4, memory_gib=16, price_per_hour=1.0),))
    base = dataclasses.replace(BASE, service=service, settings=SimulationSettings(cluster=cluster))
    with pytest.raises(
        ParameterError, match="price=2: nodes are what is paid for, so a replica's price changes nothing"
    ):
        changed("price=2", base)


def test_an_amount_without_a_value_before_it_must_be_absolute() -> None:
    assert Amount.parse("8", name="slots").instead_of(None) == 8.0
    with pytest.raises(ParameterError, match="there is no value that 2 times could be taken of"):
        Amount.parse("2x", name="max_replicas").instead_of(None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("traffic 2x", "an alternative must look like 'cold_start=30s' or 'large:slots=8,price=3', was 'traffic 2x'"),
        ("slot=3", "slot=3: nothing is called 'slot'; did you mean 'slots'?"),
        ("slots=1.1x", "slots=1.1x: slots must be a whole number >= 1, was 4.4"),
        ("a:slots=0", "a:slots=0: slots must be a whole number >= 1, was 0"),
        ("price=much", "price must be a number, a multiple (2x) or a step (+20%), was 'much'"),
        ("price=20%", "price must be a number, a multiple (2x) or a step (+20%), was '20%'"),
        ("cold_start=soon", "cold_start must be a number with a unit"),
        ("traffic=0x", "factor must be a number > 0"),
        ("max_replicas=nan", "max_replicas must be a whole number >= 1, was nan"),
        ("slots=inf", "slots must be a whole number >= 1, was inf"),
        ("slo=fast", "slo=fast: slo must look like 'p99 < 2s'"),
        ("queue_timeout=-1s", "queue_timeout_s must be a number >= 0, was -1.0"),
    ],
)
def test_what_does_not_fit_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        changed(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
