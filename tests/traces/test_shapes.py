"""Shapes of traffic: their formulas at points worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.traces.shapes import bump, is_weekend, noise, plateau, spike, times


def at(*hours: float) -> np.ndarray:
    return np.array(hours)


def test_times_are_the_middles_of_windows() -> None:
    hours, hour = times(2, 3600)
    assert (hours[0], hours[-1], len(hours)) == (0.5, 47.5, 48)
    np.testing.assert_array_equal(hour, np.tile(np.arange(24) + 0.5, 2))
    assert len(times(1e-6, 60)[0]) == 1


def test_a_bump_is_a_bell_of_height_1() -> None:
    # exp(-1/2) one standard deviation away, exp(-2) two away.
    np.testing.assert_allclose(bump(at(12, 14, 8, 10), 12, 2), [1, np.exp(-0.5), np.exp(-2), np.exp(-0.5)])


@given(hour=st.floats(0, 24), centre=st.floats(0, 24))
def test_a_bump_goes_across_midnight(hour: float, centre: float) -> None:
    there, tomorrow = bump(at(hour), centre, 1.5), bump(at(hour + 24), centre, 1.5)
    np.testing.assert_allclose(there, tomorrow, atol=1e-9)
    assert bump(at(23), 1, 2)[0] == pytest.approx(bump(at(3), 1, 2)[0])


def test_a_plateau_has_half_its_height_at_its_edges() -> None:
    shape = plateau(at(9, 13, 18, 2, 23), 9, 18, ramp=1)
    np.testing.assert_allclose(shape, [0.5, 1, 0.5, 0, 0], atol=1e-6)
    # A logistic of scale ramp / 4: half a ramp from the edge it is 1 / (1 + e^2) = 0.119.
    assert plateau(at(8.5), 9, 18, ramp=1)[0] == pytest.approx(1 / (1 + np.e**2), abs=1e-6)


def test_weeks_begin_on_monday() -> None:
    assert is_weekend(at(0, 119.9, 120, 167.9, 168, 168 + 130)).tolist() == [False, False, True, True, False, True]


def test_a_spike_rises_and_decays() -> None:
    shape = spike(at(9.9, 10, 10.25, 10.5, 11.5, 12.5), 10, rise_h=0.5, decay_h=1)
    np.testing.assert_allclose(shape, [0, 0, 0.5, 1, np.exp(-1), np.exp(-2)])


def test_noise_has_the_mean_spread_and_memory_it_is_asked_for() -> None:
    n, cv, memory = 200_000, 0.3, 0.8
    factors = noise(np.random.default_rng(1), n, cv=cv, memory=memory)
    # The mean of a series with this memory spreads as that of n * (1 - m) / (1 + m) independent values.
    independent = n * (1 - memory) / (1 + memory)
    assert abs(factors.mean() - 1) < 5 * cv / np.sqrt(independent)
    assert factors.std() == pytest.approx(cv, rel=0.05)
    logs = np.log(factors)
    assert np.corrcoef(logs[:-1], logs[1:])[0, 1] == pytest.approx(memory, abs=0.01)
    assert (factors > 0).all()
