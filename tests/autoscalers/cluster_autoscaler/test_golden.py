"""Cases worked out by hand from the rules, run through every stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hindscale.autoscalers.cluster_autoscaler.backoff import Backoff, back_off, drop_stale, is_backed_off
from hindscale.autoscalers.cluster_autoscaler.balancing import balance, is_similar
from hindscale.autoscalers.cluster_autoscaler.budgets import BudgetConfig, GroupView, crop_to_budgets
from hindscale.autoscalers.cluster_autoscaler.candidates import scale_down_candidates, unneeded_limit
from hindscale.autoscalers.cluster_autoscaler.capacity_delay import CapacityDelays, decision_s, pod_ready_s
from hindscale.autoscalers.cluster_autoscaler.drain import DrainConfig, blocking_reason, drain_s, pods_to_move
from hindscale.autoscalers.cluster_autoscaler.eligibility import (
    Removable,
    ScaleDownConfig,
    ScaleDownState,
    ScaleDownTimes,
    ineligible_reason,
)
from hindscale.autoscalers.cluster_autoscaler.estimator import estimate, node_limit, pod_score
from hindscale.autoscalers.cluster_autoscaler.expanders import (
    Option,
    Pricing,
    choose,
    least_nodes,
    least_waste,
    most_pods,
    price,
    price_score,
    priority,
    wasted_share,
)
from hindscale.autoscalers.cluster_autoscaler.options import ScaleUpConfig, quota_room, skip_reason
from hindscale.autoscalers.cluster_autoscaler.pending import (
    filter_expendable,
    filter_schedulable,
    filter_young,
    group_pods,
    pods_are_new,
)
from hindscale.autoscalers.cluster_autoscaler.provisioning import (
    ProvisioningState,
    Readiness,
    ScaleUpRequest,
    UnregisteredNode,
    group_readiness,
    is_cluster_healthy,
    is_group_healthy,
    register_scale_up,
    upcoming_nodes,
    update_requests,
)
from hindscale.autoscalers.cluster_autoscaler.scale_down import cooldown_reason, removable_now, update_unneeded
from hindscale.autoscalers.cluster_autoscaler.scale_up import plan_scale_up
from hindscale.autoscalers.cluster_autoscaler.scheduling import why_not
from hindscale.autoscalers.cluster_autoscaler.utilization import node_utilization
from hindscale.autoscalers.cluster_autoscaler.values import (
    Node,
    NodeGroup,
    NodeInfo,
    Pod,
    Resources,
    Taint,
    Toleration,
)

CASES = json.loads((Path(__file__).parents[2] / "golden" / "cluster_autoscaler.json").read_text())
GPU = "nvidia.com/gpu"
Given = dict[str, Any]


# -- values from their short forms: p0, p1, ... for pods, n0, n1, ... for nodes, g for the group


def resources(cpu: int, mem: int, gpu: int, extended: Any = ()) -> Resources:
    named = ((GPU, gpu),) if gpu else ()
    return Resources(cpu_millicores=cpu, memory_bytes=mem, extended=(*named, *(tuple(each) for each in extended)))


def pod(given: Given, name: str = "p0") -> Pod:
    rest = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    amounts = resources(rest.pop("cpu"), rest.pop("mem"), rest.pop("gpu"), rest.pop("extended", ()))
    rest["tolerations"] = tuple(
        Toleration(key=key, operator=operator, value=value, effect=effect)
        for key, operator, value, effect in rest.get("tolerations", ())
    )
    rest["node_selector"] = tuple(tuple(each) for each in rest.get("node_selector", ()))
    return Pod(**{"name": name, "requests": amounts} | rest)


def pods(given: list[Given]) -> list[Pod]:
    """Each entry once, or `count` times."""
    copies = [{k: v for k, v in each.items() if k != "count"} for each in given for _ in range(each.get("count", 1))]
    return [pod(each, f"p{index}") for index, each in enumerate(copies)]


def node(given: Given, name: str = "n0", group: str = "g") -> Node:
    rest = dict(given)
    amounts = resources(rest.pop("cpu"), rest.pop("mem"), rest.pop("gpu"), rest.pop("extended", ()))
    rest.pop("daemon", None)
    rest["accelerator"] = GPU if rest.pop("accelerator", False) or amounts.of(GPU) else ""
    rest["labels"] = tuple(tuple(each) for each in rest.get("labels", ()))
    rest["taints"] = tuple(Taint(key=k, value=v, effect=e) for k, v, e in rest.get("taints", ()))
    return Node(**{"name": name, "allocatable": amounts, "group": group} | rest)


def template(given: Given, name: str = "template") -> NodeInfo:
    daemon = given.get("daemon", 0)
    there = [Pod(name="daemon", requests=Resources(cpu_millicores=daemon), is_daemon_set=True)] if daemon else []
    return NodeInfo.of(node(given, name), there)


def group(given: Given, name: str = "g") -> NodeGroup:
    return NodeGroup(
        name=given.get("name", name),
        min_size=given.get("min", 0),
        max_size=given["max"],
        target_size=given["target"],
        template=template(given.get("node", {"cpu": 4000, "mem": 8000, "gpu": 0}), given.get("name", name)),
        exists=given.get("exists", True),
        is_atomic=given.get("is_atomic", False),
    )


def option(given: Given) -> Option:
    entries = [{"cpu": cpu, "mem": mem, "gpu": 0, "count": count} for count, cpu, mem in given["pods"]]
    return Option(
        group=given["group"],
        node_count=given["node_count"],
        pods=tuple(pods(entries)),
        node=node(given["node"], given["group"]),
        exists=given.get("exists", True),
    )


def pricing(given: Given) -> Pricing:
    prices = given["prices"]
    return Pricing(node_price=lambda node: prices[node.name], pod_price=lambda _: 0.1, cluster_nodes=given["nodes"])


def names(found: Any) -> list[str]:
    return [each.name for each in found]


# -- one driver a stage


def run_schedulable(given: Given) -> Any:
    nodes = [NodeInfo.of(node(each["node"]), pods(each["pods"])) for each in given["nodes"]]
    return names(filter_schedulable(pods(given["pods"]), nodes)[0])


def run_estimate(given: Given) -> Any:
    groups = group_pods(each for entry in given["groups"] for each in pods([entry]))
    found = estimate(groups, template(given["template"]), limit=given["limit"])
    return [found.nodes, len(found.pods)]


def run_limit(given: Given) -> Any:
    rest = {key: given[key] for key in ("max_nodes_total", "current_nodes") if key in given}
    return node_limit(group(given["group"]), similar=[group(each) for each in given.get("similar", [])], **rest)


def run_filter(given: Given) -> Any:
    options = [option(each) for each in given["options"]]
    tiers = {int(tier): patterns for tier, patterns in given.get("tiers", {}).items()}
    filters: dict[str, Callable[[], Any]] = {
        "least-waste": lambda: least_waste(options),
        "most-pods": lambda: most_pods(options),
        "least-nodes": lambda: least_nodes(options),
        "price": lambda: price(options, pricing(given)),
        "priority": lambda: priority(options, tiers),
        "random": lambda: options,
    }
    return [each.group for each in filters[given["filter"]]()]


def run_choose(given: Given) -> Any:
    found = choose([option(each) for each in given["options"]], given["expanders"], np.random.default_rng(1))
    return found.group if found else None


def run_readiness(given: Given) -> Any:
    found = group_readiness(
        [node(each) for each in given["nodes"]],
        [UnregisteredNode(group="g", since_s=since_s) for since_s in given["unregistered"]],
        "g",
        given["now_s"],
        deleted=given.get("deleted", ()),
    )
    return {name: getattr(found, name) for name in Readiness.__dataclass_fields__}


def run_upcoming(given: Given) -> Any:
    kinds = ("ready", "unready", "not_started", "long_unregistered")
    return [
        upcoming_nodes(target, Readiness(**dict(zip(kinds, counts, strict=True)))) for target, *counts in given["args"]
    ]


def ordered(counts: dict[str, int]) -> ProvisioningState:
    requests = (
        ScaleUpRequest(group=name, increase=count, time_s=0.0, expected_add_s=900.0) for name, count in counts.items()
    )
    return ProvisioningState(requests=tuple(requests))


def run_group_healthy(given: Given) -> Any:
    readiness = None if given["readiness"] is None else Readiness(**given["readiness"])
    return is_group_healthy(group({"max": 99, "target": given["target"]}), readiness, ordered({"g": given["ordered"]}))


def run_orders(given: Given) -> Any:
    state, looked = ProvisioningState(), None
    for step, *rest in given["steps"]:
        if step == "order":
            state = register_scale_up(state, "g", rest[0], rest[1])
        else:
            target, readiness, now_s = rest
            groups = [group({"max": 99, "target": target})]
            looked = update_requests(state, groups, {"g": Readiness(**readiness)}, now_s)
            state = looked.state
    request = next(iter(state.requests), None)
    backoff = next(iter(state.backoffs), None)
    return {
        "request": request and [request.increase, request.time_s, request.expected_add_s],
        "backoff": backoff and [backoff.duration_s, backoff.until_s],
        "finished": list(looked.finished) if looked else [],
        "timed_out": list(looked.timed_out) if looked else [],
    }


def failed(times_s: list[float]) -> list[tuple[Backoff, ...]]:
    states: list[tuple[Backoff, ...]] = [()]
    for now_s in times_s:
        states.append(back_off(states[-1], "g", now_s))
    return states[1:]


def run_skip(given: Given) -> Any:
    readiness = None if given["ready"] is None else Readiness(ready=given["ready"])
    backoffs = failed([given["failed_s"]])[-1] if "failed_s" in given else ()
    state = ProvisioningState(backoffs=backoffs)
    return skip_reason(group(given["group"]), readiness, state, given.get("now_s", 0.0), room=given["room"])


def run_quota(given: Given) -> Any:
    config = ScaleUpConfig(max_resources=tuple(tuple(each) for each in given["limits"]))
    return quota_room(template(given["template"]), resources(*given["used"]), given["wanted"], config)


def run_balance(given: Given) -> Any:
    groups = [
        group({"max": most, "target": target}, f"g{index}") for index, (target, most) in enumerate(given["groups"])
    ]
    found = {each.group: [each.group, each.current_size, each.new_size] for each in balance(groups, given["nodes"])}
    sizes = {each.name: [each.name, each.target_size, each.target_size] for each in groups}
    wanted = {entry[0] for entry in given["mentioned"]}
    return sorted(found.get(name, sizes[name]) for name in set(found) | wanted)


def run_scale_up(given: Given) -> Any:
    config = dict(given.get("config", {}))
    if "max_resources" in config:
        config["max_resources"] = tuple(tuple(each) for each in config["max_resources"])
    state = ordered(given.get("ordered", {}))
    for name in given.get("backed_off", []):
        state = replace(state, backoffs=back_off(state.backoffs, name, given["now_s"]))
    plan = plan_scale_up(
        pods(given["pods"]),
        [NodeInfo.of(node(each, f"n{index}", "")) for index, each in enumerate(given.get("nodes", []))],
        [group(each) for each in given["groups"]],
        given["now_s"],
        np.random.default_rng(1),
        state=state,
        config=ScaleUpConfig(**config),
    )
    increases = sorted([each.group, each.current_size, each.new_size] for each in plan.increases)
    return {"result": plan.result, "increases": increases}


def run_utilization(given: Given) -> Any:
    flags = {key: given[key] for key in ("ignore_daemon_sets", "ignore_mirror_pods") if key in given}
    info = NodeInfo.of(node(given["node"]), pods(given["pods"]))
    found = node_utilization(info, given.get("now_s", 0.0), **flags)
    return [found.share, found.resource]


def run_to_move(given: Given) -> Any:
    found = pods_to_move(NodeInfo.of(node({"cpu": 1, "mem": 1, "gpu": 0}), pods(given["pods"])), 0.0, given["budgets"])
    return {"blocked_by": found.blocked_by, "pods": names(found.pods), "is_risky": found.is_risky}


def run_drain_s(given: Given) -> Any:
    return [drain_s(tuple(Pod(name="p", termination_grace_s=each) for each in graces)) for graces in given["grace"]]


def run_eligible(given: Given) -> Any:
    state = ScaleDownState(recheck=(("n0", given.get("recheck_until_s", 0.0)),))
    info = NodeInfo.of(node(given["node"]), pods(given["pods"]))
    config = ScaleDownConfig(**given.get("config", {}))
    return ineligible_reason(info, state, given.get("now_s", 0.0), ["g"], config)


def run_unneeded(given: Given) -> Any:
    plain = {"cpu": 4000, "mem": 8000, "gpu": 0}
    nodes = [
        NodeInfo.of(node(plain | {key: each[key] for key in each if key != "pods"}, f"n{index}"), pods(each["pods"]))
        for index, each in enumerate(given["nodes"])
    ]
    found = update_unneeded(
        ScaleDownState(),
        nodes,
        0.0,
        [group({"max": 9, "target": len(nodes), "is_atomic": given.get("is_atomic", False)})],
        budgets=given.get("budgets"),
        candidates=given.get("candidates"),
        config=ScaleDownConfig(
            budgets=BudgetConfig(max_scale_down_parallelism=given.get("max_scale_down_parallelism", 10))
        ),
    )
    return {
        "unneeded": [[each.node, each.needs_drain] for each in found.unneeded],
        "unremovable": [[each.node, each.reason, each.detail] for each in found.unremovable],
    }


def run_candidates(given: Given) -> Any:
    plain = {"cpu": 4000, "mem": 8000, "gpu": 0}
    nodes = [
        node(plain | {"ready": ready, "created_s": created_s}, f"n{index}", name)
        for index, (name, ready, created_s) in enumerate(given["nodes"])
    ]
    return list(scale_down_candidates(nodes, [group(each) for each in given["groups"]], given["now_s"]))


def run_clock(given: Given) -> Any:
    plain = {"cpu": 4000, "mem": 8000, "gpu": 0}
    state, since = ScaleDownState(), []
    for now_s, cpu in zip(given["times"], given["cpu"], strict=True):
        there = [pod({"cpu": cpu, "mem": 0, "gpu": 0, "controller": "rs"})] if cpu else []
        nodes = [NodeInfo.of(node(plain), there)]
        if not given.get("alone"):
            nodes.append(NodeInfo.of(node(plain | {"scale_down_disabled": True}, "n1")))
        state = update_unneeded(state, nodes, now_s, [group({"max": 9, "target": 2})])
        since.append(next((each.since_s for each in state.unneeded if each.node == "n0"), None))
    return since


def run_removable(given: Given) -> Any:
    plain = {"cpu": 4000, "mem": 8000, "gpu": 0, "ready": given.get("ready", True)}
    nodes = [NodeInfo.of(node(plain, f"n{index}")) for index in range(len(given["since"]))]
    gone = [NodeInfo.of(node(plain | {"being_deleted": True}, f"d{i}")) for i in range(given.get("also_deleted", 0))]
    drained, risky = given.get("drain", [False] * len(nodes)), given.get("risky", [False] * len(nodes))
    unneeded = (
        Removable(node=f"n{index}", since_s=since_s, needs_drain=drained[index], is_risky=risky[index])
        for index, since_s in enumerate(given["since"])
    )
    going, staying = removable_now(
        ScaleDownState(unneeded=tuple(unneeded)),
        [*nodes, *gone],
        [group({"max": 9, "target": len(nodes), "min": given.get("min", 0)})],
        given["now_s"],
        deletions_in_progress={"g": given.get("deleting", 0)},
        config=ScaleDownConfig(min_resources=tuple(tuple(each) for each in given.get("least", []))),
    )
    return {"going": [each.node for each in going], "staying": [[each.node, each.reason] for each in staying]}


def run_cooldown(given: Given) -> Any:
    times = ScaleDownTimes(**{key: given[key] for key in ("scaled_up_s", "deleted_s", "failed_s") if key in given})
    config = ScaleDownConfig(**given.get("config", {}))
    waiting = given.get("waiting", False)
    return [cooldown_reason(times, now_s, waiting_for_pods=waiting, config=config) for now_s in given["now_s"]]


def run_budget(given: Given) -> Any:
    views = {
        key: [
            GroupView(group=name, nodes=tuple(f"{name}{index}" for index in range(count)), is_atomic=is_atomic)
            for name, count, is_atomic in given[key]
        ]
        for key in ("empty", "drain")
    }
    progress = {key: given[key] for key in ("empty_in_progress", "drain_in_progress", "atomic_sizes") if key in given}
    found = crop_to_budgets(views["empty"], views["drain"], **progress)
    return [[[each.group, len(each.nodes)] for each in part] for part in (found.empty, found.drain)]


RUN: dict[str, Callable[[Given], Any]] = {
    "why_not": lambda given: why_not(pod(given["pod"]), NodeInfo.of(node(given["node"]), pods(given["on"]))),
    "expendable": lambda given: names(filter_expendable(pods(given["pods"]))),
    "schedulable": run_schedulable,
    "young": lambda given: names(filter_young(pods(given["pods"]), given["now_s"], given["delay_s"])),
    "new": lambda given: pods_are_new(pods(given["pods"]), given["now_s"]),
    "groups": lambda given: [names(each.pods) for each in group_pods(pods(given["pods"]))],
    "score": lambda given: pod_score(pod(given["pod"]), template(given["template"])),
    "estimate": run_estimate,
    "limit": run_limit,
    "waste": lambda given: wasted_share(option(given["option"])),
    "filter": run_filter,
    "price_score": lambda given: price_score(option(given["option"]), pricing(given)),
    "choose": run_choose,
    "readiness": run_readiness,
    "upcoming": run_upcoming,
    "cluster_healthy": lambda given: [is_cluster_healthy(*each) for each in given["args"]],
    "group_healthy": run_group_healthy,
    "orders": run_orders,
    "backoff": lambda given: [[each[0].duration_s, each[0].until_s] for each in failed(given["failures"])],
    "backed_off": lambda given: [is_backed_off(failed(given["failures"])[-1], "g", now_s) for now_s in given["now_s"]],
    "stale": lambda given: [bool(drop_stale(failed(given["failures"])[-1], now_s)) for now_s in given["now_s"]],
    "skip": run_skip,
    "quota": run_quota,
    "balance": run_balance,
    "similar": lambda given: is_similar(template(given["one"]), template(given["other"])),
    "scale_up": run_scale_up,
    "utilization": run_utilization,
    "blocking": lambda given: blocking_reason(
        pod(given["pod"]), given.get("now_s", 0.0), given.get("budgets", {}), DrainConfig(**given.get("config", {}))
    ),
    "to_move": run_to_move,
    "drain_s": run_drain_s,
    "eligible": run_eligible,
    "unneeded": run_unneeded,
    "unneeded_limit": lambda given: [
        unneeded_limit(count, loop_interval_s=interval_s) for count, interval_s in given["args"]
    ],
    "candidates": run_candidates,
    "clock": run_clock,
    "removable": run_removable,
    "cooldown": run_cooldown,
    "budget": run_budget,
    "decision": lambda given: [
        decision_s(created_s, CapacityDelays(), asks_for_gpu=given["gpu"]) for created_s in given["created_s"]
    ],
    "pod_ready": lambda given: pod_ready_s(
        given["created_s"], CapacityDelays(**given["delays"]), asks_for_gpu=given["gpu"]
    ),
}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    given, expected = dict(case["given"]), case["expected"]
    if given["call"] == "balance":
        given["mentioned"] = expected
        expected = sorted(expected)
    found = RUN[given["call"]](given)
    if isinstance(expected, dict):
        found = {name: found[name] for name in expected}
    assert found == (pytest.approx(expected, rel=1e-6) if isinstance(expected, float) else expected)


def test_every_case_says_why_and_is_named_once() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 60
    assert all(case["why"] and case["source"] for case in CASES)
