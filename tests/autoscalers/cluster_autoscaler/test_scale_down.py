"""Scaling down: a walk through time, and what holds whatever the nodes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.cluster_autoscaler.backoff import BACKOFF_DEFAULTS
from hindscale.autoscalers.cluster_autoscaler.budgets import BudgetConfig, GroupView, crop_to_budgets
from hindscale.autoscalers.cluster_autoscaler.eligibility import (
    SCALE_DOWN_DEFAULTS,
    ScaleDownConfig,
    ScaleDownState,
    ScaleDownTimes,
)
from hindscale.autoscalers.cluster_autoscaler.provisioning import PROVISIONING_DEFAULTS
from hindscale.autoscalers.cluster_autoscaler.scale_down import (
    cooldown_reason,
    nodes_to_delete,
    removable_now,
    update_unneeded,
)
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeGroup, NodeInfo, Pod, Resources
from hindscale.core.state import from_plain, to_plain

PLAIN = Resources(cpu_millicores=4000, memory_bytes=8000)


def info(index: int, *cpus: int) -> NodeInfo:
    pods = [
        Pod(name=f"p{index}-{i}", requests=Resources(cpu_millicores=cpu), controller="rs") for i, cpu in enumerate(cpus)
    ]
    return NodeInfo.of(Node(name=f"n{index}", allocatable=PLAIN, group="g"), pods)


def group(size: int, *, least: int = 0) -> NodeGroup:
    return NodeGroup(name="g", min_size=least, max_size=99, target_size=size, template=info(0))


NODES = st.lists(st.lists(st.integers(0, 1300), max_size=3), max_size=8).map(
    lambda cpus: [info(index, *each) for index, each in enumerate(cpus)]
)


def test_a_cluster_shrinks_ten_minutes_after_it_grew_and_ten_after_it_became_unneeded() -> None:
    nodes, state, deleted = [info(index) for index in range(3)], ScaleDownState(), []
    groups, times = [group(3, least=1)], ScaleDownTimes(scaled_up_s=500.0)
    for now_s in range(0, 1300, 10):
        state = update_unneeded(state, nodes, float(now_s), groups)
        if not cooldown_reason(times, float(now_s)):
            going, _ = removable_now(state, nodes, groups, float(now_s))
            deleted.append((now_s, len(nodes_to_delete(going, nodes, groups).empty)))
    assert deleted[0] == (1100, 1)
    going, staying = removable_now(state, nodes, groups, 1290.0)
    assert [each.node for each in going] == ["n0", "n1"]
    assert staying[0].reason == "NodeGroupMinSizeReached"


@given(NODES, st.integers(0, 8))
def test_the_minimum_holds_and_pods_keep_a_place(nodes: list[NodeInfo], least: int) -> None:
    groups = [group(len(nodes), least=min(least, len(nodes)))]
    state = update_unneeded(ScaleDownState(), nodes, 0.0, groups)
    going, _ = removable_now(state, nodes, groups, 1e4)
    assert len(nodes) - len(going) >= groups[0].min_size
    unneeded = {each.node for each in state.unneeded}
    left = sum(4000 for each in nodes if each.node.name not in unneeded)
    assert sum(each.used.cpu_millicores for each in nodes) <= left or not unneeded
    assert len(unneeded) + len(state.unremovable) == len(nodes)


@given(NODES)
def test_states_survive_a_restart(nodes: list[NodeInfo]) -> None:
    state = update_unneeded(ScaleDownState(), nodes, 0.0, [group(len(nodes))])
    assert from_plain(to_plain(state)) == state


@given(NODES, st.integers(0, 2000))
def test_the_state_does_not_grow(nodes: list[NodeInfo], now_s: int) -> None:
    state = ScaleDownState()
    for step in range(5):
        state = update_unneeded(state, nodes[step:], now_s + 100.0 * step, [group(len(nodes))])
    assert len(state.unneeded) + len(state.recheck) <= 2 * len(nodes)
    assert len(dict(state.recheck)) == len(state.recheck)


@given(
    st.lists(st.integers(1, 12), max_size=4),
    st.lists(st.integers(1, 12), max_size=4),
    st.integers(0, 12),
    st.integers(0, 3),
)
def test_budgets_hold(empty: list[int], drain: list[int], empty_going: int, drain_going: int) -> None:
    def views(sizes: list[int]) -> list[GroupView]:
        return [GroupView(group=f"g{i}", nodes=tuple(map(str, range(size)))) for i, size in enumerate(sizes)]

    found = crop_to_budgets(
        views(empty), views(drain), empty_in_progress=empty_going, drain_in_progress=drain_going, config=BudgetConfig()
    )
    drained = sum(len(view.nodes) for view in found.drain)
    taken = drained + sum(len(view.nodes) for view in found.empty)
    assert taken <= max(0, 10 - empty_going - drain_going)
    assert drained <= max(0, 1 - drain_going)


def test_defaults_are_the_flags_defaults() -> None:
    config = SCALE_DOWN_DEFAULTS
    assert config == ScaleDownConfig()
    assert (config.scale_down_unneeded_time_s, config.scale_down_unready_time_s) == (600.0, 1200.0)
    assert (config.scale_down_utilization_threshold, config.scale_down_gpu_utilization_threshold) == (0.5, 0.5)
    delays = (
        config.scale_down_delay_after_add_s,
        config.scale_down_delay_after_delete_s,
        config.scale_down_delay_after_failure_s,
    )
    assert delays == (600.0, 0.0, 180.0)
    assert (config.budgets.max_scale_down_parallelism, config.budgets.max_drain_parallelism) == (10, 1)
    assert config.drain.max_graceful_termination_s == 600.0
    assert not config.ignore_daemonsets_utilization
    assert PROVISIONING_DEFAULTS.max_node_provision_time_s == 900.0
    assert (PROVISIONING_DEFAULTS.max_total_unready_percentage, PROVISIONING_DEFAULTS.ok_total_unready_count) == (45, 3)
    assert BACKOFF_DEFAULTS.initial_node_group_backoff_duration_s == 300.0
    assert BACKOFF_DEFAULTS.max_node_group_backoff_duration_s == 1800.0
    assert BACKOFF_DEFAULTS.node_group_backoff_reset_timeout_s == 10_800.0
