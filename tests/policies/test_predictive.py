from __future__ import annotations

import math
from typing import Any

import pytest

from hindscale.core import Constant, Lognormal, ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.forecasting.filling import FillingWindow
from hindscale.forecasting.seasonal_naive import SeasonalNaive
from hindscale.forecasting.trend import Trend
from hindscale.policies.predictive import Predictive
from hindscale.testing import observation

SPEC = ServiceSpec(
    profile=ServiceProfile(cold_start=Lognormal(mean_s=60, cv=0.25), provisioning=Constant(10.0)),
    slo=Slo(latency_s=2.0),
    control_interval_s=15.0,
)


def run(policy: Predictive, rates: dict[float, float]) -> tuple[list[int], Any, str]:
    """Decisions at the given times, under the given rates."""
    state, wanted, reason = policy.initial_state(), [], ""
    for time_s, rate_rps in rates.items():
        decision, state = policy.decide(observation(time_s, arrival_rate_rps=rate_rps), state)
        wanted.append(decision.desired_replicas)
        reason = decision.reason
    return wanted, state, reason


def test_the_highest_forecast_rate_is_served_with_headroom() -> None:
    policy = Predictive(
        capacity_rps=10, alpha=0.8, window_s=15, horizon_windows=3, forecaster=SeasonalNaive(season_windows=4)
    )
    # After one season of 20, 100, 40, 10: the next three windows are 20, 100, 40; ceil(100 / 8) = 13.
    wanted, _, reason = run(policy, {15.0: 20.0, 30.0: 100.0, 45.0: 40.0, 60.0: 10.0})
    assert wanted == [3, 13, 5, 13]
    assert reason == "seasonal-naive says at most 100/s / (0.8 · 10/s)"


def test_while_the_forecaster_knows_too_little_the_last_rate_stands_in() -> None:
    policy = Predictive(capacity_rps=10, forecaster=SeasonalNaive(season_windows=100))
    wanted, _, reason = run(policy, {15.0: 33.0})
    assert wanted == [5]  # ceil(33 / 8)
    assert reason.startswith("seasonal-naive knows too little yet, rate 33/s")


def test_the_horizon_covers_the_cold_starts_p90_and_one_interval() -> None:
    # P90 of the cold start is 79.8 s, of provisioning 10 s, and 15 s: 104.8 s are 7 windows of 15 s.
    assert Predictive.for_service(SPEC).horizon_windows == 7
    # In windows of a minute: 2, and one more because the last one may have just begun.
    assert Predictive.for_service(SPEC, window_s=60.0).horizon_windows == 3


def test_ticks_within_a_window_are_averaged() -> None:
    policy = Predictive(capacity_rps=10, window_s=60, forecaster=SeasonalNaive(season_windows=1))
    _, state, _ = run(policy, {15.0: 10.0, 30.0: 20.0, 45.0: 30.0, 60.0: 40.0, 75.0: 99.0})
    assert state.forecaster.values.tolist() == [25.0]
    assert state.filling == FillingWindow(number=1, sum_rps=99.0, samples=1)


def test_silence_becomes_unknown_windows_not_zeros() -> None:
    policy = Predictive(capacity_rps=10, window_s=15, forecaster=SeasonalNaive(season_windows=10))
    _, state, _ = run(policy, {15.0: 1.0, 30.0: 2.0, 90.0: 6.0})
    seen = state.forecaster.values.tolist()
    assert seen[:2] == [1.0, 2.0]
    assert all(math.isnan(value) for value in seen[2:5])
    assert seen[5:] == [6.0]


def test_a_window_of_which_a_part_was_missed_keeps_what_was_seen() -> None:
    policy = Predictive(capacity_rps=10, window_s=60, forecaster=SeasonalNaive(season_windows=10))
    _, state, _ = run(policy, {15.0: 10.0, 30.0: 20.0, 135.0: 7.0})
    seen = state.forecaster.values.tolist()
    assert seen[0] == 15.0
    assert math.isnan(seen[1])
    assert state.filling.number == 2


def test_decisions_for_ragged_ticks_land_in_the_window_they_end_in() -> None:
    policy = Predictive(capacity_rps=10, window_s=15, forecaster=SeasonalNaive(season_windows=5))
    times = [15.0 * (tick + 1) for tick in range(5)]
    # What a clock in floating point makes of 15, 30, 45 ...
    ragged = {time_s + (1e-9 if i % 2 else -1e-9): float(i) for i, time_s in enumerate(times)}
    _, state, _ = run(policy, ragged)
    assert state.forecaster.values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_the_forecaster_is_chosen_by_name() -> None:
    assert Predictive.for_service(SPEC).forecaster == Trend()
    named = Predictive.for_service(SPEC, forecaster="seasonal-naive", window_s=60.0)
    assert named.forecaster == SeasonalNaive(season_windows=1440)


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"window_s": 1.0}, r"window_s must be >= the control interval \(15s\), was 1s"),
        ({"alpha": 80}, "did you mean 0.8"),
        ({"capacity_rps": 0}, "capacity_rps must be a number > 0"),
        ({"horizon_windows": 0}, "horizon_windows must be a whole number >= 1"),
        ({"forecaster": "oracle"}, "unknown forecaster 'oracle'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Predictive.for_service(SPEC, **given_values)
