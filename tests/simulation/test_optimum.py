"""The fluid optimum: equal to brute force, and below everything else."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.simulation.optimum import FluidProblem, solve

MOST = 4


def problem(demand: list[float], **given: float) -> FluidProblem:
    """Demand in replicas a step, to be met in its step."""
    arrived = np.cumsum(np.array(demand, float)) * 15.0
    return FluidProblem(**{"step_s": 15.0, "arrived": arrived, "due": arrived, "served_per_step": 15.0, **given})


def cheapest_of_all(demand: list[int], start_s: float, initial: int) -> float:
    """Every schedule of whole replicas, one after the other."""
    costs = []
    for schedule in itertools.product(range(MOST + 1), repeat=len(demand)):
        if all(have >= need for have, need in zip(schedule, demand, strict=True)):
            starts = sum(max(after - before, 0) for before, after in itertools.pairwise((initial, *schedule)))
            costs.append(15.0 * sum(schedule) + start_s * starts)
    return min(costs)


@settings(max_examples=40)
@given(
    demand=st.lists(st.integers(0, MOST), min_size=1, max_size=5),
    start_s=st.sampled_from([0.0, 5.0, 20.0, 100.0]),
    initial=st.integers(0, MOST),
)
def test_it_is_what_brute_force_finds(demand: list[int], start_s: float, initial: int) -> None:
    # With whole demands and nothing forgiven the program is a network flow: its optimum is whole, too.
    best = solve(problem(list(map(float, demand)), start_s=start_s, initial_replicas=initial, max_replicas=MOST))
    assert best.replica_s == pytest.approx(cheapest_of_all(demand, start_s, initial), abs=1e-5)


def test_a_dip_shorter_than_a_start_is_bridged() -> None:
    # Two replicas idle for one step cost 30 s, starting them again 40 s.
    assert solve(problem([2, 0, 2], start_s=20.0, initial_replicas=2)).ready == pytest.approx([2, 2, 2], abs=1e-6)
    # Two idle for two steps cost 60 s.
    found = solve(problem([2, 0, 0, 2], start_s=20.0, initial_replicas=2))
    assert found.ready == pytest.approx([2, 0, 0, 2], abs=1e-6)
    assert found.replica_s == pytest.approx(60 + 40)


def test_what_is_forgiven_is_taken_where_it_saves_most() -> None:
    # The last replica of the peak serves 15 requests, and costs 15 s and a start: it is not there.
    best = solve(problem([1, 3, 1], start_s=20.0, initial_replicas=1, missed_at_most=15.0))
    assert best.ready == pytest.approx([1, 2, 1], abs=1e-6)
    assert best.missed == pytest.approx([0, 15, 0], abs=1e-4)
    assert best.replica_s == pytest.approx(15 * 4 + 20)


def test_a_backlog_may_wait_as_long_as_the_bound_allows() -> None:
    # 3 replicas' worth in the first step, due by the end of the second: one and a half each.
    arrived = np.array([45.0, 45.0])
    waiting = problem([3, 0], arrived=arrived, due=np.array([0.0, 45.0]))  # type: ignore[arg-type]
    assert solve(waiting).replica_s == pytest.approx(45.0)
    assert solve(waiting).ready.max() <= 3.0
    capped = problem([3, 0], arrived=arrived, due=np.array([0.0, 45.0]), max_replicas=1.5)  # type: ignore[arg-type]
    assert solve(capped).ready == pytest.approx([1.5, 1.5], abs=1e-6)


def test_too_low_a_cap_says_how_many_requests_it_costs() -> None:
    with pytest.raises(ParameterError, match=r"even all 2 replicas all the time miss 15 requests, and it forgives 5;"):
        solve(problem([1, 3, 1], max_replicas=2, missed_at_most=5.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step_s": 0.0}, "step_s must be a number > 0, was 0"),
        ({"served_per_step": -1.0}, "served_per_step must be a number > 0, was -1"),
        ({"start_s": math.nan}, "start_s must be"),
        ({"due": np.array([99.0, 99.0])}, "due must not be above arrived"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        problem([1, 2], **given)
