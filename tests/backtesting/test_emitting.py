from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given

from hindscale.autoscalers.vpa.manifest import read_vertical_pod_autoscaler
from hindscale.autoscalers.writing import Workload
from hindscale.backtesting import Backtest, PolicyEntry, backtest
from hindscale.backtesting.emitting import emission_of, emitted
from hindscale.backtesting.folder import fingerprint
from hindscale.core import ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.guardrails.cooldown import Cooldown
from hindscale.guardrails.stabilization import Stabilization
from hindscale.policies import POLICIES, build_policy
from hindscale.simulation import VerticalAutoscaler
from hindscale.traces import RateTrace, read_trace
from strategies import vertical_autoscalers

RATES = RateTrace(name="rates", window_s=60.0, requests=np.array([60, 120, 900, 1800, 240, 60.0]))
SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), max_replicas=20, peak_rate_rps=10.0)
CHAT = Workload(name="chat")


def plan(policy: str, **given_: Any) -> Backtest:
    return Backtest(**{"traces": (RATES,), "policies": (PolicyEntry(label=policy, text=policy),), **given_})


def test_what_is_predicted_is_what_a_backtest_of_the_policy_says() -> None:
    emission = emitted(plan("hpa:target=70", seeds=2), CHAT, jobs=1)
    row = backtest(RATES, ["hpa:target=70"], seeds=2, service=ServiceProfile(), slo="p99<2s", jobs=1).traces[0].rows[0]
    assert emission.result is not None
    assert emission.result.traces[0].rows[0].scores == row.scores


def test_the_comments_say_what_it_costs_what_it_keeps_and_on_which_traffic() -> None:
    text = emitted(plan("keda", seeds=2), CHAT, jobs=1).text(command="hindscale emit rates.csv", file="keda.yaml")
    said = text[: text.index("apiVersion")]
    assert re.search(r"^# Made by hindscale [\d.]+: hindscale emit rates\.csv$", said, re.MULTILINE)
    assert "# keda, for KEDA, main branch of August 2026, on the HPA of Kubernetes 1.28 to 1.33\n" in said
    assert "# Predicted on rates: 6min, 3,180 requests (8.83/s, peak 30/s)\n" in said
    assert f"#   sha256 {fingerprint(RATES)}\n" in said
    assert re.search(r"#   cost [\d.]+ ±[\d.]+, [\d.]+ an hour, [\d,]+ a month of 30 days\n", said)
    assert re.search(r"#   attainment [\d.]+% ±[\d.]+% of requests, (meets|MISSES) p99 < 2s\n", said)
    assert "#   mean of 2 seeds from 0, ± 95% interval\n" in said
    assert "# Read back by: hindscale backtest TRACE --policy keda:manifest=keda.yaml\n" in said
    assert yaml.safe_load(text)["kind"] == "ScaledObject"


def test_one_seed_has_no_interval_and_minutes_are_said_where_they_are_promised() -> None:
    text = emitted(plan("hpa", seeds=1, slo=Slo.parse("p99<2s@95%")), CHAT, jobs=1).text()
    assert "#   mean of one seed, 0, so no interval\n" in text
    assert "±" not in text
    assert re.search(r"#   attainment [\d.]+% of minutes\n", text)


def test_costs_by_the_hour_leave_out_the_warm_up() -> None:
    whole = plan("ray-serve:min_replicas=3,max_replicas=3", seeds=1)
    later = replace(whole, settings=replace(whole.settings, warm_up_s=180.0))
    for each in (whole, later):
        text = emitted(each, CHAT, jobs=1).text()
        hourly = re.search(r", ([\d.]+) an hour", text)
        assert hourly is not None
        assert float(hourly[1]) == pytest.approx(3.0, abs=0.02)  # three replicas at a price of 1


