"""Scaling up: a walk from pending pods to nodes, and what holds whatever the pods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.cluster_autoscaler.balancing import balance
from hindscale.autoscalers.cluster_autoscaler.estimator import estimate
from hindscale.autoscalers.cluster_autoscaler.expanders import Option, choose, priority
from hindscale.autoscalers.cluster_autoscaler.options import SCALE_UP_DEFAULTS, ScaleUpConfig
from hindscale.autoscalers.cluster_autoscaler.pending import group_pods
from hindscale.autoscalers.cluster_autoscaler.provisioning import (
    ProvisioningState,
    Readiness,
    register_scale_up,
    upcoming_infos,
    update_requests,
)
from hindscale.autoscalers.cluster_autoscaler.scale_up import plan_scale_up
from hindscale.autoscalers.cluster_autoscaler.scheduling import place_all
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeGroup, NodeInfo, Pod, Resources
from hindscale.core.errors import ParameterError
from hindscale.core.state import from_plain, to_plain

GPU = "nvidia.com/gpu"
NODE = Node(
    name="h200", allocatable=Resources(cpu_millicores=16_000, memory_bytes=128, extended=((GPU, 8),)), accelerator=GPU
)
GROUP = NodeGroup(name="gpu", max_size=20, template=NodeInfo.of(NODE))
PODS = st.lists(
    st.builds(
        lambda cpu, memory, gpus, controller: Pod(
            name="p",
            requests=Resources(cpu_millicores=cpu, memory_bytes=memory, extended=((GPU, gpus),)),
            controller=controller,
        ),
        st.integers(0, 18_000),
        st.integers(0, 130),
        st.integers(0, 9),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=25,
)


def gpu_pods(count: int, *, created_s: float = 0.0) -> list[Pod]:
    requests = Resources(cpu_millicores=4000, memory_bytes=32, extended=((GPU, 4),))
    return [Pod(name=f"p{i}", requests=requests, controller="chat", created_s=created_s) for i in range(count)]


@given(PODS, st.integers(0, 12))
def test_an_estimate_is_enough_and_within_its_limit(pods: list[Pod], limit: int) -> None:
    groups = [group for group in group_pods(pods) if not place_all([group.exemplar], [GROUP.template])[0]]
    found = estimate(groups, GROUP.template, limit=limit)
    assert found.nodes <= limit
    placed = sum(len(group.pods) for group in groups)
    assert len(found.pods) <= placed
    if found.nodes < limit:
        assert len(found.pods) == placed
    assert found.nodes <= len(found.pods)


@given(PODS)
def test_more_pods_never_need_fewer_nodes_of_equal_pods(pods: list[Pod]) -> None:
    same = [replace(gpu_pods(1)[0], name=f"{i}") for i in range(len(pods))]
    nodes = [estimate(group_pods(same[:count]), GROUP.template).nodes for count in range(len(same) + 1)]
    assert nodes == [-(-count // 2) for count in range(len(same) + 1)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6), st.integers(0, 60))
def test_balancing_adds_what_it_may_to_the_smallest(groups: list[tuple[int, int]], nodes: int) -> None:
    made = [
        NodeGroup(name=f"g{i}", target_size=target, max_size=target + room, template=GROUP.template)
        for i, (target, room) in enumerate(groups)
    ]
    increases = balance(made, nodes)
    assert sum(each.new_size - each.current_size for each in increases) == min(nodes, sum(room for _, room in groups))
    sizes = {group.name: group.target_size for group in made} | {each.group: each.new_size for each in increases}
    assert all(sizes[group.name] <= group.max_size for group in made)
    with_room = [sizes[group.name] for group in made if sizes[group.name] < group.max_size]
    grown = [each.new_size for each in increases]
    if with_room and grown:
        assert max(grown) <= min(with_room) + 1


@given(PODS)
def test_defaults_written_out_are_the_defaults(pods: list[Pod]) -> None:
    written = ScaleUpConfig(**{name: getattr(SCALE_UP_DEFAULTS, name) for name in ScaleUpConfig.__dataclass_fields__})
    plans = [
        plan_scale_up(pods, [], [GROUP], 100.0, np.random.default_rng(3), config=config)
        for config in (written, SCALE_UP_DEFAULTS)
    ]
    assert plans[0] == plans[1]
    assert all(each.new_size <= GROUP.max_size for plan in plans for each in plan.increases)


def test_gpu_pods_wait_30_s_then_get_nodes_once() -> None:
    state, group, rng = ProvisioningState(), GROUP, np.random.default_rng(0)
    sizes = []
    for now_s in np.arange(0.0, 200.0, 10.0).tolist():
        plan = plan_scale_up(gpu_pods(5), [], [group], now_s, rng, readiness={}, state=state)
        for increase in plan.increases:
            state = register_scale_up(state, group.name, increase.new_size - increase.current_size, now_s)
            group = replace(group, target_size=increase.new_size)
        sizes.append(group.target_size)
    # 5 pods of 4 GPUs on nodes of 8. Not again while the three are on their way.
    assert sizes == [0, 0, 0, *[3] * 17]


def test_nodes_that_never_come_are_given_up_after_15_min_and_ordered_again_after_5() -> None:
    state, group, rng = ProvisioningState(), GROUP, np.random.default_rng(0)
    ordered_s, gave_up_s = [], []
    for now_s in np.arange(30.0, 2600.0, 10.0).tolist():
        looked = update_requests(state, [group], {}, now_s)
        state = looked.state
        if looked.timed_out:
            gave_up_s.append(now_s)
            group = replace(group, target_size=0)  # the provider takes the order back
        plan = plan_scale_up(gpu_pods(2), [], [group], now_s, rng, state=state)
        for increase in plan.increases:
            state = register_scale_up(state, group.name, increase.new_size - increase.current_size, now_s)
            group = replace(group, target_size=increase.new_size)
            ordered_s.append(now_s)
    assert gave_up_s == [940.0, 2150.0]
    assert ordered_s == [30.0, 1240.0]  # backed off until 940 + 300; the second time for 600
    assert state.backoffs[0].duration_s == 600.0
    assert from_plain(to_plain(state)) == state


def test_a_registered_node_without_its_gpu_is_upcoming() -> None:
    groups = [replace(GROUP, target_size=2)]
    infos = upcoming_infos(groups, {"gpu": Readiness(ready=1, not_started=1)})
    assert [info.node.name for info in infos] == ["gpu-upcoming-0"]


def test_reasons_are_one_line() -> None:
    plan = plan_scale_up(gpu_pods(3), [], [GROUP], 60.0, np.random.default_rng(0))
    assert plan.reason == "scale-up: gpu 0 -> 2 (max 20)"
    full = replace(GROUP, target_size=20)
    plan = plan_scale_up(
        gpu_pods(3), [], [full], 60.0, np.random.default_rng(0), readiness={"gpu": Readiness(ready=20)}
    )
    assert plan.reason == "no expansion options (gpu: max node group size reached)"


def test_equal_options_are_chosen_by_chance_from_the_seed() -> None:
    options = [Option(group=name, node_count=1, pods=(Pod(name="p"),), node=NODE) for name in "abc"]
    rng = np.random.default_rng(5)
    found = {option.group for _ in range(50) if (option := choose(options, ["random"], rng))}
    assert found == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("expanders", "message"),
    [
        (["least-wast"], "unknown expander 'least-wast'; did you mean 'least-waste'?"),
        (["price"], "expander price needs prices"),
        (["priority"], "expander priority needs tiers"),
    ],
)
def test_expanders_that_cannot_be_are_refused(expanders: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        choose([], expanders, np.random.default_rng(0))


def test_other_values_that_cannot_be_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"'\*' is no regular expression"):
        priority([], {1: ["*"]})
    with pytest.raises(ParameterError, match="min_size must be <= max_size"):
        NodeGroup(name="g", min_size=3, max_size=2, template=GROUP.template)
    with pytest.raises(ParameterError, match="max_nodes_total must be a whole number >= 0"):
        ScaleUpConfig(max_nodes_total=-1)
