"""A window of each forecaster, and a decision of `error-budget`, with a week of minutes behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from _measuring import Figure, best_cpu_s
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.core.values import Observation
from hindscale.forecasting import Forecaster, build_forecaster
from hindscale.policies import build_policy

__all__ = ["TITLE", "measure"]

TITLE = "A window of a forecaster and a decision by error budget, after 7 days"
FORECASTERS = ("last-value", "trend", "kalman", "profile", "mixture", "conformal(model=profile)")
HORIZON = 6
WEEK_S = 7 * 86400.0
NEVER_REFITTED = "Taking in a window and forecasting six; coefficients follow each window, so there is no refit."


def measure(*, quick: bool) -> Iterator[Figure]:
    rounds = 2 if quick else 5
    for name in FORECASTERS:
        forecaster = build_forecaster(name, window_s=60.0)
        state = _learned(forecaster, 2 * 1440 if quick else 7 * 1440)
        seconds = best_cpu_s(partial(_go_on, forecaster, state, 200), rounds=rounds)
        yield Figure(name=name, value=seconds / 200 * 1e6, unit="µs", at_most=20_000, note=NEVER_REFITTED)
    spec = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), max_replicas=1000)
    policy = build_policy("error-budget", spec)
    seen = [_observation(15.0 * tick) for tick in range(1, round((WEEK_S / 7 if quick else WEEK_S) / 15.0))]
    state = policy.initial_state()
    for observation in seen:
        _, state = policy.decide(observation, state)
    later = [_observation(seen[-1].time_s + 15.0 * tick) for tick in range(1, 401)]
    seconds = best_cpu_s(partial(_decide_all, policy, state, later), rounds=rounds)
    yield Figure(name="error-budget, a decision", value=seconds / len(later) * 1e6, unit="µs", at_most=200)


def _learned(forecaster: Forecaster[Any], windows: int) -> Any:
    state = forecaster.initial_state()
    for window in range(windows):
        state = forecaster.update(_rate(60.0 * window), state)
    return state


def _go_on(forecaster: Forecaster[Any], state: Any, windows: int) -> None:
    for window in range(windows):
        state = forecaster.update(_rate(60.0 * window), state)
        forecaster.forecast(HORIZON, state)


def _decide_all(policy: Any, state: Any, observations: list[Observation]) -> None:
    for observation in observations:
        _, state = policy.decide(observation, state)


def _rate(time_s: float) -> float:
    """A day's wave, with a ripple that no two windows share."""
    return 500 + 300 * math.sin(2 * math.pi * time_s / 86400.0) + 50 * math.sin(time_s)


def _observation(time_s: float) -> Observation:
    rate_rps = _rate(time_s)
    return Observation(
        time_s=time_s,
        measured_at_s=time_s,
        ready_replicas=90,
        starting_replicas=2,
        arrival_rate_rps=rate_rps,
        completion_rate_rps=rate_rps,
        ongoing_requests=0.4 * rate_rps,
        queued_requests=0.0,
        slo_attainment=0.99,
    )
