"""One loop of the autoscaler: the order of its steps, and what it remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hindscale.autoscalers.cluster_autoscaler.values import NodeInfo
from hindscale.core import ResourceRequest
from hindscale.simulation import Cluster, NodePool
from hindscale.simulation.cluster import empty_node, replica_pod
from hindscale.simulation.scans import Coming, Memory, Orders, ScanConfig, View, scan

POOL = NodePool(name="cpu", cpu_cores=4, memory_gib=16)
CONFIG = ScanConfig.of(Cluster(pools=(POOL,)))
REQUEST = ResourceRequest(cpu_cores=3, memory_gib=4)
RNG = np.random.default_rng(0)


def node(number: int, *cores: float) -> NodeInfo:
    pods = (replica_pod(ResourceRequest(cpu_cores=each), f"on-{number}-{i}") for i, each in enumerate(cores))
    return NodeInfo.of(empty_node(POOL, f"cpu-{number}"), pods)


def view(now_s: float, *nodes: NodeInfo, waiting: int = 0, coming: tuple[Coming, ...] = ()) -> View:
    pods = tuple(replica_pod(REQUEST, f"replica-{i}") for i in range(waiting))
    return View(now_s=now_s, waiting=pods, nodes=nodes, coming=coming)


def loops(*views: View, config: ScanConfig = CONFIG) -> tuple[list[Orders], Memory]:
    memory, orders = Memory(), []
    for each in views:
        order, memory = scan(each, memory, config, RNG)
        orders.append(order)
    return orders, memory


def test_a_loop_that_orders_nodes_does_not_look_at_those_that_may_go() -> None:
    orders, memory = loops(view(10.0, node(0), node(1, 3.5)), view(20.0, node(0, 3), node(1, 1), waiting=2))
    assert [(each.group, each.new_size) for each in orders[1].increases] == [("cpu", 3)]
    # The node that was unneeded at 10 is remembered as it was, though it is full now.
    assert [(each.node, each.since_s) for each in memory.scale_down.unneeded] == [("cpu-0", 10.0)]
    assert memory.times.scaled_up_s == 20.0


def test_very_new_replicas_hold_scale_down_but_not_its_clock() -> None:
    first, last = view(10.0, node(0), node(1, 3)), replace(view(620.0, node(0), node(1, 3)), waiting=())
    new = replica_pod(replace(REQUEST, memory_gib=5), "new", created_s=619.0)
    full = node(1, 3)
    orders, memory = loops(first, replace(last, nodes=(node(0, 1.5), full), waiting=(new,)))
    assert orders[1] == Orders()
    assert [each.since_s for each in memory.scale_down.unneeded] == []
    assert loops(first, last)[0][1].deleted == ("cpu-0",)


def test_empty_nodes_are_looked_at_first() -> None:
    # Alone the half-empty one could move to the empty one; the empty one goes, and the other has nowhere to go.
    orders, memory = loops(view(10.0, node(0, 2), node(1), node(2, 3.5)))
    assert orders == [Orders()]
    assert [each.node for each in memory.scale_down.unneeded] == ["cpu-1"]
    assert memory.scale_down.recheck == (("cpu-0", 310.0),)


@pytest.mark.parametrize(("min_nodes", "given_back"), [(0, ("cpu-1", "cpu-2")), (2, ("cpu-1",))])
def test_overdue_nodes_are_given_back_down_to_the_least(min_nodes: int, given_back: tuple[str, ...]) -> None:
    coming = tuple(Coming(name=f"cpu-{number}", group="cpu", since_s=0.0) for number in (1, 2))
    config = ScanConfig.of(Cluster(pools=(replace(POOL, min_nodes=min_nodes),)))
    orders, _ = loops(view(900.0, node(0, 3), coming=coming), view(910.0, node(0, 3), coming=coming), config=config)
    assert [each.given_back for each in orders] == [(), given_back]


def test_a_loop_with_nothing_to_do_leaves_nothing_to_remember() -> None:
    _, memory = loops(view(10.0, node(0, 3), node(1, 2.5)))
    assert memory.is_empty
    assert not loops(view(10.0, node(0, 3), node(1)))[1].is_empty
