"""Erlang C against closed forms and published values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Constant, Exponential, Lognormal, ParameterError, ServiceProfile, Slo
from hindscale.sizing import capacity_rps, erlang_c, share_within


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_one_server_waits_with_probability_rho(rho: float) -> None:
    assert erlang_c(1, rho) == pytest.approx(rho)


@pytest.mark.parametrize("a", [0.2, 1.0, 1.8])
def test_two_servers_in_closed_form(a: float) -> None:
    # C(2, a) = a^2 / (2 + a)
    assert erlang_c(2, a) == pytest.approx(a * a / (2 + a))


def test_three_servers_worked_by_hand() -> None:
    # a = 2: sum a^k/k! = 1 + 2 + 2 = 5; last term a^3/3! * 3/(3-2) = 4; C = 4 / (5 + 4)
    assert erlang_c(3, 2.0) == pytest.approx(4 / 9)


def test_everyone_waits_when_load_reaches_the_servers() -> None:
    assert erlang_c(4, 4.0) == erlang_c(4, 7.0) == 1.0


def test_response_of_mm1_in_closed_form() -> None:
    # M/M/1: P(T <= t) = 1 - exp(-(mu - lambda) t); mu = 2, lambda = 1, t = 1.
    assert share_within(1.0, 1.0, 1, Exponential(0.5)) == pytest.approx(1 - math.exp(-1), abs=2e-3)


def test_a_replica_that_cannot_keep_up_answers_nobody_in_time() -> None:
    assert share_within(10.0, 8.0, 4, Constant(0.5)) == 0.0


@given(slots=st.integers(1, 16), mean=st.floats(0.01, 2), cv=st.floats(0.05, 1.0), factor=st.floats(2, 20))
def test_capacity_meets_the_slo_and_a_little_more_does_not(slots: int, mean: float, cv: float, factor: float) -> None:
    service_time = Lognormal(mean_s=mean, cv=cv)
    slo = Slo(latency_s=service_time.quantile(0.995) * factor / 2, percentile=0.99)
    capacity = capacity_rps(ServiceProfile(slots=slots, service_time=service_time), slo)
    assert 0 < capacity <= slots / mean
    assert share_within(slo.latency_s, capacity * 0.999, slots, service_time) >= slo.percentile
    assert share_within(slo.latency_s, capacity * 1.001, slots, service_time) < slo.percentile


def test_an_slo_below_the_service_time_is_infeasible_and_says_so() -> None:
    profile = ServiceProfile(slots=4, service_time=Constant(0.5))
    with pytest.raises(ParameterError, match=r"slo p99 < 400ms cannot be met by any fleet: .* 500ms at p99"):
        capacity_rps(profile, Slo(latency_s=0.4))
