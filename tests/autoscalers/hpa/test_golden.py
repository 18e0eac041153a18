"""The HPA's rules, each on numbers that were worked out by hand: `tests/golden/hpa.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.hpa.behavior import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    PolicyType,
    Recommendation,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    stored_events,
)
from hindscale.autoscalers.hpa.calculator import Proposal, replicas_for_average, replicas_for_utilization
from hindscale.autoscalers.hpa.limits import Limited, limit, limit_with_behavior, scale_down_limit, scale_up_limit
from hindscale.autoscalers.hpa.manifest import read_manifest
from hindscale.autoscalers.hpa.metrics import Failure, Metric, MetricType, TargetType
from hindscale.autoscalers.hpa.pods import Container, Pod, PodPhase, Readiness, Reading, group_pods, pod_requests
from hindscale.autoscalers.hpa.readings import ContainerUse, PodUse, container_readings, resource_readings
from hindscale.autoscalers.hpa.reconcile import best_proposal, reconcile
from hindscale.autoscalers.hpa.settings import Settings, release_of
from hindscale.autoscalers.hpa.stabilization import Stabilized, stabilize, stabilize_with_behavior
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.autoscalers.hpa.totals import external_total, replicas_for_average_value, replicas_for_value
from hindscale.autoscalers.hpa.values import Hpa, Memory, Outcome, tolerance_of
from hindscale.autoscalers.kubernetes import milli_value
from hindscale.core import ParameterError
from hindscale.core.errors import MetricsUnavailable

CASES = json.loads((Path(__file__).parents[2] / "golden" / "hpa.json").read_text())
Given = Mapping[str, Any]


def settings(given: Given) -> Settings:
    return Settings(
        release=release_of(given.get("version", "1.33")), has_scale_to_zero=given.get("has_scale_to_zero", False)
    )


def tolerance(given: Given) -> Tolerance:
    return Tolerance(is_two_sided=settings(given).release.has_two_tolerances)


def pod(written: Given) -> Pod:
    said = dict(written)
    said["phase"] = PodPhase(said.get("phase", "Running"))
    said["readiness"] = Readiness(said.get("readiness", "True"))
    said["containers"] = tuple(Container(**each) for each in said.get("containers", ()))
    return Pod(**said)


def pods(given: Given) -> tuple[Pod, ...]:
    return tuple(pod(written) for written in given["pods"])


def readings(written: Given) -> dict[str, Reading]:
    return {name: Reading(**reading) for name, reading in written.items()}


def recommendations(written: list[list[float]]) -> tuple[Recommendation, ...]:
    return tuple(Recommendation(replicas=int(replicas), time_s=time_s) for replicas, time_s in written)


def events(written: list[list[Any]]) -> tuple[ScaleEvent, ...]:
    return tuple(ScaleEvent(size=each[0], time_s=each[1], is_outdated=len(each) > 2 and each[2]) for each in written)


def policies(written: list[Given]) -> tuple[ScalingPolicy, ...]:
    return tuple(
        ScalingPolicy(type=PolicyType(each["type"]), value=each["value"], period_s=each["period_s"]) for each in written
    )


def rules(given: Given) -> ScalingRules:
    return ScalingRules(
        stabilization_window_s=given.get("stabilization_window_s"),
        select_policy=SelectPolicy(given.get("select_policy", "Max")),
        policies=policies(given["policies"]),
    )


def behavior(written: Given | None) -> Behavior | None:
    if written is None:
        return None
    return Behavior(**{direction: rules(said) for direction, said in written.items()})


def proposals(written: list[Any]) -> list[Proposal | Failure]:
    return [Failure(**each) if isinstance(each, dict) else Proposal(replicas=each) for each in written]


def a_float(written: Any) -> float:
    return float(written["float"] if isinstance(written, dict) else written)


def of_proposal(proposal: Proposal) -> dict[str, Any]:
    return {"replicas": proposal.replicas, "percent": proposal.percent, "value_milli": proposal.value_milli}


def of_log(log: tuple[Recommendation, ...]) -> list[list[float]]:
    return [[each.replicas, each.time_s] for each in log]


def of_events(log: tuple[ScaleEvent, ...]) -> list[list[Any]]:
    return [[each.size, each.time_s, each.is_outdated] for each in log]


def of_stabilized(stabilized: Stabilized) -> dict[str, Any]:
    return {"replicas": stabilized.replicas, "reason": stabilized.reason, "log": of_log(stabilized.log)}


def of_limited(limited: Limited) -> list[Any]:
    return [limited.replicas, limited.reason, limited.is_limited]


def run_tolerance(given: Given) -> bool:
    bounds = Tolerance(up=given["up"], down=given["down"], is_two_sided=given["is_two_sided"])
    return bounds.holds(a_float(given["ratio"]))


def run_group(given: Given) -> str:
    seen = {} if given["reading"] is None else {"p": Reading(**given["reading"])}
    groups = group_pods(
        [pod(given["pod"])], seen, resource=given["resource"], now_s=given["now_s"], settings=settings(given)
    )
    return next(name for name in ("ready", "unready", "missing", "ignored") if getattr(groups, name))


def run_requests(given: Given) -> dict[str, int]:
    return pod_requests(pods(given), resource=given["resource"], container=given["container"])


def run_utilization(given: Given) -> dict[str, Any]:
    return of_proposal(
        replicas_for_utilization(
            pods(given),
            readings(given["readings"]),
            target_percent=given["target_percent"],
            current=given["current"],
            now_s=given["now_s"],
            tolerance=tolerance(given),
            settings=settings(given),
        )
    )


def run_average(given: Given) -> dict[str, Any]:
    return of_proposal(
        replicas_for_average(
            pods(given),
            readings(given["readings"]),
            target_milli=given["target_milli"],
            current=given["current"],
            resource=given.get("resource", ""),
            now_s=given.get("now_s", 0.0),
            tolerance=tolerance(given),
            settings=settings(given),
        )
    )


def run_value(given: Given) -> dict[str, Any]:
    return of_proposal(
        replicas_for_value(
            given["usage_milli"],
            target_milli=given["target_milli"],
            current=given["current"],
            pods=pods(given),
            tolerance=tolerance(given),
        )
    )


def run_average_value(given: Given) -> dict[str, Any]:
    return of_proposal(
        replicas_for_average_value(
            given["usage_milli"],
            target_milli=given["target_milli"],
            status_replicas=given["status_replicas"],
            tolerance=tolerance(given),
        )
    )


def run_external(given: Given) -> int:
    return external_total(given["series_milli"])


def run_readings(given: Given) -> dict[str, int]:
    uses = [
        PodUse(pod=use["pod"], containers=tuple(ContainerUse(**each) for each in use["containers"]))
        for use in given["uses"]
    ]
    if given["container"]:
        fails = settings(given).release.missing_container_fails
        found = container_readings(uses, "cpu", given["container"], missing_container_fails=fails)
    else:
        found = resource_readings(uses, "cpu")
    return {name: reading.value_milli for name, reading in found.items()}


def run_best(given: Given) -> dict[str, Any]:
    index, failure = best_proposal(proposals(given["proposals"]), current=given["current"])
    return {"index": index} | ({"reason": failure.reason} if failure else {})


def run_stabilize(given: Given) -> dict[str, Any]:
    log = recommendations(given["log"])
    return of_stabilized(stabilize(given["desired"], log, now_s=given["now_s"], window_s=given["window_s"]))


def run_stabilize_with_behavior(given: Given) -> dict[str, Any]:
    return of_stabilized(
        stabilize_with_behavior(
            given["desired"],
            recommendations(given["log"]),
            current=given["current"],
            now_s=given["now_s"],
            up_window_s=given["up_window_s"],
            down_window_s=given["down_window_s"],
        )
    )


def run_limit(given: Given) -> list[Any]:
    return of_limited(limit(**given))


def run_scale_up_limit(given: Given) -> int:
    up, down = events(given["up_events"]), events(given["down_events"])
    return scale_up_limit(given["current"], rules(given), up_events=up, down_events=down, now_s=given["now_s"])


def run_scale_down_limit(given: Given) -> int:
    up, down = events(given["up_events"]), events(given["down_events"])
    return scale_down_limit(given["current"], rules(given), up_events=up, down_events=down, now_s=given["now_s"])


def run_limit_with_behavior(given: Given) -> list[Any]:
    up, down = given["up_policies"], given["down_policies"]
    both = Behavior(
        scale_up=rules({"policies": up}) if up else DEFAULT_SCALE_UP,
        scale_down=rules({"policies": down}) if down else DEFAULT_SCALE_DOWN,
    )
    return of_limited(
        limit_with_behavior(
            given["desired"],
            current=given["current"],
            min_replicas=given["min_replicas"],
            max_replicas=given["max_replicas"],
            behavior=both,
            up_events=events(given["up_events"]),
            down_events=events(given["down_events"]),
            now_s=given["now_s"],
        )
    )


def run_events(given: Given) -> list[list[Any]]:
    stored = stored_events(events(given["events"]), rules(given), change=given["change"], now_s=given["now_s"])
    return of_events(stored)


def run_reconcile(given: Given) -> dict[str, Any]:
    said = given["hpa"]
    hpa = Hpa(
        min_replicas=said["min_replicas"],
        max_replicas=said["max_replicas"],
        metrics=tuple(
            Metric(
                type=MetricType(each["type"]),
                name=each["name"],
                target_type=TargetType(each["target_type"]),
                target=each["target"],
            )
            for each in said["metrics"]
        ),
        behavior=behavior(said["behavior"]),
    )
    memory = Memory(
        recommendations=recommendations(given["log"]),
        up_events=events(given["up_events"]),
        down_events=events(given["down_events"]),
        is_scaled_to_zero=given["is_scaled_to_zero"],
    )
    failures = {name: given[name] for name in ("get_scale_error", "selector_error", "update_error") if name in given}
    outcome, after = reconcile(
        hpa,
        memory,
        current=given["current"],
        proposals=proposals(given["proposals"]),
        now_s=given["now_s"],
        settings=settings(given),
        **failures,
    )
    return of_outcome(outcome, after)


def of_outcome(outcome: Outcome, memory: Memory) -> dict[str, Any]:
    return {
        "replicas": outcome.replicas,
        "error": outcome.error,
        "conditions": [[each.type, each.is_true, each.reason] for each in outcome.conditions],
        "log": of_log(memory.recommendations),
        "up_events": of_events(memory.up_events),
        "down_events": of_events(memory.down_events),
        "is_scaled_to_zero": memory.is_scaled_to_zero,
    }


def run_manifest(given: Given) -> dict[str, Any]:
    hpa = read_manifest(given["yaml"], settings=settings(given))
    both = tolerance_of(hpa, settings(given))
    return {
        "min_replicas": hpa.min_replicas,
        "max_replicas": hpa.max_replicas,
        "metrics": [[each.type, each.name, each.target_type, each.target, each.container] for each in hpa.metrics],
        "behavior": hpa.behavior and {"up": of_rules(hpa.behavior.scale_up), "down": of_rules(hpa.behavior.scale_down)},
        "tolerance": [both.up, both.down],
    }


def of_rules(said: ScalingRules) -> list[Any]:
    listed = [[each.type, each.value, each.period_s] for each in said.policies]
    return [said.stabilization_window_s, said.select_policy, listed]


def run_milli(given: Given) -> int:
    return milli_value(given["text"])


STAGES: dict[str, Callable[[Given], Any]] = {
    name.removeprefix("run_"): stage for name, stage in globals().items() if name.startswith("run_")
}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['stage']}: {case['name']}" for case in CASES])
def test_rule(case: Mapping[str, Any]) -> None:
    stage, expected = STAGES[case["stage"]], case["expected"]
    if isinstance(expected, dict) and set(expected) == {"error"} and case["stage"] != "reconcile":
        with pytest.raises((MetricsUnavailable, ParameterError)) as caught:
            stage(case["given"])
        assert expected["error"] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    found = stage(case["given"])
    if isinstance(expected, dict) and case["stage"] not in {"readings", "requests", "best"}:
        found = {name: found[name] for name in expected}  # what a case says nothing of is another case's
    assert found == expected, case["why"]


def test_every_case_says_where_its_rule_comes_from_and_why() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) > 100
    assert all(case["source"] and case["why"] for case in CASES)
