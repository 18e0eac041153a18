"""From timestamps to windows of equal length."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hindscale.core.errors import ParameterError, TraceError
from hindscale.traces.windows import Fill, as_fill, instants, on_grid, window_of


def grid(*time_s: float, fill: Fill | None = None, window_s: float | None = None) -> tuple[float, list[float], int]:
    """The value of a row is its place, 1, 2, 3, ..."""
    values = np.arange(1.0, len(time_s) + 1)
    length_s, filled, count = on_grid("r", np.array(time_s, np.float64), values, fill=fill, window_s=window_s)
    return length_s, filled.tolist(), count


def test_windows_without_gaps_stay_as_they_are() -> None:
    assert grid(0, 60, 120) == (60, [1, 2, 3], 0)
    assert grid(600, 660, 720) == (60, [1, 2, 3], 0)


def test_missing_windows_are_refused_unless_filled() -> None:
    with pytest.raises(TraceError, match=r"one window \(1min\), but row 3 advances by 180 s; read it with --fill zero"):
        grid(0, 60, 240, 300)
    assert grid(0, 60, 240, 300, fill="zero") == (60, [1, 2, 0, 0, 3, 4], 2)
    # 2 at 60 s and 3 at 240 s: a third more in each window between.
    length_s, values, filled = grid(0, 60, 240, 300, fill="interpolate")
    assert (length_s, filled) == (60, 2)
    np.testing.assert_allclose(values, [1, 2, 2 + 1 / 3, 2 + 2 / 3, 3, 4])


@given(
    kept=st.sets(st.integers(1, 30), min_size=2).filter(lambda kept: any(i + 1 in kept for i in kept)),
    window_s=st.sampled_from([0.1, 1 / 3, 1.0, 57.0, 60.0, 3600.0]),
    origin_s=st.sampled_from([0.0, 1.7e9]),
)
def test_filling_puts_each_row_in_its_place(kept: set[int], window_s: float, origin_s: float) -> None:
    slots = sorted(kept)
    length_s, values, filled = on_grid(
        "r", origin_s + window_s * np.array(slots), np.array(slots, np.float64), fill="interpolate", window_s=window_s
    )
    # The value of a row is its slot, so a straight line through the gaps gives each slot its own number.
    np.testing.assert_allclose(values, np.arange(slots[0], slots[-1] + 1))
    assert (length_s, filled) == (window_s, len(values) - len(slots))


@pytest.mark.parametrize("window_s", [0.1, 1 / 3, 1.0, 57.0, 86400.5])
def test_the_window_is_the_most_common_step(window_s: float) -> None:
    time_s = np.arange(1000) * window_s
    assert window_of("r", time_s) == pytest.approx(window_s, rel=1e-12)
    assert window_of("r", np.delete(time_s, [3, 4, 100])) == pytest.approx(window_s, rel=1e-12)
    assert window_of("r", np.arange(1000) * 0.1) == 0.1  # and no 0.10000000000000003


def test_a_stated_window_is_believed() -> None:
    assert grid(0, 120, 240, window_s=60, fill="zero") == (60, [1, 0, 2, 0, 3], 2)
    assert grid(0, window_s=60) == (60, [1], 0)
    with pytest.raises(TraceError, match="at least two windows are needed to know their length, found 1"):
        grid(0)


@pytest.mark.parametrize(
    ("time_s", "message"),
    [
        ([0, 120, 60], "time_s must rise, but row 3 has 60 after 120; sort the file, or read it with --sort"),
        ([0, 60, 60, 120], "time_s must rise, but row 3 has 60 again; keep one of the two"),
        (
            [0, 60, 120, 150, 210],
            "whole windows of 1min, but row 4 advances by 30 s; are units or window lengths mixed",
        ),
        ([0, 60, 120, 120.3], "whole windows of 1min, but row 4 advances by 0.3 s"),
        ([0, 60, 120, 3_600_000], r"row 4 advances by 3.59988e\+06 s; are units mixed\? if not, read it with --fill"),
    ],
)
def test_a_row_off_the_grid_is_named(time_s: list[float], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        grid(*time_s)


@pytest.mark.parametrize("fill", [None, "zero"])
def test_a_change_from_seconds_to_milliseconds_is_seen(fill: Fill | None) -> None:
    time_s = [60 * i if i < 20 else 60_000 * i for i in range(40)]
    with pytest.raises(TraceError, match=r"row 21 jumps from 1140 to 1.2e\+06; are seconds and milliseconds mixed"):
        grid(*time_s, fill=fill)


def test_a_few_rows_far_apart_do_not_fill_the_memory() -> None:
    with pytest.raises(TraceError, match=r"one in 1000 of its windows \(1min\), has 4 in 28,333,333,335; are"):
        grid(0, 60, 120, 1_700_000_000_040, fill="zero")


def test_fill_is_zero_or_interpolate() -> None:
    assert [as_fill("zero"), as_fill("interpolate"), as_fill(None)] == ["zero", "interpolate", None]
    with pytest.raises(ParameterError, match="fill must be zero or interpolate, was 'mean'"):
        as_fill("mean")


def stamps(*texts: str) -> NDArray[np.datetime64]:
    return np.array(texts, "datetime64[ns]")


def test_instants_count_from_the_earliest() -> None:
    seconds, start = instants("r", "t", stamps("2026-01-05T12:00:01.5", "2026-01-05T12:00:00", "2026-01-05T12:01:00"))
    assert seconds.tolist() == [1.5, 0, 60]
    assert start == datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_instants_keep_ten_millionths_of_a_second() -> None:
    seconds, _ = instants("r", "t", stamps("2023-11-16T18:15:46.6805900", "2023-11-16T18:15:46.6805901"))
    assert seconds[1] == pytest.approx(1e-7)


def test_a_missing_timestamp_is_named() -> None:
    with pytest.raises(TraceError, match="t must be a timestamp, but row 2 has none"):
        instants("r", "t", stamps("2026-01-05", "NaT"))
