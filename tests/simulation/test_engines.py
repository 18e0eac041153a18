"""The two engines agree to the last digit, and both keep the books."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hindscale.core import Constant, RunError, ServiceProfile
from hindscale.core.service import Balancer
from hindscale.simulation import fast
from hindscale.simulation.contract import FAR_NS, Batch, Engine, EngineConfig, Event, EventKind, Gone, Total
from hindscale.simulation.fast import FastEngine
from hindscale.simulation.readable import ReadableEngine

INTERVAL = 12
CONFIG = EngineConfig(
    slots=1,
    replica_capacity=1 << 40,
    gateway_capacity=1 << 40,
    timeout_ns=FAR_NS,
    bound_ns=12,
    balancer=Balancer.LEAST_OUTSTANDING,
    ticks=8,
    rows=3,
)
BOTH = pytest.mark.parametrize("engine", [FastEngine, ReadableEngine])


@dataclass
class Play:
    """One control interval of a made-up run; times are offsets into it."""

    arrivals: list[tuple[int, int, int]]  # (offset, service, choice), sorted by offset
    added: list[tuple[int, int | None]] = field(default_factory=list)  # (ready offset, life or None)
    drained: list[tuple[int, int | None]] = field(default_factory=list)  # (which, deadline offset or None)


# Small whole numbers on purpose: ties everywhere.
requests = st.tuples(st.integers(1, INTERVAL), st.integers(1, 30), st.integers(0, (1 << 62) - 1))
plays = st.lists(
    st.builds(
        Play,
        arrivals=st.lists(requests, max_size=12).map(sorted),
        added=st.lists(st.tuples(st.integers(1, 25), st.none() | st.integers(1, 40)), max_size=2),
        drained=st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 20)), max_size=1),
    ),
    min_size=1,
    max_size=8,
)
configs = st.builds(
    EngineConfig,
    slots=st.integers(1, 3),
    replica_capacity=st.integers(3, 6) | st.just(1 << 40),
    gateway_capacity=st.integers(0, 4) | st.just(1 << 40),
    timeout_ns=st.integers(0, 15) | st.just(FAR_NS),
    bound_ns=st.just(12),
    balancer=st.sampled_from(Balancer),
    ticks=st.just(8),
    rows=st.just(3),
)

Seen = tuple[list[Gone], list[int], list[int]]


@dataclass
class Observed:
    """All that an engine shows: after each interval, and at the very end."""

    intervals: list[Seen]
    met_by_tick: list[int]
    histogram: list[list[int]]


def play_back(engine: Engine, script: list[Play], *, batches_of: int = 1000) -> Observed:
    """Run a script, then let everything come out."""
    pending: list[Event] = []
    alive: list[int] = []
    lost_at: dict[int, int] = {}
    intervals: list[Seen] = []
    for tick, play in enumerate(script):
        now, until = tick * INTERVAL, (tick + 1) * INTERVAL
        for ready, life in play.added:
            index = len(lost_at)
            lost_at[index] = FAR_NS if life is None else now + ready + life
            engine.add(index, lost_at[index])
            alive.append(index)
            pending.append(Event(now + ready, EventKind.READY, index))
            if life is not None:
                pending.append(Event(lost_at[index], EventKind.LOST, index))
        for which, deadline in play.drained:
            if alive:
                index = alive.pop(which % len(alive))
                engine.drain(index, now, FAR_NS if deadline is None else now + deadline)
                pending = [event for event in pending if event[1:] != (EventKind.READY, index)]
        rows = [(now + offset, service, choice) for offset, service, choice in play.arrivals]
        due = sorted(event for event in pending if event.time_ns <= until)
        pending = [event for event in pending if event.time_ns > until]
        gone = engine.advance(until, to_batches(rows, batches_of), due, tick)
        alive = [index for index in alive if lost_at[index] > until]
        intervals.append((sorted(gone), engine.totals.tolist(), [engine.outstanding(index) for index in alive]))
    gone = engine.advance(FAR_NS, [], sorted(pending), len(script) - 1)
    intervals.append((sorted(gone), engine.totals.tolist(), []))
    return Observed(intervals, engine.met_by_tick.tolist(), engine.histogram.tolist())


def to_batches(rows: list[tuple[int, int, int]], batches_of: int) -> list[Batch]:
    parts = [rows[i : i + batches_of] for i in range(0, len(rows), batches_of)]
    return [Batch(*(np.array(column, np.int64) for column in zip(*part, strict=True))) for part in parts]


# Several that become ready at one instant while what the first took has no time left to wait.
TIED_READY = [
    Play(arrivals=[(5, 1, 0)] * 4, added=[(16, None)]),
    Play(arrivals=[], added=[(4, None)]),
]


@settings(max_examples=max(1000, settings.default.max_examples))
@given(config=configs, script=plays, batches_of=st.integers(1, 20), growth=st.booleans())
@example(replace(CONFIG, replica_capacity=3, timeout_ns=11, balancer=Balancer.ROUND_ROBIN), TIED_READY, 20, False)
def test_engines_agree_to_the_last_digit(
    config: EngineConfig, script: list[Play], batches_of: int, growth: bool
) -> None:
    expected = play_back(ReadableEngine(config), script)
    with pytest.MonkeyPatch.context() as patch:
        if growth:
            patch.setattr(fast, "FIRST_NODES", 1)  # everything has to grow
        assert play_back(FastEngine(config), script, batches_of=batches_of) == expected


@given(config=configs, script=plays)
def test_no_request_is_lost_or_made_up(config: EngineConfig, script: list[Play]) -> None:
    arrived = 0
    seen = play_back(FastEngine(config), script)
    for play, (_, totals, _) in zip(script, seen.intervals, strict=False):
        arrived += len(play.arrivals)
        assert totals[Total.ARRIVED] == arrived
        assert arrived == sum(totals[outcome] for outcome in OUTCOMES)
        assert totals[Total.MET] <= totals[Total.SERVED]
    final = seen.intervals[-1][1]
    assert final[Total.IN_SERVICE] == 0
    assert sum(seen.met_by_tick) == final[Total.MET]
    assert sum(map(sum, seen.histogram)) == final[Total.SERVED]


OUTCOMES = (
    Total.SERVED,
    Total.DROPPED,
    Total.TIMED_OUT,
    Total.FAILED,
    Total.CUT,
    Total.QUEUED,
    Total.IN_SERVICE,
)


# -- each rule of the contract by itself


def totals_after(engine: Engine, until: int, arrivals: list[tuple[int, int]]) -> list[int]:
    rows = [(arrived, service, 0) for arrived, service in arrivals]
    engine.advance(until, to_batches(rows, 100), [Event(0, EventKind.READY, 0)], 0)
    return engine.totals.tolist()


@BOTH
def test_requests_wait_in_line_for_a_slot(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, FAR_NS)
    # Served 0-10, 10-20, 20-30; latencies 9, 18, 27; the SLO's bound is 12.
    totals = totals_after(one, 25, [(1, 9), (2, 10), (3, 10)])
    assert totals[Total.SERVED] == 2
    assert totals[Total.IN_SERVICE] == 1
    assert totals[Total.MET] == 1
    assert totals[Total.BUSY_NS] == 9 + 10 + 5
    totals = totals_after(one, 100, [])
    assert (totals[Total.SERVED], totals[Total.BUSY_NS]) == (3, 29)


@BOTH
def test_full_queues_drop(engine: type[FastEngine]) -> None:
    one = engine(replace(CONFIG, replica_capacity=2, gateway_capacity=1))
    one.add(0, FAR_NS)
    totals = totals_after(one, 10, [(1, 50), (1, 50), (1, 50), (1, 50), (2, 50)])
    assert (totals[Total.IN_SERVICE], totals[Total.QUEUED], totals[Total.DROPPED]) == (1, 2, 2)


@BOTH
def test_waiting_ends_with_the_time_out_but_not_before(engine: type[FastEngine]) -> None:
    one = engine(replace(CONFIG, timeout_ns=10))
    one.add(0, FAR_NS)
    # The first serves 1-11. The second, from 1, may begin at 11, just in time; the third, from 1, cannot.
    totals = totals_after(one, 50, [(1, 10), (1, 10), (1, 10)])
    assert (totals[Total.SERVED], totals[Total.TIMED_OUT]) == (2, 1)


@BOTH
def test_a_lost_replica_takes_its_requests_with_it(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, 20)
    one.advance(30, to_batches([(1, 10, 0), (2, 10, 0), (25, 1, 0)], 9), [
        Event(0, EventKind.READY, 0), Event(20, EventKind.LOST, 0)
    ], 0)  # fmt: skip
    totals = one.totals.tolist()
    # The first is served at 11; the second is lost at 20; the third waits at the gateway for ever.
    assert (totals[Total.SERVED], totals[Total.FAILED], totals[Total.QUEUED]) == (1, 1, 1)
    assert totals[Total.BUSY_NS] == 10 + 9


@BOTH
def test_a_draining_replica_finishes_what_it_has_and_takes_nothing_new(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, FAR_NS)
    totals_after(one, 10, [(1, 20), (2, 5)])
    one.drain(0, 10, FAR_NS)
    gone = one.advance(100, to_batches([(11, 1, 0)], 9), [], 1)
    assert list(gone) == [Gone(26, 0)]
    totals = one.totals.tolist()
    assert (totals[Total.SERVED], totals[Total.QUEUED], totals[Total.CUT]) == (2, 1, 0)


@BOTH
def test_what_is_left_at_the_drain_deadline_is_cut(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, FAR_NS)
    totals_after(one, 10, [(1, 20), (2, 5)])
    one.drain(0, 10, 23)
    assert list(one.advance(100, [], [], 1)) == [Gone(23, 0)]
    totals = one.totals.tolist()
    # The first ends at 21; the second, 21 to 26, is cut.
    assert (totals[Total.SERVED], totals[Total.CUT], totals[Total.BUSY_NS]) == (1, 1, 22)


@BOTH
def test_an_idle_replica_is_gone_the_moment_it_drains(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, FAR_NS)
    totals_after(one, 10, [])
    one.drain(0, 10, FAR_NS)
    assert list(one.advance(20, [], [], 1)) == [Gone(10, 0)]


@BOTH
def test_the_gateway_serves_the_first_in_line_when_a_replica_is_ready(engine: type[FastEngine]) -> None:
    one = engine(CONFIG)
    one.add(0, FAR_NS)
    one.advance(40, to_batches([(1, 5, 0), (2, 5, 0)], 9), [Event(30, EventKind.READY, 0)], 0)
    # Waited from 1 and 2, served 30-35 and 35-40: latencies 34 and 38 ns.
    assert one.totals[Total.SERVED] == 2
    assert one.totals[Total.MET] == 0


@BOTH
@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        (Balancer.LEAST_OUTSTANDING, [2, 2, 2]),
        (Balancer.ROUND_ROBIN, [2, 2, 2]),
        (Balancer.TWO_CHOICES, None),
        (Balancer.RANDOM, None),
    ],
)
def test_balancers_spread_requests(engine: type[FastEngine], balancer: Balancer, expected: list[int] | None) -> None:
    one = engine(replace(CONFIG, balancer=balancer))
    for replica in range(3):
        one.add(replica, FAR_NS)
    dice = np.random.default_rng(1).integers(0, 1 << 62, 6)
    rows = [(1, 100, int(choice)) for choice in dice]
    one.advance(10, to_batches(rows, 9), [Event(0, EventKind.READY, replica) for replica in range(3)], 0)
    loads = [one.outstanding(replica) for replica in range(3)]
    assert sum(loads) == 6
    assert expected is None or loads == expected


@BOTH
def test_a_central_queue_gives_a_replica_no_more_than_its_slots(engine: type[FastEngine]) -> None:
    profile = ServiceProfile(slots=2, service_time=Constant(1), balancer=Balancer.CENTRAL_QUEUE)
    one = engine(EngineConfig.from_profile(profile, bound_s=1, ticks=1, rows=1))
    one.add(0, FAR_NS)
    totals = totals_after(one, 10, [(1, 100)] * 5)
    assert (one.outstanding(0), totals[Total.IN_SERVICE], totals[Total.QUEUED]) == (2, 2, 3)


def test_two_choices_beat_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The power of two choices: the longest queue is far shorter than with random placement."""
    longest = {}
    for balancer in (Balancer.RANDOM, Balancer.TWO_CHOICES, Balancer.LEAST_OUTSTANDING):
        engine = FastEngine(replace(CONFIG, balancer=balancer))
        for replica in range(200):
            engine.add(replica, FAR_NS)
        dice = np.random.default_rng(0).integers(0, 1 << 62, 200)
        batch = Batch(np.full(200, 1), np.full(200, 1000), dice)
        engine.advance(10, [batch], [Event(0, EventKind.READY, replica) for replica in range(200)], 0)
        longest[balancer] = max(engine.outstanding(replica) for replica in range(200))
    assert longest[Balancer.LEAST_OUTSTANDING] == 1
    assert longest[Balancer.TWO_CHOICES] < longest[Balancer.RANDOM]


def test_an_endless_queue_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "MOST_NODES", 2048)
    engine = FastEngine(CONFIG)
    engine.add(0, FAR_NS)
    batch = Batch(np.arange(1, 5001), np.full(5000, 10**9), np.empty(0, np.int64))
    with pytest.raises(RunError, match=r"the fleet is far too small .* set replica_queue_limit or queue_timeout_s"):
        engine.advance(10_000, [batch], [Event(0, EventKind.READY, 0)], 0)
