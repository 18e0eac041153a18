"""Fleets on paper against a plain walk, one fleet and one replica at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.policies._rehearsal import FluidService, Rehearsal

SERVICE = FluidService(served_per_s=1.0, patience_s=2.0, gives_up_s=60.0)
TICK_S = 10.0


class PlainFleet:
    """The same fleet as a list of replicas, each with the ticks it still needs."""

    def __init__(self, replicas: int) -> None:
        self.needs = [0] * replicas
        self.backlog = 0.0
        self.paid_s = 0.0

    def advance(self, arrived: float) -> None:
        self.needs = [max(need - 1, 0) for need in self.needs]
        ready = self.needs.count(0)
        served = ready * SERVICE.served_per_s * TICK_S
        left = max(self.backlog + arrived - served, 0.0)
        self.backlog = min(left, ready * SERVICE.served_per_s * SERVICE.gives_up_s)
        self.paid_s += len(self.needs) * TICK_S

    def order(self, wanted: int, start_ticks: int) -> None:
        self.needs += [start_ticks] * (wanted - len(self.needs))
        while len(self.needs) > wanted:
            self.needs.remove(max(self.needs))


@given(
    ticks=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 12), st.integers(1, 4)), max_size=30),
    replicas=st.integers(0, 5),
)
def test_a_fleet_on_paper_is_a_fleet(ticks: list[tuple[int, int, int]], replicas: int) -> None:
    fleets, plain = Rehearsal.begin(2, replicas, most_ticks=4), PlainFleet(replicas)
    for arrived, wanted, start_ticks in ticks:
        fleets = fleets.advanced(float(arrived), TICK_S, SERVICE, kept=1.0)
        plain.advance(arrived)
        assert fleets.ready.values[0] == plain.needs.count(0)
        assert fleets.backlog.values[0] == pytest.approx(plain.backlog, abs=1e-6)
        assert fleets.paid_s.values[0] == pytest.approx(plain.paid_s)
        fleets = fleets.ordered(np.array([float(wanted), 3.0]), start_ticks=start_ticks)
        plain.order(wanted, start_ticks)


@given(ticks=st.lists(st.integers(0, 100), min_size=1, max_size=40), fewer=st.integers(0, 5), more=st.integers(0, 5))
def test_more_replicas_never_miss_more(ticks: list[int], fewer: int, more: int) -> None:
    fleets = Rehearsal.begin(2, 1, most_ticks=2)
    for arrived in ticks:
        fleets = fleets.ordered(np.array([fewer, fewer + more], np.float64), start_ticks=2)
        fleets = fleets.advanced(float(arrived), TICK_S, SERVICE, kept=0.99)
    assert fleets.missed.values[1] <= fleets.missed.values[0] + 1e-6
    assert fleets.paid_s.values[1] >= fleets.paid_s.values[0]


def test_misses_worked_by_hand() -> None:
    # 3 replicas serve 30 of 60 in ten seconds: 30 wait, 10 s each at the end; after the first fifth all are late.
    fleets = Rehearsal.begin(1, 3, most_ticks=1).advanced(60.0, TICK_S, SERVICE, kept=1.0)
    assert fleets.missed.values.tolist() == pytest.approx([0.8 * 60])
    assert fleets.missed_share.tolist() == pytest.approx([0.8])


def test_whoever_waited_too_long_is_gone() -> None:
    fleets = Rehearsal.begin(1, 1, most_ticks=1).advanced(1000.0, TICK_S, SERVICE, kept=1.0)
    assert fleets.backlog.values.tolist() == [60.0]
    patient = FluidService(served_per_s=1.0, patience_s=2.0, gives_up_s=math.inf)
    assert Rehearsal.begin(1, 1, most_ticks=1).advanced(1000.0, TICK_S, patient, kept=1.0).backlog.values[0] == 990.0
