"""Prometheus range results."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hindscale.traces import RateTrace, read_trace
from hindscale.traces.formats import prometheus

START_S = 1767614400  # 2026-01-05 12:00 UTC


def answer(*series: list[object], name: str | None = None, step_s: float = 60.0) -> str:
    metric = {} if name is None else {"__name__": name}
    result = [
        {"metric": metric, "values": [[START_S + i * step_s, str(value)] for i, value in enumerate(values)]}
        for values in series
    ]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def read(path: Path, **options: Any) -> RateTrace:
    trace = read_trace(path, **options)
    assert isinstance(trace, RateTrace)
    return trace


def test_rates_times_steps_are_requests(file_with: Callable[..., Path]) -> None:
    trace = read(file_with(answer([1, 0.5, 2])))
    assert (trace.window_s, trace.requests.tolist()) == (60, [60, 30, 120])
    assert trace.start == datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_series_are_added_up(file_with: Callable[..., Path]) -> None:
    # A replica that is gone after the first sample adds nothing to the second.
    assert read(file_with(answer([1, 2], [0.5]))).requests.tolist() == [90, 120]


def test_the_result_alone_will_do(file_with: Callable[..., Path]) -> None:
    content = json.dumps(json.loads(answer([1, 2]))["data"])
    assert read(file_with(content)).requests.tolist() == [60, 120]


def test_a_value_that_is_not_a_number_is_no_sample(file_with: Callable[..., Path], refusal: Callable[..., str]) -> None:
    content = answer([1, 1, "NaN", 3, "+Inf", 1])
    assert refusal(content).startswith("time_s must advance by one window (1min), but row 3 advances by 120 s; read it")
    trace = read(file_with(content), fill="interpolate")
    assert (trace.requests.tolist(), trace.details) == ([60, 60, 120, 180, 120, 60], {"filled_windows": "2"})
    # What is unknown of one series is unknown of the sum.
    assert read(file_with(answer([1, "NaN", 1], [1, 1, 1])), fill="zero").requests.tolist() == [120, 0, 120]


def test_values_that_ramp_up_are_not_a_counter(file_with: Callable[..., Path]) -> None:
    ramp = [0.5 + 0.25 * i for i in range(20)]
    assert read(file_with(answer(ramp))).requests[0] == 30
    assert read(file_with(answer(ramp, name="job:requests:rate1m"))).requests[0] == 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            answer([5, 9, 1], name="http_requests_total"),  # it fell when a replica restarted
            "expected rates, http_requests_total is a raw counter; query sum(rate(http_requests_total[1m]))",
        ),
        (
            answer([1000 + i * i for i in range(20)]),
            "expected rates, a series is a raw counter; query sum(rate(name_of_the_counter[1m]))",
        ),
        (answer(), "expected at least one series with values, the result is empty"),
        (answer([]), "expected at least one series with values, the result is empty"),
        (answer(["NaN", "NaN"]), "expected numbers, every value is NaN"),
        (answer([1]), "at least two windows are needed to know their length, found 1"),
        (answer([1, -1]), "requests must be a number >= 0, but row 2 has -60"),
        (
            json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error:\n unexpected end"}),
            "expected a successful range query (resultType matrix), got an error: parse error: unexpected end",
        ),
        (
            json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}),
            "expected a successful range query (resultType matrix), got a vector result",
        ),
    ],
)
def test_answers_without_rates_are_refused(refusal: Callable[..., str], content: str, message: str) -> None:
    assert refusal(content, "answer.json") == message


@pytest.mark.parametrize(
    "content",
    [
        answer([1, 2])[:-5],
        answer([1, "many"]),
        '{"result": [1, 2]}',
        '{"data": [1], "result": 5}',
        '{"result": [{"metric": {}, "values": null}]}',
        '{"result": [{"metric": {}, "values": [[1]]}]}',
        '{"result": [{"metric": {}, "histograms": []}]}',
        '{"result":' + "[" * 50_000,
    ],
    ids=["truncated", "words", "numbers", "a list", "null", "half a sample", "histograms", "too deep"],
)
def test_other_json_is_refused(refusal: Callable[..., str], content: str) -> None:
    expected = 'expected a Prometheus range result, {"data": {"result": [{"values": ...}]}}: '
    assert refusal(content, "answer.json").startswith(expected)


def test_an_endless_answer_is_refused(refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST_BYTES", 1000)
    assert refusal(answer([1] * 1000)) == "expected at most 1,000 bytes; query the sum of the series"
