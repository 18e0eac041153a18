from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting import Backtest
from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.core import Exponential, ParameterError, Slo

shares = st.floats(0.0, 1.0)


@given(
    percentile=st.floats(0.5, 0.999), minutes_share=st.none() | st.floats(0.1, 0.999), attained=shares, minutes=shares
)
def test_a_budget_is_overspent_exactly_where_the_slo_is_missed(
    percentile: float, minutes_share: float | None, attained: float, minutes: float
) -> None:
    slo = Slo(latency_s=1.0, percentile=percentile, minutes_share=minutes_share)
    spent = ErrorBudget(slo=slo).spent(attainment=attained, minutes=minutes)
    keeps = attained >= percentile and (minutes_share is None or minutes >= minutes_share)
    assert spent == pytest.approx(1.0) or (spent <= 1) == keeps


@given(attained=shares, unavoidable=st.floats(0, 0.09))
def test_what_nobody_can_help_does_not_change_where_the_slo_is_missed(attained: float, unavoidable: float) -> None:
    slo = Slo(latency_s=1.0, percentile=0.9)
    spent = ErrorBudget(slo=slo, unavoidable=unavoidable).spent(attainment=attained, minutes=1.0)
    assert spent == pytest.approx(1.0) or (spent <= 1) == (attained >= 0.9)


def test_requests_that_are_too_slow_by_themselves_are_counted(plan: Backtest) -> None:
    assert ErrorBudget.of(plan, reserve=0.5).unavoidable == 0.0
    slow = replace(plan, service=replace(plan.service, service_time=Exponential(0.8)))
    # exp(-3 / 0.8) of them take longer than the bound of 3 s.
    assert ErrorBudget.of(slow, reserve=0.5).unavoidable == pytest.approx(0.0235, abs=0.005)


def test_an_slo_that_no_fleet_can_keep_says_by_how_much() -> None:
    with pytest.raises(ParameterError, match=r"no fleet can keep p99 < 1s: without any wait 98\.00% of the requests"):
        ErrorBudget(slo=Slo(latency_s=1.0), unavoidable=0.02)