def test_bounds_of_the_comparison_go_into_the_manifest() -> None:
    emission = emitted(plan("target-tracking", min_replicas=2, max_replicas=7), CHAT, predict=False)
    spec = emission.manifest.documents[0]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 7)
    assert "Nothing is predicted" in emission.text()


@pytest.mark.parametrize("window_s", [0.0, 300.0])
def test_target_tracking_is_an_hpa_to_the_last_decision_on_recorded_traffic(real_traces: Path, window_s: float) -> None:
    trace = read_trace(real_traces / "twitter_2021_d01_11.parquet").between(0.0, 6 * 3600.0)
    guardrails = (Stabilization(down_window_s=window_s),) if window_s else ()
    entry = PolicyEntry(label="target-tracking", text="target-tracking")
    asked = Backtest(traces=(trace,), policies=(entry,), guardrails=guardrails, seeds=1, max_replicas=60)
    emission = emitted(asked, CHAT, jobs=1)
    own = asked.perform(asked.runs[0], with_ticks=True)
    written = Backtest(
        traces=(trace,), policies=(PolicyEntry(label="hpa", policy=emission.policy),), seeds=1, max_replicas=60
    )
    hpa = written.perform(written.runs[0], with_ticks=True)
    assert own.ticks is not None
    assert hpa.ticks is not None
    assert own.ticks.target.tolist() == hpa.ticks.target.tolist()
    assert own.scores == hpa.scores


EMULATED = sorted(name for name, cls in POLICIES.classes.items() if hasattr(cls, "emulates"))


