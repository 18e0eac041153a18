"""Time that jumps, sleeps and runs late: ticks fall on whole intervals, none is made up for."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.live.clock import WallClock, elapsed_s
from hindscale.live.replay import replay
from hindscale.live.run import begin_s
from hindscale.live.store import StoreReader
from live.doubles import SteppedTime, a_plan, steady
from live.rig import Rig


@given(interval_s=st.sampled_from([0.1, 1.0, 15.0]), begin_s=st.floats(0, 1e6), ticks=st.integers(1, 50))
def test_ticks_fall_on_whole_intervals(interval_s: float, begin_s: float, ticks: int) -> None:
    time = SteppedTime(ticks)
    clock = WallClock(begin_s=begin_s, now_s=time.now, wait=time.wait)
    times = list(clock.ticks(interval_s))
    assert len(times) == ticks
    assert all(abs(tick / interval_s - round(tick / interval_s)) < 1e-6 for tick in times)
    assert all(later - earlier == pytest.approx(interval_s) for earlier, later in pairwise(times))
    assert times[0] > begin_s - 1e-6


def test_a_laptop_that_slept_goes_on_with_the_present() -> None:
    time = SteppedTime(10)
    clock = WallClock(now_s=time.now, wait=time.wait)
    ticks = clock.ticks(1.0)
    assert list(islice(ticks, 2)) == [1.0, 2.0]
    time.now_s += 3600.4  # closed for an hour
    assert list(islice(ticks, 2)) == [3602.0, 3603.0]


def test_a_tick_that_took_too_long_is_followed_by_one_at_once_and_no_burst() -> None:
    time = SteppedTime(10)
    clock = WallClock(now_s=time.now, wait=time.wait)
    ticks = clock.ticks(1.0)
    next(ticks)
    time.now_s += 2.5
    assert list(islice(ticks, 3)) == [3.0, 4.0, 5.0]


def test_a_clock_that_was_stopped_gives_no_more_ticks() -> None:
    clock = WallClock()
    clock.stop()
    assert list(clock.ticks(0.01)) == []


def test_an_interval_is_positive() -> None:
    with pytest.raises(ParameterError, match="interval_s must be a number > 0"):
        WallClock().every(0.0)


def test_time_goes_forward() -> None:
    assert elapsed_s() <= elapsed_s()


@pytest.mark.parametrize("jump_s", [-86_400.0, -3600.0, 3600.0, 86_400.0 * 365])
def test_a_time_of_day_that_jumps_changes_no_decision(tmp_path: Path, jump_s: float) -> None:
    quiet = Rig(tmp_path / "quiet", a_plan(act=True, policy="predictive:window_s=2"), steady(80.0), ticks=20).run()
    rig = Rig(tmp_path / "jumps", a_plan(act=True, policy="predictive:window_s=2"), steady(80.0), ticks=20)
    wall_s = rig.controller._wall_s
    rig.after(10, lambda controller: setattr(controller, "_wall_s", lambda: wall_s() + jump_s)).run()
    assert [(row["time_s"], row["target"]) for row in rig.rows()] == [
        (row["time_s"], row["target"]) for row in quiet.rows()
    ]
    reader = StoreReader(tmp_path / "jumps")
    assert replay(reader, 20).agrees
    reader.close()


@pytest.mark.parametrize(("now_s", "expected_s"), [(1000.0, 50.0), (1010.0, 60.0), (900.0, 50.0)])
def test_a_restart_goes_on_in_time_and_never_back(now_s: float, expected_s: float) -> None:
    assert begin_s(last_s=50.0, last_wall_s=1000.0, now_s=now_s) == expected_s
