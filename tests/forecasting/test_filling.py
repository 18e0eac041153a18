from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hindscale.forecasting.filling import FillingWindow


def closed(ticks: list[tuple[float, float]], window_s: float) -> list[float]:
    window, rates = FillingWindow(), list[float]()
    for time_s, rate_rps in ticks:
        window, ended = window.taken(rate_rps, time_s=time_s, window_s=window_s)
        rates += ended
    return rates


def test_a_window_is_the_mean_of_its_ticks() -> None:
    assert closed([(15.0, 1.0), (30.0, 2.0), (45.0, 3.0), (60.0, 6.0), (75.0, 9.0)], 60.0) == [3.0]


def test_of_windows_without_a_tick_nothing_is_known() -> None:
    rates = closed([(15.0, 1.0), (75.0, 5.0)], 15.0)
    assert rates[0] == 1.0
    assert all(math.isnan(rate) for rate in rates[1:4])
    assert rates[4:] == [5.0]


@given(gaps=st.lists(st.integers(1, 9), min_size=1, max_size=40), factor=st.integers(1, 6))
def test_there_is_one_rate_for_every_window_that_ended(gaps: list[int], factor: int) -> None:
    interval_s, now = 15.0, 0
    ticks = []
    for gap in gaps:
        now += gap
        ticks.append((now * interval_s, float(gap)))
    assert len(closed(ticks, factor * interval_s)) == now // factor
