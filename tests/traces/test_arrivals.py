"""From rates to single arrivals: the right number, spread as promised, in pieces that fit in memory."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hindscale.core.errors import ParameterError
from hindscale.traces import ArrivalProcess, RateTrace, arrival_chunks, arrivals
from strategies import rate_traces

Floats = NDArray[np.float64]
WINDOWS = 20_000

processes = st.builds(
    ArrivalProcess,
    burstiness=st.sampled_from([0.0, 0.5, 3.0]),
    burst_s=st.sampled_from([0.5, 7.0, 90.0]),
    interpolation=st.sampled_from(["step", "linear"]),
)


def rates(*requests: float, window_s: float = 60.0) -> RateTrace:
    return RateTrace(name="r", window_s=window_s, requests=np.array(requests))


def drawn(trace: RateTrace, process: ArrivalProcess | None = None, *, seed: int = 0, chunk: int = 1 << 17) -> Floats:
    chunks = list(arrival_chunks(trace, np.random.default_rng(seed), process, chunk_requests=chunk))
    return np.concatenate([np.empty(0), *chunks])


def counted(arrival_s: Floats, windows: int, window_s: float) -> NDArray[np.int64]:
    return np.bincount((arrival_s / window_s).astype(np.int64), minlength=windows)


# -- always


@given(trace=rate_traces(), process=processes, seed=st.integers(0, 99), chunk=st.sampled_from([1, 50, 1 << 17]))
def test_arrivals_are_sorted_and_inside_the_trace(
    trace: RateTrace, process: ArrivalProcess, seed: int, chunk: int
) -> None:
    arrival_s = drawn(trace, process, seed=seed, chunk=chunk)
    assert (np.diff(arrival_s) >= 0).all()
    assert not len(arrival_s) or 0 <= arrival_s[0] <= arrival_s[-1] <= trace.duration_s


@given(trace=rate_traces(), process=processes, seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_arrivals(trace: RateTrace, process: ArrivalProcess, seed: int) -> None:
    np.testing.assert_array_equal(drawn(trace, process, seed=seed), drawn(trace, process, seed=seed))


def test_another_seed_gives_other_arrivals() -> None:
    assert drawn(rates(100), seed=1).tolist() != drawn(rates(100), seed=2).tolist()


@given(busy=st.lists(st.booleans(), min_size=1, max_size=12), process=processes, chunk=st.sampled_from([1, 1 << 17]))
def test_windows_without_requests_stay_empty(busy: list[bool], process: ArrivalProcess, chunk: int) -> None:
    trace = rates(*(200.0 * is_busy for is_busy in busy))
    counts = counted(drawn(trace, process, chunk=chunk), len(busy), 60)
    assert counts[~np.array(busy)].sum() == 0


def test_a_trace_without_requests_has_no_arrivals() -> None:
    assert list(arrival_chunks(rates(0, 0), np.random.default_rng(0))) == []


# -- how many


@pytest.mark.parametrize("mean", [0.5, 20.0])
@pytest.mark.parametrize("interpolation", ["step", "linear"])
def test_counts_are_poisson(mean: float, interpolation: Literal["step", "linear"]) -> None:
    trace = rates(*[mean] * WINDOWS)
    counts = counted(drawn(trace, ArrivalProcess(interpolation=interpolation)), WINDOWS, 60)
    # Mean and variance of a Poisson are equal; 5 standard errors, with Var(s^2) = (mu_4 - mu_2^2) / n and
    # a fourth central moment of m + 3 m^2.
    assert abs(counts.mean() - mean) < 5 * math.sqrt(mean / WINDOWS)
    assert abs(counts.var() - mean) < 5 * math.sqrt((mean + 2 * mean**2) / WINDOWS)
    # Counts of neighbours have nothing to do with one another.
    assert abs(np.corrcoef(counts[:-1], counts[1:])[0, 1]) < 5 / math.sqrt(WINDOWS)


@pytest.mark.parametrize("burstiness", [0.3, 1.0, 2.0])
def test_counts_of_bursts_are_negative_binomial(burstiness: float) -> None:
    mean = 10.0
    trace = rates(*[mean * 6] * WINDOWS)  # bursts of 10 s, six in a window, each with 10 requests in the mean
    process = ArrivalProcess(burstiness=burstiness, burst_s=10)
    counts = counted(drawn(trace, process), 6 * WINDOWS, 10)
    variance = mean + burstiness**2 * mean**2
    # The fourth cumulant of a negative binomial of shape r = 1/b^2 is V (1 + 6 V / r / ... ) <= V + 6 b^2 V^2:
    # a generous bound of the error of a variance, at 5 standard errors.
    n = len(counts)
    error = math.sqrt((2 * variance**2 + variance + 6 * burstiness**2 * variance**2) / n)
    assert abs(counts.mean() - mean) < 5 * math.sqrt(variance / n)
    assert abs(counts.var() - variance) < 5 * error
    # A whole minute adds up six independent bursts.
    by_minute = counts.reshape(WINDOWS, 6).sum(axis=1)
    assert abs(by_minute.var() - 6 * variance) < 5 * 6 * error * math.sqrt(n / WINDOWS)


@pytest.mark.parametrize("chunk", [100, 1000, 1 << 17])
def test_a_burst_longer_than_a_window_holds_across_windows_and_chunks(chunk: int) -> None:
    # Bursts of ten windows of 100 requests: within one all windows share a factor of variance 1.
    trace = rates(*[100.0] * 20_000, window_s=6.0)
    process = ArrivalProcess(burstiness=1.0, burst_s=60.0)
    counts = counted(drawn(trace, process, chunk=chunk), 20_000, 6.0).reshape(2000, 10)
    within, between = counts.var(axis=1).mean(), counts.mean(axis=1).var()
    # Within a burst a Poisson of mean 100 f: its variance is 100 in the mean (times 9/10 for ten samples).
    assert within == pytest.approx(90, rel=0.15)
    # Between bursts 100^2 for the factor and 100/10 for the Poisson: 5 standard errors of an exponential's variance.
    assert between == pytest.approx(10_010, rel=5 * math.sqrt(8 / 2000))


# -- where


def test_steps_are_uniform_inside_a_window() -> None:
    arrival_s = drawn(rates(0, 50_000, 0))
    inside = (arrival_s - 60) / 60
    # Kolmogorov-Smirnov at a chance of 1 in 10^6: sqrt(ln(2e6) / 2n).
    distance = np.abs(np.sort(inside) - (np.arange(len(inside)) + 0.5) / len(inside)).max()
    assert distance < math.sqrt(math.log(2e6) / (2 * len(inside)))


@pytest.mark.parametrize("chunk", [1 << 17, 1 << 10], ids=["whole windows", "windows in parts"])
def test_linear_arrivals_follow_the_slope_and_keep_the_totals(chunk: int) -> None:
    trace = rates(0, 40_000, 80_000, 120_000, 120_000, window_s=600)
    arrival_s = drawn(trace, ArrivalProcess(interpolation="linear"), chunk=chunk)
    counts = counted(arrival_s, 5, 600)
    assert (np.abs(counts - trace.requests) <= 5 * np.sqrt(trace.requests)).all()
    # The third window runs from 60,000 to 100,000 a window: its first half holds 35,000 of 80,000 requests.
    first_half = ((arrival_s >= 1200) & (arrival_s < 1500)).sum()
    assert abs(first_half - 35_000) < 5 * math.sqrt(35_000)
    # Its last tenth: 98,000 a window on average, 9,800 requests.
    last_tenth = ((arrival_s >= 1740) & (arrival_s < 1800)).sum()
    assert abs(last_tenth - 9_800) < 5 * math.sqrt(9_800)


# -- in pieces


@given(
    requests=st.lists(st.floats(0, 3000), min_size=1, max_size=30),
    process=st.sampled_from([ArrivalProcess(), ArrivalProcess(interpolation="linear")]),
    seed=st.integers(0, 9),
)
def test_chunks_are_bounded(requests: list[float], process: ArrivalProcess, seed: int) -> None:
    chunk = 100
    chunks = list(arrival_chunks(rates(*requests), np.random.default_rng(seed), process, chunk_requests=chunk))
    # A window alone may hold 8 chunks; linear parts of one are up to twice its mean. Ten standard deviations.
    most = 16 * chunk
    assert all(len(part) <= most + 10 * math.sqrt(most) for part in chunks)
    assert all(len(part) for part in chunks)
    ends = [part[-1] for part in chunks]
    assert all(end <= part[0] for end, part in zip(ends, chunks[1:], strict=False))


def test_a_huge_window_comes_in_parts() -> None:
    chunk = 1000
    sizes = [len(part) for part in arrival_chunks(rates(1e6), np.random.default_rng(0), chunk_requests=chunk)]
    assert max(sizes) < 8 * chunk + 5 * math.sqrt(8 * chunk)
    assert abs(sum(sizes) - 1e6) < 5 * 1000


def test_chunks_are_about_as_large_as_asked_for() -> None:
    sizes = [len(part) for part in arrival_chunks(rates(*[10] * 5000), np.random.default_rng(0), chunk_requests=1000)]
    assert len(sizes) == 50
    assert abs(np.mean(sizes) - 1000) < 5 * math.sqrt(1000 / 50)


@settings(max_examples=10)
@given(seed=st.integers(0, 9))
def test_a_quiet_trace_of_short_bursts_does_not_fill_the_memory(seed: int) -> None:
    """A year of a request an hour: cells of a burst would be 31 million."""
    with pytest.MonkeyPatch.context() as patch:
        largest = 0
        concatenate = np.concatenate

        def watched(parts: tuple[Floats, ...]) -> Floats:
            nonlocal largest
            joined = concatenate(parts)
            largest = max(largest, len(joined))
            return joined

        patch.setattr(arrivals, "CHUNK_CELLS", 1000)
        patch.setattr(arrivals.np, "concatenate", watched)
        trace = rates(*[10.0] * 50, window_s=3600)
        process = ArrivalProcess(burstiness=0.5, burst_s=1.0)
        found = sum(len(part) for part in arrival_chunks(trace, np.random.default_rng(seed), process))
    assert 0 < largest <= 1001
    # 500 in the mean; a window's variance is 10 + 0.25 * 10^2 / 3600, hardly more than a Poisson's.
    assert abs(found - 500) < 5 * math.sqrt(501)


# -- parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"burstiness": -1}, "burstiness must be a number >= 0, was -1"),
        ({"burst_s": 0}, "burst_s must be a number > 0, was 0"),
        ({"interpolation": "cubic"}, "interpolation must be 'step' or 'linear', was 'cubic'"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ArrivalProcess(**parameters)  # type: ignore[arg-type]