@pytest.mark.parametrize("name", EMULATED)
def test_what_was_read_back_comes_to_the_same_on_recorded_traffic(real_traces: Path, name: str) -> None:
    trace = read_trace(real_traces / "azure_functions_2019_bd33ce4b.parquet").between(0.0, 6 * 3600.0)
    asked = Backtest(traces=(trace,), policies=(PolicyEntry(label=name, text=name),), seeds=1)
    emission = emitted(asked, CHAT, jobs=1)
    assert emission.result is not None
    assert emission.result.traces[0].rows[0].scores == (asked.perform(asked.runs[0]).scores,)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("predictive", "predictive cannot be emitted: it runs under hindscale only, no autoscaler decides so;"),
        ("fixed", "fixed cannot be emitted: a fleet of constant size needs no autoscaler, set spec.replicas;"),
        ("utilization", "utilization cannot be emitted: it has a threshold for each direction, an HPA one target;"),
        ("schedule:entries=08:00=1", "schedule cannot be emitted: KEDA's cron trigger keeps timetables, but"),
        ("optimum", "optimum cannot be emitted: it runs under hindscale only, no autoscaler decides so;"),
    ],
)
def test_what_nobody_else_decides_is_refused_in_a_line(policy: str, message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        emission_of(PolicyEntry(label=policy, text=policy), SPEC, CHAT)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_every_policy_is_written_or_refused() -> None:
    for name in POLICIES.classes:
        if name in {"schedule", "dqn"}:  # they need a timetable and a network
            continue
        try:
            emission = emission_of(PolicyEntry(label=name, text=name), SPEC, CHAT)
        except ParameterError as error:
            assert "cannot be emitted" in str(error)  # noqa: PT017
        else:
            assert "as_manifest" in dir(emission.policy)


@pytest.mark.parametrize(
    "guardrails", [(Cooldown(),), (Stabilization(), Cooldown()), (Stabilization(up_window_s=30.0),)]
)
def test_guardrails_that_no_manifest_has_are_refused(guardrails: tuple[Any, ...]) -> None:
    entry = PolicyEntry(label="target-tracking", text="target-tracking")
    with pytest.raises(ParameterError, match=r"guardrail \w+ cannot be emitted: a manifest has room for one"):
        emission_of(entry, SPEC, CHAT, guardrails=guardrails)
    assert emission_of(PolicyEntry(label="hpa", text="hpa"), SPEC, CHAT, guardrails=guardrails)


@pytest.mark.parametrize(
    ("policy", "given_", "message"),
    [
        ("hpa", {"query": "x"}, "query has no place in the manifest of hpa; it is for keda"),
        ("ray-serve", {"metric": "x"}, "metric has no place in the manifest of ray-serve; it is for hpa, keda"),
        ("skyserve", {"prometheus": "http://p"}, "prometheus has no place in the manifest of skyserve; it is for keda"),
    ],
)
def test_what_has_no_place_is_not_taken_in_silence(policy: str, given_: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        emission_of(PolicyEntry(label=policy, text=policy), SPEC, replace(CHAT, **given_))
    assert str(raised.value) == message


def test_an_hpa_cannot_take_target_tracking_to_zero() -> None:
    to_zero = replace(SPEC, min_replicas=0)
    with pytest.raises(ParameterError, match="min_replicas must be >= 1 for an HPA, was 0; KEDA can"):
        emission_of(PolicyEntry(label="target-tracking", text="target-tracking"), to_zero, CHAT)
    keda = emission_of(PolicyEntry(label="keda", text="keda"), to_zero, CHAT)
    assert keda.manifest.documents[0]["spec"]["minReplicaCount"] == 0


def test_one_manifest_cannot_stand_for_two_traces_that_differ() -> None:
    small = RateTrace(name="small", window_s=60.0, requests=np.array([6.0, 6.0]))
    big = RateTrace(name="big", window_s=60.0, requests=np.array([9000.0, 9000.0]))
    with pytest.raises(ParameterError, match="hpa: its defaults differ between small and big; give its target and"):
        emitted(plan("hpa", traces=(small, big)), CHAT, predict=False)
    text = emitted(plan("hpa", traces=(small, big), max_replicas=40, seeds=1), CHAT, jobs=1).text()
    assert text.count("# Predicted on ") == 2


def test_emitting_takes_one_policy() -> None:
    two = (PolicyEntry(label="hpa", text="hpa"), PolicyEntry(label="keda", text="keda"))
    with pytest.raises(ParameterError, match=r"emit writes one policy, was asked for 2 \(hpa, keda\)"):
        emitted(plan("hpa", policies=two), CHAT)


@given(vertical=vertical_autoscalers)
def test_a_vertical_pod_autoscaler_is_written_beside_it(vertical: VerticalAutoscaler) -> None:
    emission = emission_of(PolicyEntry(label="hpa", text="hpa"), SPEC, CHAT, vertical=vertical)
    read = read_vertical_pod_autoscaler(emission.text())
    assert read.update_policy == vertical.update_policy
    assert read.container_policies == (vertical.container_policy,)
    assert (read.name, read.target) == ("chat", "Deployment/chat")
    flags = next(note for note in emission.manifest.notes if note.startswith("The VPA's recommender and updater"))
    assert f"--updater-interval={vertical.updater_interval_s}s" in flags
    source = emission.manifest.text
    assert (
        build_policy("hpa", SPEC, emission.manifest.parameters(source)).as_manifest(CHAT).documents
        == (emission.manifest.documents[:1])
    )


def test_a_vertical_pod_autoscaler_has_no_place_outside_of_kubernetes() -> None:
    with pytest.raises(ParameterError, match="vertical cannot be emitted beside ray-serve, which is not of Kubernetes"):
        emission_of(PolicyEntry(label="r", text="ray-serve"), SPEC, CHAT, vertical=VerticalAutoscaler())


def test_nothing_that_is_said_gets_into_the_documents() -> None:
    evil = RateTrace(name="x\n---\nkind: Secret\x85\u2028a: b", window_s=60.0, requests=np.array([60.0]))
    text = emitted(plan("hpa", traces=(evil,), seeds=1), CHAT, jobs=1).text(command="hindscale emit 'a\nkind: b'")
    assert [document["kind"] for document in yaml.safe_load_all(text)] == ["HorizontalPodAutoscaler"]
