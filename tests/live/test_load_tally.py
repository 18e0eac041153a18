from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core.slo import Slo
from hindscale.live.load_http import Question
from hindscale.live.load_report import LoadReport, render
from hindscale.live.load_tally import LatencyCounts, Tally

SLO = Slo.parse("p90 < 1s")
ends = st.lists(st.tuples(st.floats(0, 300), st.floats(0.001, 5), st.sampled_from([200, 200, 404, 503, 0])), min_size=1)


def ended(latency_s: float, status: int = 200, *, first_s: float | None = None, tokens: float = 0) -> Question:
    question = Question(content=b"", due_s=0.0, on_end=lambda _: None, output_tokens=tokens)
    question.status, question.failure = status, "" if status else "time-out"
    question.first_s = first_s
    return question


def report(tally: Tally, **given: object) -> LoadReport:
    known = {"trace": "t", "url": "u", "speed": 1.0, "duration_s": 10.0, "held_back": 0, "is_complete": True}
    return tally.report(**{**known, **given})


@given(ends)
def test_every_request_is_counted_once_and_errors_are_misses(given_ends: list[tuple[float, float, int]]) -> None:
    tally = Tally(SLO, 1.0)
    for arrival_s, latency_s, status in given_ends:
        tally.end(ended(latency_s, status), arrival_s, latency_s)
    told = report(tally)
    assert sum(told.statuses.values()) + sum(told.failures.values()) == told.requests == len(given_ends) == tally.ended
    met = [latency_s <= 1 and status == 200 for _, latency_s, status in given_ends]
    assert told.slo_attainment == pytest.approx(sum(met) / len(met))
    json.dumps(told.to_dict(), allow_nan=False)


@given(st.lists(st.floats(1e-5, 1e4), min_size=1))
def test_percentiles_lie_within_what_was_measured(latencies_s: list[float]) -> None:
    counts = LatencyCounts()
    for latency_s in latencies_s:
        counts.add(latency_s)
    told = counts.told()
    assert min(latencies_s) / 1.017 <= told.p50_s <= told.p99_s <= told.p999_s <= told.max_s == max(latencies_s)
    assert told.mean_s == pytest.approx(sum(latencies_s) / len(latencies_s))


def test_latencies_of_a_faster_service_count_in_its_own_time() -> None:
    tally = Tally(SLO, 60.0)
    tally.end(ended(0.1, first_s=0.05, tokens=11), 0.0, 0.1)
    told = report(tally)
    assert told.latency.max_s == pytest.approx(6.0)
    assert told.first_byte.max_s == pytest.approx(3.0)
    assert told.per_token.max_s == pytest.approx(0.3)
    assert told.slo_attainment == 0.0


def test_minutes_count_by_arrival() -> None:
    tally = Tally(SLO, 1.0)
    for arrival_s, latency_s in [(0, 0.1), (59, 0.1), (61, 2.0), (200, 0.1)]:
        tally.end(ended(latency_s), arrival_s, latency_s)
    assert report(tally).minutes_attainment == pytest.approx(2 / 3)


def test_without_requests_nothing_is_known() -> None:
    told = report(Tally(SLO, 1.0), is_complete=False, duration_s=0.0)
    assert math.isnan(told.slo_attainment)
    assert math.isnan(told.offered_rps)
    assert "0 requests" in render(told)
    assert told.remarks == ["interrupted: these are the requests until then"]


def test_the_table_fits_a_terminal() -> None:
    tally = Tally(SLO, 1.0)
    for status in (200, 404, 503, 0):
        tally.sent(0.02)
        tally.end(ended(123.456, status, first_s=100.0, tokens=5), 0.0, 123.456)
    printed = render(report(tally, held_back=12_345))
    assert max(map(len, printed.splitlines())) <= 80
    assert "not answered: 1 status 404, 1 status 503, 1 time-out" in printed
    assert "→ SLO p90 < 1s missed: 0.00%, in 0.00% of the minutes" in printed


def test_a_generator_that_was_late_says_so() -> None:
    tally = Tally(None, 1.0)
    tally.sent(0.5)
    tally.end(ended(0.1), 0.0, 0.1)
    (first, second) = report(tally, held_back=3).remarks
    assert first.startswith("the generator itself was late (p99 500ms), and latencies include that")
    assert second == "3 requests waited for a free connection; raise --connections"
