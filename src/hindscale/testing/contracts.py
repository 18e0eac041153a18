"""What every policy, guardrail and forecaster keeps, whatever it computes.

The classes are plain pytest test classes. They need pytest and hypothesis, which are not dependencies of
hindscale: whoever tests has them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hindscale.core.catalog import parameters_of
from hindscale.core.control import Guardrail, Policy, control_step, initial_control_state
from hindscale.core.state import from_plain, to_plain
from hindscale.core.values import Decision, Observation
from hindscale.forecasting import Forecaster

__all__ = ["ForecasterContract", "GuardrailContract", "PolicyContract", "histories", "observations"]

# Every subclass runs the same tests on objects of its own: a failing example of one is worth trying in all.
examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
INTERVAL_S = 15.0

_shares = st.floats(0, 1.5)
_counts = st.integers(0, 50)


@st.composite
def observations(draw: st.DrawFn, time_s: float = INTERVAL_S) -> Observation:
    """Any observation of a small fleet in which everything is known."""
    return Observation(
        time_s=time_s,
        measured_at_s=time_s,
        ready_replicas=draw(_counts),
        starting_replicas=draw(st.integers(0, 5)),
        provisioning_replicas=draw(st.integers(0, 3)),
        draining_replicas=draw(st.integers(0, 3)),
        arrival_rate_rps=draw(st.floats(0, 1000)),
        completion_rate_rps=draw(st.floats(0, 1000)),
        ongoing_requests=draw(st.floats(0, 500)),
        queued_requests=float(draw(st.integers(0, 1000))),
        slo_attainment=draw(_shares.filter(lambda share: share <= 1)),
        cpu_utilization=draw(_shares),
        memory_utilization=draw(_shares),
        accelerator_utilization=draw(_shares),
    )


@st.composite
def histories(draw: st.DrawFn, max_ticks: int = 12) -> list[Observation]:
    """Observations of consecutive ticks."""
    ticks = draw(st.integers(1, max_ticks))
    return [draw(observations(time_s=INTERVAL_S * (tick + 1))) for tick in range(ticks)]


def _described(cls: type[Any]) -> None:
    for parameter in parameters_of(cls):
        assert parameter.summary, f"{cls.__name__}.{parameter.name} has no entry under Attributes: in the docstring"


class PolicyContract:
    """Every policy: pure, deterministic, blind to the future, restartable, and explained."""

    def policies(self) -> Sequence[Policy[Any]]:
        """The policies to test."""
        raise NotImplementedError

    def _targets(self, policy: Policy[Any], history: Sequence[Observation]) -> list[int]:
        state = policy.initial_state()
        wanted = []
        for seen in history:
            decision, state = policy.decide(seen, state)
            wanted.append(decision.desired_replicas)
        return wanted

    def test_has_a_name_and_describes_its_parameters(self) -> None:
        for policy in self.policies():
            assert getattr(type(policy), "name", ""), f"{type(policy).__name__} needs a class attribute `name`"
            _described(type(policy))

    def test_reads_are_measurements(self) -> None:
        for policy in self.policies():
            for reading in policy.reads:
                assert hasattr(Observation, reading), f"{policy} reads {reading!r}, which nobody measures"

    @examples
    @given(history=histories())
    def test_decisions_are_counts_with_a_reason(self, history: list[Observation]) -> None:
        for policy in self.policies():
            state = policy.initial_state()
            for seen in history:
                decision, state = policy.decide(seen, state)
                assert isinstance(decision, Decision)
                assert decision.reason.strip()
                assert "\n" not in decision.reason

    @examples
    @given(history=histories(), data=st.data())
    def test_decisions_depend_only_on_the_past(self, history: list[Observation], data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, len(history)))
        for policy in self.policies():
            assert self._targets(policy, history)[:cut] == self._targets(policy, history[:cut])

    @examples
    @given(history=histories(), data=st.data())
    def test_a_saved_state_goes_on_as_if_never_stopped(self, history: list[Observation], data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, len(history)))
        for policy in self.policies():
            packages = {"hindscale", type(policy).__module__.split(".")[0]}
            state = policy.initial_state()
            for seen in history[:cut]:
                _, state = policy.decide(seen, state)
            resumed = from_plain(json.loads(json.dumps(to_plain(state), allow_nan=False)), packages=packages)
            after = []
            for seen in history[cut:]:
                decision, resumed = policy.decide(seen, resumed)
                after.append(decision.desired_replicas)
            assert after == self._targets(policy, history)[cut:]

    @examples
    @given(seen=observations(), value=st.sampled_from([math.nan, math.inf, -math.inf]))
    def test_unusable_measurements_hold_the_fleet(self, seen: Observation, value: float) -> None:
        for policy in self.policies():
            for reading in policy.reads:
                unusable: dict[str, Any] = {reading: value}
                blind = replace(seen, **unusable)
                state = initial_control_state(policy, ())
                target, after = control_step(policy, (), blind, state)
                assert target.held
                assert target.replicas == seen.requested_replicas
                assert after.policy is state.policy


class GuardrailContract:
    """Every guardrail: pure, restartable, and no larger a change than was wanted."""

    def guardrails(self) -> Sequence[Guardrail[Any]]:
        """The guardrails to test."""
        raise NotImplementedError

    def test_describes_its_parameters(self) -> None:
        for guardrail in self.guardrails():
            assert guardrail.name
            assert isinstance(guardrail.order, int)
            _described(type(guardrail))

    @examples
    @given(history=histories(), wishes=st.lists(st.integers(0, 80), min_size=12, max_size=12))
    def test_limits_are_counts(self, history: list[Observation], wishes: list[int]) -> None:
        for guardrail in self.guardrails():
            state = guardrail.initial_state()
            for seen, wish in zip(history, wishes, strict=False):
                replicas, state = guardrail.limit(wish, seen, state)
                assert isinstance(replicas, int)
                assert replicas >= 0

    @examples
    @given(history=histories(), wishes=st.lists(st.integers(0, 80), min_size=12, max_size=12), data=st.data())
    def test_a_saved_state_goes_on_as_if_never_stopped(
        self, history: list[Observation], wishes: list[int], data: st.DataObject
    ) -> None:
        cut = data.draw(st.integers(0, len(history)))
        for guardrail in self.guardrails():
            packages = {"hindscale", type(guardrail).__module__.split(".")[0]}
            straight = resumed = guardrail.initial_state()
            for tick, (seen, wish) in enumerate(zip(history, wishes, strict=False)):
                if tick == cut:
                    resumed = from_plain(json.loads(json.dumps(to_plain(resumed), allow_nan=False)), packages=packages)
                one, straight = guardrail.limit(wish, seen, straight)
                other, resumed = guardrail.limit(wish, seen, resumed)
                assert one == other


class ForecasterContract:
    """Every forecaster: pure, restartable, non-negative, at ease with gaps, and honest about knowing nothing."""

    def forecasters(self) -> Sequence[Forecaster[Any]]:
        """The forecasters to test; with histories short enough to fill in a test."""
        raise NotImplementedError

    _rates = st.lists(st.floats(0, 1e4) | st.just(math.nan), max_size=40)

    def test_has_a_name_and_describes_its_parameters(self) -> None:
        for forecaster in self.forecasters():
            assert type(forecaster).name
            _described(type(forecaster))

    def test_knows_nothing_at_first(self) -> None:
        for forecaster in self.forecasters():
            assert forecaster.forecast(3, forecaster.initial_state()) is None

    @examples
    @given(rates=_rates, windows=st.integers(1, 10))
    def test_forecasts_are_rates(self, rates: list[float], windows: int) -> None:
        for forecaster in self.forecasters():
            state = forecaster.initial_state()
            for rate_rps in rates:
                state = forecaster.update(rate_rps, state)
            forecast = forecaster.forecast(windows, state)
            if forecast is not None:
                assert forecast.mean_rps.shape == (windows,)
                assert (forecast.mean_rps >= 0).all()
                assert math.isfinite(forecast.highest_rps)
                if forecast.quantiles_rps is not None:
                    assert forecast.quantiles_rps.shape == (len(forecast.levels), windows)
                    assert list(forecast.levels) == sorted(forecast.levels)
                    assert (forecast.quantiles_rps >= 0).all()
                    assert (forecast.quantiles_rps[1:] >= forecast.quantiles_rps[:-1]).all()

    @examples
    @given(rates=_rates, more=_rates)
    def test_updates_leave_the_old_state_alone(self, rates: list[float], more: list[float]) -> None:
        for forecaster in self.forecasters():
            state = forecaster.initial_state()
            for rate_rps in rates:
                state = forecaster.update(rate_rps, state)
            before = to_plain(state)
            later = state
            for rate_rps in more:
                later = forecaster.update(rate_rps, later)
            assert to_plain(state) == before

    @examples
    @given(rates=_rates, more=_rates)
    def test_a_saved_state_goes_on_as_if_never_stopped(self, rates: list[float], more: list[float]) -> None:
        for forecaster in self.forecasters():
            packages = {"hindscale", type(forecaster).__module__.split(".")[0]}
            straight = forecaster.initial_state()
            for rate_rps in rates:
                straight = forecaster.update(rate_rps, straight)
            resumed = from_plain(json.loads(json.dumps(to_plain(straight), allow_nan=False)), packages=packages)
            for rate_rps in more:
                straight = forecaster.update(rate_rps, straight)
                resumed = forecaster.update(rate_rps, resumed)
            one, other = forecaster.forecast(4, straight), forecaster.forecast(4, resumed)
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert one.mean_rps.tolist() == pytest.approx(other.mean_rps.tolist())
