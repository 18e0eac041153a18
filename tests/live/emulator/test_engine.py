from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core.errors import ParameterError
from hindscale.live.emulator.engine import Engine, Sequence
from hindscale.live.emulator.model import EmulatedModel

ROUND = EmulatedModel(
    overhead_s=1.0,
    per_sequence_s=0.1,
    per_prompt_token_s=0.01,
    per_cached_token_s=0.001,
    max_sequences=4,
    max_batched_tokens=100,
)
SMALL = EmulatedModel(cache_tokens=60, max_sequences=4, max_batched_tokens=16, context_tokens=60)
arrivals = st.lists(
    st.tuples(st.floats(0, 0.5), st.integers(1, 40), st.integers(1, 20)).map(lambda each: (each[0], each[1], each[2])),
    min_size=1,
    max_size=12,
)


def test_one_request_by_hand() -> None:
    """Reading 50 tokens: 1 + 0.1 + 0.5. Then one token with 50 in the cache, and one with 51."""
    engine = Engine(ROUND)
    request = engine.add(50, 3, now_s=10.0)
    assert engine.next_s == pytest.approx(11.6)
    engine.advance(100.0)
    assert request.first_token_s == pytest.approx(11.6)
    assert request.finished_s == pytest.approx(11.6 + 1.15 + 1.151)


def test_a_long_prompt_is_read_in_pieces_while_others_write() -> None:
    engine = Engine(ROUND)
    first = engine.add(10, 5, now_s=0.0)
    engine.advance(engine.next_s)
    second = engine.add(150, 1, now_s=engine.now_s)
    engine.advance(engine.next_s)  # the iteration that ran when it came
    engine.advance(engine.next_s)  # first writes, 99 tokens of second are read
    assert (first.generated, second.cached) == (3, 99)
    engine.advance(engine.next_s)
    assert (first.generated, second.generated) == (4, 1)


def test_a_fuller_batch_writes_slower_but_more() -> None:
    alone, together = Engine(ROUND), Engine(ROUND)
    alone.add(10, 50, 0.0)
    for _ in range(4):
        together.add(10, 50, 0.0)
    (one,) = alone.advance(1000.0)
    four = together.advance(1000.0)
    assert one.finished_s < four[-1].finished_s < 4 * one.finished_s


def test_who_finds_the_batch_full_waits_its_turn() -> None:
    engine = Engine(ROUND)
    requests = [engine.add(1, 3, 0.0) for _ in range(6)]
    assert (len(engine.running), len(engine.waiting)) == (1, 5)  # an iteration runs already
    engine.advance(engine.next_s)
    assert (len(engine.running), len(engine.waiting)) == (4, 2)
    assert engine.advance(1000.0) == requests


def test_a_full_cache_preempts_who_came_last() -> None:
    engine = Engine(SMALL)
    first, last = engine.add(10, 20, 0.0), engine.add(10, 20, 0.0)
    third = engine.add(10, 20, 0.0)
    engine.advance(1000.0)
    assert engine.preemptions >= 1
    assert first.finished_s <= last.finished_s <= third.finished_s


def test_a_cancelled_request_makes_room() -> None:
    engine = Engine(ROUND)
    running, waiting = engine.add(10, 50, 0.0), engine.add(10, 50, 0.0)
    engine.cancel(waiting)
    engine.cancel(running)
    engine.advance(1000.0)
    assert (engine.running, list(engine.waiting), engine.next_s) == ([], [], math.inf)


@pytest.mark.parametrize(
    ("tokens", "message"), [((0, 1), "needs >= 1 token"), ((50, 11), "must be <= 60 tokens, were 61")]
)
def test_what_can_never_run_is_refused(tokens: tuple[int, int], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Engine(SMALL).add(*tokens, now_s=0.0)


def run(requests: list[tuple[float, int, int]], pace_s: float) -> list[Sequence]:
    """All requests in order of arrival; between them the engine is asked at some pace."""
    engine = Engine(SMALL)
    now_s = 0.0
    sequences = []
    for gap_s, input_tokens, output_tokens in requests:
        until_s = now_s + gap_s
        while now_s + pace_s < until_s:
            now_s += pace_s
            engine.advance(now_s)
        now_s = until_s
        sequences.append(engine.add(input_tokens, output_tokens, now_s))
        assert engine.cached_tokens <= SMALL.cache_tokens
        assert len(engine.running) <= SMALL.max_sequences
    while engine.next_s < math.inf:
        engine.advance(engine.next_s)
        assert engine.cached_tokens <= SMALL.cache_tokens
        assert 0.0 <= engine.cache_usage <= 1.0
    return sequences


@given(arrivals)
def test_every_request_gets_exactly_its_tokens(requests: list[tuple[float, int, int]]) -> None:
    for sequence in run(requests, pace_s=1.0):
        assert sequence.generated == sequence.output_tokens
        assert sequence.arrived_s <= sequence.admitted_s < sequence.first_token_s <= sequence.finished_s


@given(arrivals, st.floats(0.01, 1.0))
def test_times_do_not_depend_on_how_often_the_engine_is_asked(
    requests: list[tuple[float, int, int]], pace_s: float
) -> None:
    def times(pace_s: float) -> list[tuple[float, float]]:
        return [(each.first_token_s, each.finished_s) for each in run(requests, pace_s)]

    assert times(pace_s) == times(1.0)
