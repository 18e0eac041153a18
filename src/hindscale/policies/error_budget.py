"""An SLO in, replicas out: spend the error budget where it buys most."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_positive
from hindscale.core.service import ServiceSpec
from hindscale.core.units import percent
from hindscale.core.values import Decision, Observation
from hindscale.forecasting import Forecaster, build_forecaster
from hindscale.forecasting.filling import FillingWindow
from hindscale.forecasting.history import History
from hindscale.forecasting.profile import Profile
from hindscale.policies._measured import ErrorBudget, Starts, TimeInService
from hindscale.policies._rehearsal import FluidService, Rehearsal
from hindscale.policies._rules import FIRST_RULE, MEMORY_S, RULES, describe, is_forecast, rates_to_serve
from hindscale.sizing import share_within
from hindscale.sizing.fluid import patience_s, spare_slots

__all__ = ["ErrorBudgetPolicy", "ErrorBudgetState"]

Floats = NDArray[np.float64]
DAY_S = 86400.0
BUDGET_MEMORY_S = 7 * DAY_S
REVIEW_S = 60.0
FIRST_REVIEW_S = 1800.0
LEAST_GAIN = 0.01
"""Another rule must have been this much cheaper, or two that are equal would take turns; and a forecast once more."""
P90 = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudgetState:
    """All that the policy remembers.

    Attributes:
        rates: Arrival rates of the last day, one a tick.
        forecaster: What the forecaster remembers.
        filling: The forecaster's window that is being filled.
        ahead_rps: The highest rate forecast for the lead time; NaN while it knows too little.
        rehearsal: What each rule would have come to; None before the first tick.
        time_in_service: How fast the service turned out to be.
        starts: How long starts turned out to take.
        budget: What is left to be missed.
        rule: The one that is followed.
        forecast_gain: Cost of the best rule without forecast over that of the best one with, minus 1; NaN where only
            one of them is within the budget.
        reviewed_s: When the rule was last chosen.
    """

    rates: History
    forecaster: Any
    filling: FillingWindow = FillingWindow()
    ahead_rps: float = math.nan
    rehearsal: Rehearsal | None = None
    time_in_service: TimeInService
    starts: Starts = Starts()
    budget: ErrorBudget = ErrorBudget()
    rule: int = FIRST_RULE
    forecast_gain: float = math.nan
    reviewed_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ErrorBudgetPolicy:
    """Follow the cheapest of many rules that, rehearsed on the recent past, stays within what the SLO forgives.

    A rule is a rate (the highest of the last seconds to day, or a forecast until an order now would serve) times a
    level. Each has a fleet on paper, which shows what it would have cost and missed under the traffic that came:
    too few against too many, counted over the lead time instead of assumed. What may be missed is what the SLO
    forgives, plus what was left over before, or minus what was missed too much, by the service's own measured
    attainment. So the SLO is the only set point. A forecast is followed only while its rules were cheaper than those
    that look back; the reason says which.

    Attributes:
        spec: The service, its SLO and its bounds, as the backtest or the controller knows them.
        forecaster: What looks ahead, such as profile, mixture, trend, with parameters in parentheses.
        window_s: Length of the forecaster's windows; by default a minute, at least the control interval.
    """

    name: ClassVar[str] = "error-budget"
    spec: ServiceSpec
    forecaster: Forecaster[Any] = Profile()
    window_s: float = 60.0

    def __post_init__(self) -> None:
        require_positive(window_s=self.window_s)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        window_s = given.setdefault("window_s", max(60.0, spec.control_interval_s))
        forecaster = given.setdefault("forecaster", "profile")
        if isinstance(forecaster, str):
            given["forecaster"] = build_forecaster(forecaster, window_s=window_s, start=spec.start)
        # The peak is hindsight, and not for a policy to know.
        return cls(spec=replace(spec, peak_rate_rps=None), **given)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("arrival_rate_rps", "ongoing_requests", "queued_requests")

    def initial_state(self) -> ErrorBudgetState:
        return ErrorBudgetState(
            rates=History(limit=max(1, math.ceil(MEMORY_S / self.spec.control_interval_s))),
            forecaster=self.forecaster.initial_state(),
            time_in_service=TimeInService.assumed(self.spec.profile.service_time.mean_s),
        )

    def decide(self, observation: Observation, state: ErrorBudgetState) -> tuple[Decision, ErrorBudgetState]:
        state = self._looked_ahead(observation, self._measured(observation, state))
        served_per_s = self.spec.profile.slots / state.time_in_service.mean_s
        wishes = self._replicas(rates_to_serve(state.rates, state.ahead_rps, interval_s=self._interval_s), served_per_s)
        state = self._rehearsed(observation, wishes, served_per_s, state)
        state = self._reviewed(observation, state)
        # Whoever waits is to be served within an interval, whatever a rule says: that needs no forecast.
        for_queue = observation.queued_requests / (served_per_s * self._interval_s)
        desired = int(self._bounded(np.ceil(wishes[state.rule] + for_queue - 1e-9)))
        safe = self._one_less_would_do(observation, desired, served_per_s)
        return Decision(desired_replicas=safe, reason=self._reason(state, desired, safe)), state

    # -- what is seen -----------------------------------------------------------------------------

    def _measured(self, observation: Observation, state: ErrorBudgetState) -> ErrorBudgetState:
        return replace(
            state,
            rates=state.rates.append(observation.arrival_rate_rps),
            time_in_service=state.time_in_service.seen(observation, self._interval_s),
            starts=state.starts.seen(observation),
            budget=state.budget.seen(
                observation, self._interval_s, forgiven=self._forgiven, memory_s=BUDGET_MEMORY_S, recent_s=DAY_S / 2
            ),
        )

    def _looked_ahead(self, observation: Observation, state: ErrorBudgetState) -> ErrorBudgetState:
        """The forecast for the lead time, renewed whenever one of its windows ends."""
        filling, closed = state.filling.taken(
            observation.arrival_rate_rps, time_s=observation.time_s, window_s=self.window_s
        )
        if not closed:
            return replace(state, filling=filling)
        forecaster = state.forecaster
        for rate_rps in closed:
            forecaster = self.forecaster.update(rate_rps, forecaster)
        start_s = state.starts.quantile_s(P90, assumed_s=self._start_s(P90))
        lead_s = start_s + self._interval_s + observation.time_s - observation.measured_at_s
        # One more, for the window that will have begun when the forecast is last used.
        ahead = self.forecaster.forecast(math.ceil(lead_s / self.window_s) + 1, forecaster)
        ahead_rps = math.nan if ahead is None else ahead.highest_rps
        return replace(state, filling=filling, forecaster=forecaster, ahead_rps=ahead_rps)

    # -- what would have been ---------------------------------------------------------------------

    def _replicas(self, rates_rps: Floats, served_per_s: float) -> Floats:
        """Replicas for rates, not rounded: the work, and the slots that keep chance within the SLO; none for none."""
        spare = self._spare_slots / self.spec.profile.slots
        return np.where(rates_rps > 0, rates_rps / served_per_s + spare, 0.0)

    def _rehearsed(
        self, observation: Observation, wishes: Floats, served_per_s: float, state: ErrorBudgetState
    ) -> ErrorBudgetState:
        """All fleets on paper one interval on, each told what its rule wants now."""
        interval_s, gives_up_s = self._interval_s, self.spec.profile.queue_timeout_s
        service = FluidService(
            served_per_s=served_per_s,
            patience_s=self._patience_s,
            gives_up_s=math.inf if gives_up_s is None else gives_up_s,
        )
        fleets = state.rehearsal or Rehearsal.begin(
            RULES, observation.ready_replicas, most_ticks=2 * self._ticks(self._start_s(P90))
        )
        kept = math.exp(-interval_s / DAY_S)
        fleets = fleets.advanced(observation.arrival_rate_rps * interval_s, interval_s, service, kept=kept)
        for_queue = fleets.backlog.values / (served_per_s * interval_s)
        start_s = state.starts.quantile_s(0.5, assumed_s=self._start_s(0.5))
        wanted = self._bounded(np.ceil(wishes + for_queue - 1e-9))
        fleets = fleets.ordered(wanted, start_ticks=self._ticks(start_s))
        return replace(state, rehearsal=fleets)

    def _missed(self, fleets: Rehearsal) -> Floats:
        """Share of the requests that each rule would have missed, shape (RULES,)."""
        return fleets.missed_share + self._too_slow

    def _reviewed(self, observation: Observation, state: ErrorBudgetState) -> ErrorBudgetState:
        """The rule to follow, chosen anew every minute."""
        now_s, fleets = observation.time_s, state.rehearsal
        if fleets is None or now_s < FIRST_REVIEW_S or now_s - state.reviewed_s < REVIEW_S:
            return state
        missed = self._missed(fleets)
        # Where no rule stays within the budget, those that miss least are left.
        allowed = max(state.budget.share(self._forgiven), float(missed.min()) + 1e-12)
        cost = np.where(missed <= allowed, fleets.paid_s.values, np.inf)
        best_back, best_ahead = cost[~_LOOKS_AHEAD].min(), cost[_LOOKS_AHEAD].min()
        gain = best_back / best_ahead - 1 if math.isfinite(best_back) and math.isfinite(best_ahead) else math.nan
        cost[_LOOKS_AHEAD] *= 1 + LEAST_GAIN
        cost[state.rule] *= 1 - LEAST_GAIN
        return replace(state, rule=int(np.argmin(cost)), forecast_gain=float(gain), reviewed_s=now_s)

    # -- what is wanted ---------------------------------------------------------------------------

    def _one_less_would_do(self, observation: Observation, desired: int, served_per_s: float) -> int:
        """Where replicas are known to fail, the fleet does not shrink to one that could not lose a replica."""
        current = observation.requested_replicas
        if desired >= current or self.spec.profile.mean_time_to_failure_s is None:
            return desired
        least = math.ceil(observation.arrival_rate_rps / served_per_s) + 1
        return max(desired, min(least, current))

    def _reason(self, state: ErrorBudgetState, desired: int, safe: int) -> str:
        assert state.rehearsal is not None
        missed = float(self._missed(state.rehearsal)[state.rule])
        allowed = state.budget.share(self._forgiven)
        parts = [f"{describe(state.rule)}: rehearsed misses {percent(missed)}, allowed {percent(allowed)}"]
        if state.reviewed_s:
            word = "on" if is_forecast(state.rule) else "off"
            gain = "" if math.isnan(state.forecast_gain) else f", looking back costs {state.forecast_gain:+.1%}"
            parts.append(f"forecast {word}{gain}")
        if abs(state.time_in_service.error) > 0.05:
            parts.append(f"time in service {state.time_in_service.error:+.0%} of what was assumed")
        if safe > desired:
            parts.append(f"{desired} could not lose one")
        return "; ".join(parts)

    def _bounded(self, replicas: Floats) -> Floats:
        return np.clip(replicas, self.spec.min_replicas, self.spec.max_replicas)

    # -- what follows from the service ------------------------------------------------------------

    @property
    def _interval_s(self) -> float:
        return self.spec.control_interval_s

    @property
    def _forgiven(self) -> float:
        return 1 - self.spec.slo.percentile

    @cached_property
    def _spare_slots(self) -> float:
        return spare_slots(self.spec.slo, self.spec.profile.service_time)

    @cached_property
    def _patience_s(self) -> float:
        return patience_s(self.spec.slo, self.spec.profile.service_time)

    @cached_property
    def _too_slow(self) -> float:
        """Share of the requests that miss the SLO without any wait."""
        profile = self.spec.profile
        return 1 - share_within(self.spec.slo.latency_s, 0.0, profile.slots, profile.service_time)

    def _start_s(self, level: float) -> float:
        profile = self.spec.profile
        return profile.provisioning.quantile(level) + profile.cold_start.quantile(level)

    def _ticks(self, seconds: float) -> int:
        most = 2 * max(1, math.ceil(self._start_s(P90) / self._interval_s - 1e-9))
        return min(max(1, math.ceil(seconds / self._interval_s - 1e-9)), most)


_LOOKS_AHEAD = np.array([is_forecast(rule) for rule in range(RULES)])
