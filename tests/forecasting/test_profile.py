from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from hindscale.core import ParameterError
from hindscale.forecasting.profile import Profile, ProfileState

DAY = 96
SMALL = Profile(season_windows=DAY, level_windows=4, smooth_windows=0)


def wave(days: int, *, height: float = 1.0) -> list[float]:
    slots = np.arange(days * DAY) % DAY
    return (height * (100 + 50 * np.sin(2 * np.pi * slots / DAY))).tolist()


def after(profile: Profile, rates: Sequence[float]) -> ProfileState:
    state = profile.initial_state()
    for rate_rps in rates:
        state = profile.update(rate_rps, state)
    return state


def ahead(profile: Profile, rates: Sequence[float], windows: int = 8) -> list[float]:
    forecast = profile.forecast(windows, after(profile, rates))
    assert forecast is not None
    return forecast.mean_rps.tolist()


def test_nothing_is_said_before_a_season_was_seen() -> None:
    assert SMALL.forecast(4, after(SMALL, wave(1)[:-1])) is None
    assert SMALL.forecast(4, after(SMALL, wave(1))) is not None


def test_a_day_that_comes_again_is_forecast_as_it_was() -> None:
    assert ahead(SMALL, wave(3)) == pytest.approx(wave(1)[:8], rel=0.01)


def test_a_shift_of_the_level_stretches_the_shape_within_the_hour() -> None:
    # Twice the traffic from the third day's noon on; four hours later what comes is forecast at twice its height.
    half = DAY // 2
    rates = wave(2) + wave(1)[:half] + wave(1, height=2.0)[half : half + 16]
    assert ahead(SMALL, rates) == pytest.approx(wave(1, height=2.0)[half + 16 : half + 24], rel=0.1)


def test_a_gap_moves_nothing_and_is_read_over() -> None:
    rates = wave(3)
    rates[2 * DAY + 10 : 2 * DAY + 30] = [math.nan] * 20
    assert ahead(SMALL, rates) == pytest.approx(wave(1)[:8], rel=0.02)


def test_silence_is_a_rate_of_zero_and_not_a_gap() -> None:
    assert ahead(SMALL, [0.0] * (3 * DAY)) == [0.0] * 8


def test_where_users_put_their_clocks_forward_the_shape_comes_an_hour_earlier() -> None:
    # In Berlin the clock went from 02:00 to 03:00 on 29 March 2026, which was 01:00 UTC.
    of_berlin = Profile(
        season_windows=DAY,
        level_windows=1000,
        smooth_windows=0,
        start="2026-03-26T00:00:00+00:00",
        time_zone="Europe/Berlin",
    )
    local = np.array(wave(1))
    utc_before = np.roll(local, -4)  # one hour ahead of UTC: at 00:00 UTC it is 01:00
    rates = [*utc_before.tolist() * 3, *utc_before.tolist()[:4]]
    two_hours_ahead = np.roll(local, -8)
    assert ahead(of_berlin, rates) == pytest.approx(two_hours_ahead[4:12].tolist(), rel=0.02)
    plain = Profile(season_windows=DAY, level_windows=1000, smooth_windows=0)
    assert ahead(plain, rates) == pytest.approx(utc_before[4:12].tolist(), rel=0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": "2026-03-26T00:00:00", "time_zone": "Europe/Berlin"}, "start must say its offset from UTC"),
        ({"start": "2026-03-26T00:00:00+00:00", "time_zone": "Europe/Bärlin"}, "start and time_zone must be like"),
        ({"start": "noon", "time_zone": "Europe/Berlin"}, "start and time_zone must be like"),
    ],
)
def test_a_clock_that_cannot_be_read_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Profile(**given)  # type: ignore[arg-type]
