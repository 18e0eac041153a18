"""Cases worked out by hand from the rules, run through every stage."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.buckets import CPU_BUCKETS, MEMORY_BUCKETS, Buckets, ExponentialBuckets
from hindscale.autoscalers.vpa.capping import ContainerRecommendation, apply_policy
from hindscale.autoscalers.vpa.checkpoint import (
    HistogramCheckpoint,
    load_aggregate,
    load_checkpoint,
    save_aggregate,
    save_checkpoint,
)
from hindscale.autoscalers.vpa.config import RecommenderConfig
from hindscale.autoscalers.vpa.histogram import (
    Histogram,
    add_sample,
    empty_histogram,
    merge_histograms,
    percentile,
    same_distribution,
    subtract_sample,
)
from hindscale.autoscalers.vpa.policy import ContainerPolicy, EvictionRequirement, UpdatePolicy
from hindscale.autoscalers.vpa.priority import (
    Container,
    Pod,
    UpdatePriority,
    UpdaterConfig,
    most_urgent_first,
    update_priority,
    update_wish,
)
from hindscale.autoscalers.vpa.recommendation import confidence, pod_minimum, recommend, with_confidence, with_margin
from hindscale.autoscalers.vpa.samples import (
    AggregateState,
    AggregationConfig,
    ContainerState,
    Sampled,
    add_cpu_sample,
    add_memory_sample,
    is_expired,
    record_oom,
)
from hindscale.autoscalers.vpa.updater import ReplicaGroup, is_disruptable, plan_updates
from hindscale.core.errors import ParameterError

CASES = json.loads((Path(__file__).parents[2] / "golden" / "vpa.json").read_text())
DAY_S = 86_400.0


def amounts(pair: list[int | None] | None) -> Amounts:
    return Amounts() if pair is None else Amounts(cpu_millicores=pair[0], memory_bytes=pair[1])


def pair(value: Amounts) -> list[int | None]:
    return [value.cpu_millicores, value.memory_bytes]


def buckets_of(given: Any) -> Buckets:
    named = {"cpu": CPU_BUCKETS, "memory": MEMORY_BUCKETS}
    return named[given] if isinstance(given, str) else ExponentialBuckets(**given)


def filled(given: dict[str, Any], operations: list[list[Any]]) -> Histogram:
    histogram = empty_histogram(buckets_of(given["buckets"]), given["half_life_s"] or math.inf)
    for operation, *sample in operations:
        histogram = (add_sample if operation == "add" else subtract_sample)(histogram, *sample)
    return histogram


def described(histogram: Histogram, shares: list[float]) -> dict[str, Any]:
    return {
        "percentiles": [percentile(histogram, share) for share in shares],
        "total_weight": histogram.total_weight,
        "weights": {str(bucket): weight for bucket, weight in enumerate(histogram.weights.tolist()) if weight},
        "used": [histogram.first_used, histogram.last_used],
        "reference_s": histogram.reference_s,
    }


def run_buckets(given: dict[str, Any]) -> Any:
    buckets = buckets_of(given["buckets"])
    return {
        "count": buckets.count,
        "starts": [buckets.start(bucket) for bucket in given["starts"]],
        "find": [buckets.find(value) for value in given["find"]],
    }


def run_edges(given: dict[str, Any]) -> Any:
    buckets = buckets_of(given["buckets"])
    return {
        "whole_starts": [int(buckets.start(bucket)) for bucket in given["whole_starts"]],
        "find_starts": [buckets.find(buckets.start(bucket)) for bucket in given["find_starts"]],
    }


def run_same(given: dict[str, Any]) -> Any:
    return [same_distribution(filled(given, one), filled(given, other)) for one, other in given["pairs"]]


def run_histogram(given: dict[str, Any]) -> Any:
    return described(filled(given, given["operations"]), given["shares"])


def run_merge(given: dict[str, Any]) -> Any:
    merged = merge_histograms(filled(given, given["one"]), filled(given, given["other"]))
    return described(merged, given["shares"])


def run_save(given: dict[str, Any]) -> Any:
    saved = save_checkpoint(filled(given, given["operations"]))
    weights = [list(each) for each in saved.bucket_weights]
    return {"bucket_weights": weights, "total_weight": saved.total_weight, "reference_s": saved.reference_s}


def run_load(given: dict[str, Any]) -> Any:
    histogram = filled(given, [])
    for each in given["checkpoints"]:
        weights = tuple((bucket, weight) for bucket, weight in each["bucket_weights"])
        histogram = load_checkpoint(histogram, HistogramCheckpoint(**each | {"bucket_weights": weights}))
    return described(histogram, given["shares"])


def run_aggregate_checkpoint(given: dict[str, Any]) -> Any:
    def sampled(name: str) -> AggregateState:
        state = AggregateState()
        for cores, weight, time_s in given.get(name, []):
            state = add_cpu_sample(
                ContainerState(), state, usage_millicores=round(cores * 1000), time_s=time_s, weight=weight
            ).aggregate
        return state

    stored = save_aggregate(sampled("cpu"))
    try:
        loaded = load_aggregate(sampled("into_cpu"), replace(stored, version=given.get("version", stored.version)))
    except ParameterError as error:
        return {"error": str(error)}
    names = ("version", "total_samples_count", "first_sample_s", "last_sample_s")
    times = [loaded.first_sample_s, loaded.last_sample_s, loaded.cpu_samples]
    return {name: getattr(stored, name) for name in names} | {"loaded": times}


def run_samples(given: dict[str, Any]) -> Any:
    state = Sampled(container=ContainerState(), aggregate=AggregateState(), accepted=True)
    config = AggregationConfig(**given.get("config", {}))
    accepted = []
    for kind, amount, time_s in given["events"]:
        before = (state.container, state.aggregate)
        if kind == "cpu":
            weight = given.get("weight", 0.1)
            state = add_cpu_sample(*before, usage_millicores=amount, time_s=time_s, weight=weight)
        elif kind == "memory":
            state = add_memory_sample(*before, usage_bytes=amount, time_s=time_s, config=config)
        else:
            most = given.get("max_memory_bytes", 0)
            state = record_oom(*before, requested_bytes=amount, time_s=time_s, max_memory_bytes=most, config=config)
        accepted.append(state.accepted)
    return {
        "accepted": accepted,
        "cpu_samples": state.aggregate.cpu_samples,
        "first_sample_s": state.aggregate.first_sample_s,
        "last_sample_s": state.aggregate.last_sample_s,
        "cpu_total": state.aggregate.cpu.total_weight,
        "memory_total": state.aggregate.memory.total_weight,
        "window_end_s": state.container.window_end_s,
        "memory_peak_bytes": state.container.memory_peak_bytes,
        "oom_peak_bytes": state.container.oom_peak_bytes,
    }


def run_expired(given: dict[str, Any]) -> Any:
    last_s = given["last_sample_s"]
    count = given.get("cpu_samples", 0 if last_s is None else 1)
    state = AggregateState(last_sample_s=last_s, cpu_samples=count, created_s=given.get("created_s", 0.0))
    return [is_expired(state, now_s) for now_s in given["now_s"]]


def run_confidence(given: dict[str, Any]) -> Any:
    return [
        confidence(AggregateState(first_sample_s=first_s, last_sample_s=last_s, cpu_samples=count))
        for first_s, last_s, count in given["args"]
    ]


def aggregate(*, cpu: float | None, memory: float | None, **rest: Any) -> AggregateState:
    state = AggregateState(**rest)
    histograms = {"cpu": state.cpu, "memory": state.memory}
    for name, value in (("cpu", cpu), ("memory", memory)):
        if value is not None:
            histograms[name] = add_sample(histograms[name], value, 1.0, 0.0)
    return AggregateState(**rest, **histograms)


def container_policy(given: dict[str, Any] | None) -> ContainerPolicy | None:
    if given is None:
        return None
    bounds = {name: amounts(given[name]) for name in ("min_allowed", "max_allowed") if name in given}
    return ContainerPolicy(**given | bounds)


def run_recommend(given: dict[str, Any]) -> Any:
    found = recommend(
        {name: aggregate(**each) for name, each in given["aggregates"].items()},
        policies=[policy for each in given.get("policies", []) if (policy := container_policy(each))],
        containers_per_pod=given.get("containers_per_pod"),
        config=RecommenderConfig(**given.get("config", {})),
    )
    return [{"container": each.container, **amounts_of(each)} for each in found]


def amounts_of(recommendation: ContainerRecommendation) -> dict[str, Any]:
    names = ("target", "lower_bound", "upper_bound", "uncapped_target")
    return {name: pair(getattr(recommendation, name)) for name in names}


def run_cap(given: dict[str, Any]) -> Any:
    recommendation = ContainerRecommendation(
        container="a",
        target=amounts(given["target"]),
        lower_bound=amounts(given["lower_bound"]),
        upper_bound=amounts(given["upper_bound"]),
        uncapped_target=amounts(given["target"]),
    )
    policy = container_policy(given["policy"])
    return amounts_of(apply_policy(recommendation, policy, RecommenderConfig(**given["config"])))


def advice(given: list[dict[str, Any]]) -> tuple[ContainerRecommendation, ...]:
    return tuple(
        ContainerRecommendation(
            container=each["container"],
            target=amounts(each["target"]),
            lower_bound=amounts(each["lower_bound"]),
            upper_bound=amounts(each["upper_bound"]),
            uncapped_target=amounts(each["target"]),
        )
        for each in given
    )


def containers(given: list[dict[str, Any]]) -> tuple[Container, ...]:
    return tuple(Container(**each | {"requests": amounts(each["requests"])}) for each in given)


def run_priority(given: dict[str, Any]) -> Any:
    pod = Pod(name="p", containers=containers(given["containers"]))
    priority = update_priority(pod, advice(given["recommendations"]))
    return {
        "scale_up": priority.scale_up,
        "resource_diff": priority.resource_diff,
        "outside": priority.outside_recommended_range,
    }


def run_wish(given: dict[str, Any]) -> Any:
    policy = UpdatePolicy(evict_after_oom_s=given.get("evict_after_oom_s"))
    wishes = []
    for age_s in given["age_s"]:
        pod = Pod(name="p", containers=containers(given["containers"]), start_s=None if age_s is None else 0.0)
        wishes.append(update_wish(pod, advice(given["recommendations"]), age_s or 0.0, policy=policy).wanted)
    return wishes


def run_order(given: dict[str, Any]) -> Any:
    wishes = []
    for name, scale_up, diff, outside in given["priorities"]:
        pod = Pod(name=name, containers=())
        known = UpdatePriority(scale_up=scale_up, resource_diff=diff, outside_recommended_range=outside)
        wishes.append((pod, update_wish(pod, (), given["age_s"], priority=known)))
    return [pod.name for pod, _ in most_urgent_first(wishes)]


def run_disruptable(given: dict[str, Any]) -> Any:
    return [
        is_disruptable(
            ReplicaGroup(
                configured=configured, running=running, eviction_tolerance=int(configured * 0.5), disrupted=disrupted
            )
        )
        for configured, running, disrupted in given["args"]
    ]


def run_plan(given: dict[str, Any]) -> Any:
    policy = dict(given.get("policy", {}))
    if "eviction_requirements" in policy:
        policy["eviction_requirements"] = tuple(
            EvictionRequirement(resources=tuple(resources), change_requirement=change)
            for resources, change in policy["eviction_requirements"]
        )
    pods = []
    for each in given["pods"]:
        rest = {name: value for name, value in each.items() if name != "requests"}
        pods.append(Pod(**rest, containers=(Container(name="a", requests=amounts(each["requests"])),)))
    actions = plan_updates(
        pods,
        advice(given["recommendations"]),
        given.get("now_s", 0.0),
        configured_replicas=given["configured"],
        policy=UpdatePolicy(**policy),
        config=UpdaterConfig(**given.get("config", {})),
    )
    return [[each.pod, each.action] for each in actions]


RUN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "buckets": run_buckets,
    "edges": run_edges,
    "histogram": run_histogram,
    "same": run_same,
    "merge": run_merge,
    "save": run_save,
    "load": run_load,
    "aggregate_checkpoint": run_aggregate_checkpoint,
    "samples": run_samples,
    "expired": run_expired,
    "confidence": run_confidence,
    "with_margin": lambda given: [with_margin(*each) for each in given["args"]],
    "with_confidence": lambda given: [with_confidence(*each) for each in given["args"]],
    "pod_minimum": lambda given: [pair(pod_minimum(each)) for each in given["args"]],
    "recommend": run_recommend,
    "cap": run_cap,
    "priority": run_priority,
    "wish": run_wish,
    "order": run_order,
    "disruptable": run_disruptable,
    "plan": run_plan,
}


def check(found: Any, expected: Any) -> None:
    """Whole numbers, texts and truths exactly; reals to the digits that were worked out."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            check(found[name], value)
        if "weights" in expected:
            assert set(found["weights"]) == set(expected["weights"])
    elif isinstance(expected, list) and expected and isinstance(expected[0], (dict, float)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            check(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6)
    else:
        assert found == expected


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    check(RUN[case["given"]["call"]](case["given"]), case["expected"])


def test_every_case_says_why_and_is_named_once() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 60
    assert all(case["why"] and case["source"] for case in CASES)
