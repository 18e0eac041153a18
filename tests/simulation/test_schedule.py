"""The dynamic program for whole replicas: equal to brute force, and a bound for everybody else."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.simulation import schedule as module
from hindscale.simulation.schedule import QueueProblem, cheapest_schedule, least_cost_s

MOST = 3
demands = st.lists(st.integers(0, 40), min_size=1, max_size=5)


def problem(demand: list[int], **given: object) -> QueueProblem:
    """Ten requests a step keep one replica busy; two parts a step; a request may wait for a step."""
    arrived = np.cumsum(np.repeat(np.array(demand, float) / 2, 2))
    due = np.r_[0.0, 0.0, arrived[:-2]]
    values = {
        "gone": np.zeros(len(arrived)),
        "start_s": 20.0,
        "initial_replicas": 1,
        "min_replicas": 0,
        "max_replicas": MOST,
        **given,
    }
    return QueueProblem(step_s=15.0, parts=2, arrived=arrived, due=due, served_per_part=5.0, **values)


def played(one: QueueProblem, schedule: tuple[int, ...]) -> tuple[float, float]:
    """Replica seconds and misses of a schedule, request by request in order."""
    done = judged = missed = 0.0
    seconds, before = 0.0, one.initial_replicas
    for step, replicas in enumerate(schedule):
        seconds += one.step_s * replicas + one.start_s * max(replicas - before, 0)
        before = replicas
        for part in range(step * one.parts, (step + 1) * one.parts):
            done = min(one.arrived[part], done + one.served_per_part * replicas)
            missed += max(one.due[part] - max(done, judged), 0.0)
            judged = one.due[part]
            done = max(done, one.gone[part])
    return seconds, missed


def every(one: QueueProblem) -> list[tuple[float, float]]:
    """Replica seconds and misses of every schedule there is."""
    return [played(one, each) for each in itertools.product(range(MOST + 1), repeat=len(one.load))]


@settings(max_examples=30)
@given(demand=demands, price=st.sampled_from([0.5, 2.0, 10.0]), start_s=st.sampled_from([0.0, 10.0, 60.0]))
def test_the_cheapest_schedule_is_what_brute_force_finds(demand: list[int], price: float, start_s: float) -> None:
    one = problem(demand, start_s=start_s)
    with pytest.MonkeyPatch.context() as patch:
        # One level for each backlog that can be: nothing is rounded.
        patch.setattr(module, "SCHEDULE_LEVELS", np.arange(0.0, 201.0, 0.5))
        patch.setattr(module, "_allowed_backlog", lambda one: np.ones(len(one.load)))
        found = cheapest_schedule(one, price=price, spare=0.0)
    seconds, missed = played(one, tuple(found.tolist()))
    assert seconds + price * missed == pytest.approx(min(cost + price * late for cost, late in every(one)))


@settings(max_examples=30)
@given(demand=demands, forgiven=st.integers(0, 20), start_s=st.sampled_from([0.0, 10.0, 60.0]))
def test_the_bound_is_below_every_schedule_that_keeps_the_slo(demand: list[int], forgiven: int, start_s: float) -> None:
    one = problem(demand, start_s=start_s, max_replicas=100)
    bound = least_cost_s(one, missed_at_most=forgiven)
    assert bound is not None
    for cost, late in every(one):
        assert late > forgiven or bound <= cost + 1e-9


def test_who_gives_up_is_not_served() -> None:
    # Forty at once, then nothing; nobody waits longer than a step.
    one = problem([40, 0, 0, 0], initial_replicas=1, start_s=100.0)
    patient = cheapest_schedule(one, price=0.5, spare=0.0)
    hasty = cheapest_schedule(replace(one, gone=one.due), price=0.5, spare=0.0)
    assert played(replace(one, gone=one.due), tuple(hasty.tolist()))[0] <= played(one, tuple(patient.tolist()))[0]
    assert hasty[2:].tolist() == [0, 0]


def test_the_bound_knows_that_half_a_replica_is_a_whole_one() -> None:
    # Half a replica's work, for long: one replica all the time, less one step for its start.
    one = replace(problem([5] * 200), start_s=15.0, initial_replicas=0, min_replicas=1)
    assert least_cost_s(one, missed_at_most=0.0) == pytest.approx(200 * 15.0)


def test_large_fleets_have_no_bound_of_whole_replicas() -> None:
    assert least_cost_s(problem([1000], max_replicas=1000), missed_at_most=0.0) is None


def test_a_queue_is_worked_off_before_it_is_late() -> None:
    # Thirty at once may wait for a step: two replicas for two steps cost less than starting a third one.
    assert cheapest_schedule(problem([30, 10, 0], initial_replicas=2), price=100.0, spare=0.0).tolist() == [2, 2, 0]
    # Where requests are worth little, nothing is started for them.
    assert cheapest_schedule(problem([30, 30, 30], initial_replicas=0), price=0.1, spare=0.0).tolist() == [0, 0, 0]


def test_spare_replicas_do_not_count_as_serving() -> None:
    # The last step's requests may wait until after the end.
    assert cheapest_schedule(problem([20] * 6), price=100.0, spare=0.0).tolist() == [2, 2, 2, 2, 2, 0]
    assert cheapest_schedule(problem([20] * 6), price=100.0, spare=0.5).tolist()[:5] == [3] * 5


def test_a_price_is_positive() -> None:
    with pytest.raises(ParameterError, match="price must be a number > 0"):
        cheapest_schedule(problem([1]), price=0.0, spare=0.0)
