"""Traces as values: checked when made, and cut, thinned and counted without losing requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hindscale.core.errors import ParameterError, TraceError
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace
from strategies import rate_traces, request_traces

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def requests_at(*arrival_s: float, **columns: object) -> RequestTrace:
    return RequestTrace(name="a", arrival_s=np.array(arrival_s), **columns)  # type: ignore[arg-type]


def rates(*requests: float, window_s: float = 60.0) -> RateTrace:
    return RateTrace(name="r", window_s=window_s, requests=np.array(requests), start=NOON)


# -- checks


@pytest.mark.parametrize(
    ("arrival_s", "message"),
    [
        ([], "a: arrival_s must hold at least one value, was empty"),
        ([0, 5, 2], "a: arrival_s must not fall, but row 3 has 2 after 5"),
        ([0, -1], "a: arrival_s must be a number >= 0, but row 2 has -1"),
        ([0, 1, np.nan], "a: arrival_s must be a number >= 0, but row 3 has nan"),
        ([0, np.inf], "a: arrival_s must be a number >= 0, but row 2 has inf"),
        ([[0, 1], [2, 3]], "a: arrival_s must have one dimension, has 2"),
    ],
)
def test_arrivals_are_numbers_in_order(arrival_s: list[float], message: str) -> None:
    with pytest.raises(TraceError) as caught:
        RequestTrace(name="a", arrival_s=np.array(arrival_s, np.float64))
    assert str(caught.value).startswith(message)


def test_a_fall_is_found_behind_a_million_rows() -> None:
    arrival_s = np.arange(3 << 20, dtype=np.float64)
    # At a seam between two blocks of the check: row numbers count from 1.
    arrival_s[1 << 20] = 7.0
    with pytest.raises(TraceError, match="row 1048577 has 7 after 1048575"):
        RequestTrace(name="a", arrival_s=arrival_s)


@pytest.mark.parametrize("column", ["input_tokens", "output_tokens", "service_s"])
def test_columns_have_one_number_a_request(column: str) -> None:
    with pytest.raises(TraceError, match=rf"a: {column} must have one value a request \(2\), has 3"):
        requests_at(0, 1, **{column: np.ones(3)})
    with pytest.raises(TraceError, match=f"a: {column} must be a number >= 0, but row 2 has -1"):
        requests_at(0, 1, **{column: np.array([1.0, -1.0])})


@pytest.mark.parametrize("window_s", [0.0, -1.0, np.nan, np.inf])
def test_a_window_has_a_length(window_s: float) -> None:
    with pytest.raises(ParameterError, match="window_s must be a number > 0"):
        rates(1, 2, window_s=window_s)
    with pytest.raises(ParameterError, match="window_s must be a number > 0"):
        UtilizationTrace(name="u", window_s=window_s, utilization=np.array([0.5]))


def test_utilization_is_a_fraction() -> None:
    with pytest.raises(TraceError, match=r"\[0, 1\], but row 2 has 70; are these percent\? divide by 100"):
        UtilizationTrace(name="u", window_s=60, utilization=np.array([0.5, 70]))
    assert UtilizationTrace(name="u", window_s=60, utilization=np.array([0.0, 1.0])).duration_s == 120


def test_clock_times_are_not_offsets() -> None:
    with pytest.raises(TraceError, match="begins at 1700000000, which looks like a clock time; subtract the first"):
        requests_at(1.7e9, 1.7e9 + 1)
    with pytest.raises(TraceError, match="a clock time in milliseconds; subtract the first value and divide by 1000"):
        requests_at(1.7e12, 1.7e12 + 1)


def test_a_change_from_seconds_to_milliseconds_is_seen() -> None:
    seconds = np.arange(200.0)
    mixed = np.concatenate([seconds[:100], 1000 * seconds[100:]])
    with pytest.raises(TraceError, match="row 101 jumps from 99 to 100000; are seconds and milliseconds mixed"):
        RequestTrace(name="a", arrival_s=mixed)


def test_a_long_silence_is_not_a_change_of_units() -> None:
    """Bursts of 20 s, and a thousand times that between them."""
    burst = np.arange(1.0, 21.0)
    trace = RequestTrace(name="a", arrival_s=np.concatenate([burst, 20_000 + burst]))
    assert trace.total_requests == 40


def test_a_start_without_a_zone_is_utc() -> None:
    naive = datetime(2026, 1, 5, 12)
    assert requests_at(0, start=naive).start == NOON
    assert RateTrace(name="r", window_s=1, requests=np.ones(1), start=naive).start == NOON
    assert UtilizationTrace(name="u", window_s=1, utilization=np.ones(1), start=naive).start == NOON
    there = datetime(2026, 1, 5, 12, tzinfo=timezone(timedelta(hours=-4)))
    assert requests_at(0, start=there).start == NOON + timedelta(hours=4)


# -- parts


@given(trace=request_traces(), share=st.floats(0, 1))
def test_the_parts_of_a_trace_make_the_whole(trace: RequestTrace, share: float) -> None:
    cut_s = share * trace.duration_s
    assume(trace.arrival_s[0] < cut_s <= trace.duration_s)
    before, after = trace.between(0, cut_s), trace.between(cut_s)
    assert before.duration_s < cut_s
    np.testing.assert_array_equal(before.arrival_s, trace.arrival_s[: len(before.arrival_s)])
    np.testing.assert_array_equal(after.arrival_s, trace.arrival_s[len(before.arrival_s) :] - cut_s)


@given(trace=rate_traces(), data=st.data())
def test_the_parts_of_rates_make_the_whole(trace: RateTrace, data: st.DataObject) -> None:
    assume(len(trace.requests) > 1)
    cut_s = data.draw(st.integers(1, len(trace.requests) - 1)) * trace.window_s
    parts = [trace.between(0, cut_s), trace.between(cut_s)]
    np.testing.assert_array_equal(np.concatenate([part.requests for part in parts]), trace.requests)


def test_a_part_keeps_its_rows_together_and_starts_its_clock_anew() -> None:
    trace = requests_at(
        0, 10, 20, 30, input_tokens=np.arange(4.0), output_tokens=np.arange(4.0) * 2, service_s=np.ones(4), start=NOON
    )
    part = trace.between(10, 30)
    assert part.arrival_s.tolist() == [0, 10]  # 30 itself is left out
    assert part.input_tokens is not None
    assert part.output_tokens is not None
    assert part.service_s is not None
    assert (part.input_tokens.tolist(), part.output_tokens.tolist(), len(part.service_s)) == ([1, 2], [2, 4], 2)
    assert part.start == NOON + timedelta(seconds=10)


def test_parts_of_rates_are_whole_windows() -> None:
    part = rates(1, 2, 3, 4).between(70, 200)  # the windows from 60 to 180 s
    assert part.requests.tolist() == [2, 3]
    assert part.start == NOON + timedelta(seconds=60)


def test_a_part_forgets_what_holds_for_the_whole_recording() -> None:
    details = {"source": "here", "start": "day 3", "filled_windows": "4", "filled_ranges": "[[0, 60]]"}
    trace = RateTrace(name="r", window_s=60, requests=np.ones(5), details=details)
    assert trace.between(60).details == {"source": "here"}


@pytest.mark.parametrize("trace", [requests_at(0, 100), rates(1, 2)], ids=["requests", "rates"])
def test_a_part_must_hold_something(trace: RequestTrace | RateTrace) -> None:
    with pytest.raises(ParameterError, match=r"nothing lies between 1h and its end; the trace is .*min long"):
        trace.between(3600)
    with pytest.raises(ParameterError, match="nothing lies between 1min and 1min"):
        trace.between(60, 60)
    with pytest.raises(ParameterError, match="from_s must be a number >= 0, was -1"):
        trace.between(-1)
    with pytest.raises(ParameterError, match="to_s must be a number >= 0, was nan"):
        trace.between(0, float("nan"))


# -- scale


@given(trace=request_traces(), factor=st.floats(0.5, 5), seed=st.integers(0, 9))
def test_scaled_requests_stay_in_order_and_in_place(trace: RequestTrace, factor: float, seed: int) -> None:
    try:
        scaled = trace.scaled(factor, seed=seed)
    except TraceError:
        assert factor < 1  # every request was thinned out
        return
    assert (np.diff(scaled.arrival_s) >= 0).all()
    assert scaled.duration_s <= trace.duration_s
    assert int(factor) * trace.total_requests <= scaled.total_requests <= (int(factor) + 1) * trace.total_requests


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0, 2.4])
def test_scaling_gives_the_factor_in_the_mean(factor: float) -> None:
    trace = RequestTrace(name="a", arrival_s=np.arange(100_000.0))
    expected = factor * 100_000
    # A coin a request with the fraction as its chance: 5 standard deviations of the binomial.
    rest = factor % 1
    assert abs(trace.scaled(factor, seed=1).total_requests - expected) <= 5 * np.sqrt(100_000 * rest * (1 - rest))


def test_a_scaled_request_keeps_its_columns() -> None:
    trace = RequestTrace(name="a", arrival_s=np.arange(1000.0), input_tokens=np.arange(1000.0))
    thinned = trace.scaled(0.5)
    np.testing.assert_array_equal(thinned.input_tokens, thinned.arrival_s)
    doubled = trace.scaled(2)
    assert doubled.input_tokens is not None
    # A copy moves by at most one mean gap, which is 1 s.
    assert (np.abs(doubled.arrival_s - doubled.input_tokens) <= 1).all()
    np.testing.assert_array_equal(np.bincount(doubled.input_tokens.astype(int)), np.full(1000, 2))


def test_scaling_by_the_same_seed_gives_the_same_trace() -> None:
    trace = RequestTrace(name="a", arrival_s=np.arange(100.0))
    assert trace.scaled(1.5, seed=3).arrival_s.tolist() == trace.scaled(1.5, seed=3).arrival_s.tolist()
    assert trace.scaled(1.5, seed=3).arrival_s.tolist() != trace.scaled(1.5, seed=4).arrival_s.tolist()


def test_a_trace_cannot_be_scaled_away() -> None:
    with pytest.raises(TraceError, match="no request is left at scale 1e-09; use a larger one"):
        requests_at(0, 1).scaled(1e-9)
    with pytest.raises(ParameterError, match="factor must be a number > 0"):
        requests_at(0, 1).scaled(0)
    with pytest.raises(ParameterError, match="factor must be a number > 0"):
        rates(1).scaled(-1)


def test_scaled_rates_are_multiplied() -> None:
    assert rates(1, 2).scaled(2.5, seed=7).requests.tolist() == [2.5, 5]


# -- rates


def test_rates_of_requests_by_hand() -> None:
    # 0-10 s: four requests; 10-20 s: one; the last window, 20-30 s, ends with the last arrival.
    trace = requests_at(1, 2, 3, 4, 15, 22, 26, 30)
    np.testing.assert_allclose(trace.rates_rps(10), [0.4, 0.1, 0.3])
    # In windows of 20 s the second is 10 s long: three requests in it.
    np.testing.assert_allclose(trace.rates_rps(20), [0.25, 0.3])
    # In windows of 29 s the second is 1 s long, too short for a rate of its own.
    np.testing.assert_allclose(trace.rates_rps(29), [7 / 29, 7 / 29])
    np.testing.assert_allclose(trace.rates_rps(1000), [8 / 30])


@given(trace=request_traces(), windows=st.integers(1, 10))
def test_rates_times_windows_are_the_requests(trace: RequestTrace, windows: int) -> None:
    assume(trace.duration_s > 1e-3)
    window_s = trace.duration_s / windows
    rates_rps = trace.rates_rps(window_s)
    assume(len(rates_rps) == windows)  # rounding may leave a sliver of one more
    assert rates_rps.sum() * window_s == pytest.approx(trace.total_requests)


def test_requests_at_one_instant_have_the_rate_of_the_window() -> None:
    assert requests_at(0, 0, 0).rates_rps(60).tolist() == [3 / 60]


def test_rates_of_rates_join_whole_windows() -> None:
    trace = rates(60, 120, 180, 240, 999)
    np.testing.assert_allclose(trace.rates_rps(60), [1, 2, 3, 4, 999 / 60])
    np.testing.assert_allclose(trace.rates_rps(1), trace.rates_rps(60))
    np.testing.assert_allclose(trace.rates_rps(120), [1.5, 3.5])  # the fifth has no partner
    np.testing.assert_allclose(trace.rates_rps(1e9), [1599 / 300])


@given(trace=request_traces(), window_s=st.floats(0.5, 500))
def test_counting_loses_no_request(trace: RequestTrace, window_s: float) -> None:
    counted = trace.to_rates(window_s)
    assert counted.total_requests == trace.total_requests
    assert counted.duration_s - window_s <= trace.duration_s * (1 + 1e-9)
    assert trace.duration_s <= counted.duration_s * (1 + 1e-9)


@given(trace=rate_traces(), joined=st.integers(1, 25))
def test_longer_windows_lose_no_request(trace: RateTrace, joined: int) -> None:
    longer = trace.to_rates(joined * trace.window_s)
    assert longer.total_requests == pytest.approx(trace.total_requests)
    assert len(longer.requests) == -(-len(trace.requests) // joined)
    assert longer.requests[0] == pytest.approx(trace.requests[:joined].sum())


@pytest.mark.parametrize("window_s", [30.0, 90.0, 61.0])
def test_rates_are_counted_in_multiples_of_their_window(window_s: float) -> None:
    with pytest.raises(ParameterError, match="window_s must be a multiple of the trace's window, 1min, was"):
        rates(1, 2, 3).to_rates(window_s)


def test_utilization_becomes_traffic_at_a_full_load() -> None:
    trace = UtilizationTrace(name="u", window_s=60, utilization=np.array([0.5, 1.0]), start=NOON)
    # Half of 10 requests a second for a minute is 300 requests.
    traffic = trace.to_rates(10)
    assert (traffic.requests.tolist(), traffic.window_s, traffic.start) == ([300, 600], 60, NOON)
    with pytest.raises(ParameterError, match="full_load_rps must be a number > 0"):
        trace.to_rates(0)


def test_figures_of_a_trace() -> None:
    trace = requests_at(0, 5, 20)
    assert (trace.duration_s, trace.total_requests, trace.mean_rate_rps) == (20, 3, 0.15)
    counted = rates(60, 0, 0)
    assert (counted.duration_s, counted.total_requests, counted.mean_rate_rps) == (180, 60, pytest.approx(1 / 3))
