"""Order now what the forecast says will be needed when it is ready."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_at_least, require_fraction, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Range, Tunable
from hindscale.core.units import format_duration
from hindscale.core.values import Decision, Observation
from hindscale.forecasting import Forecaster, build_forecaster
from hindscale.forecasting.filling import FillingWindow
from hindscale.forecasting.trend import Trend
from hindscale.sizing import capacity_rps, replicas_for_rate

__all__ = ["Predictive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveState:
    """The window being filled, and what the forecaster remembers of those before it."""

    forecaster: Any
    filling: FillingWindow = FillingWindow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictive:
    """N = ⌈R_max / (alpha C)⌉, with R_max the highest rate forecast for the next K windows.

    The rate is averaged over windows of `window_s`; each full window updates the forecaster. While the
    forecaster knows too little, the last window's rate stands in, and the reason says so.

    Attributes:
        capacity_rps: C, requests per second that one replica sustains within the SLO; > 0. By default from
            queueing theory.
        alpha: Share of C that is planned for; in (0, 1], usually 0.7 to 0.9.
        window_s: Length of a window; by default the control interval.
        horizon_windows: K >= 1; by default the cold start's P90 and one control interval, in windows.
        forecaster: What forecasts, such as trend, seasonal-naive, arima, with parameters in parentheses:
            seasonal-naive(season_windows=96).
    """

    name: ClassVar[str] = "predictive"
    tunable: ClassVar[Mapping[str, Tunable]] = {
        "alpha": Range(low=0.2, high=1.0),
        "horizon_windows": Range(low=1, high=5, times_default=True),
    }
    capacity_rps: float
    alpha: float = 0.8
    window_s: float = 15.0
    horizon_windows: int = 4
    forecaster: Forecaster[Any] = Trend()

    def __post_init__(self) -> None:
        require_positive(capacity_rps=self.capacity_rps, window_s=self.window_s)
        require_fraction(alpha=self.alpha)
        require_at_least(1, horizon_windows=self.horizon_windows)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        given.setdefault("capacity_rps", round(capacity_rps(spec.profile, spec.slo), 6))
        window_s = given.setdefault("window_s", spec.control_interval_s)
        profile = spec.profile
        lead_time_s = profile.provisioning.quantile(0.9) + profile.cold_start.quantile(0.9) + spec.control_interval_s
        if window_s < spec.control_interval_s:
            raise ParameterError(
                f"window_s must be >= the control interval ({format_duration(spec.control_interval_s)}),"
                f" was {format_duration(window_s)}; there is one measurement an interval"
            )
        # The forecast begins where the last full window ended, up to one window ago.
        part_filled = window_s > spec.control_interval_s
        given.setdefault("horizon_windows", math.ceil(lead_time_s / window_s) + part_filled)
        if isinstance(given.get("forecaster"), str):
            given["forecaster"] = build_forecaster(given["forecaster"], window_s=window_s, start=spec.start)
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("arrival_rate_rps",)

    def initial_state(self) -> PredictiveState:
        return PredictiveState(forecaster=self.forecaster.initial_state())

    def decide(self, observation: Observation, state: PredictiveState) -> tuple[Decision, PredictiveState]:
        state = self._filled(observation, state)
        forecast = self.forecaster.forecast(self.horizon_windows, state.forecaster)
        if forecast is None:
            highest_rps, source = observation.arrival_rate_rps, f"{self.forecaster.name} knows too little yet, rate"
        else:
            highest_rps, source = forecast.highest_rps, f"{self.forecaster.name} says at most"
        desired = replicas_for_rate(highest_rps, capacity_rps=self.capacity_rps, alpha=self.alpha)
        reason = f"{source} {highest_rps:.4g}/s / ({self.alpha:g} · {self.capacity_rps:.4g}/s)"
        return Decision(desired_replicas=desired, reason=reason), state

    def _filled(self, observation: Observation, state: PredictiveState) -> PredictiveState:
        """The state with this tick's rate, its window closed if the tick ends it."""
        filling, closed = state.filling.taken(
            observation.arrival_rate_rps, time_s=observation.time_s, window_s=self.window_s
        )
        forecaster = state.forecaster
        for rate_rps in closed:
            forecaster = self.forecaster.update(rate_rps, forecaster)
        return PredictiveState(forecaster=forecaster, filling=filling)
