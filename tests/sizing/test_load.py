from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.sizing import replicas_for_load, replicas_for_rate


@pytest.mark.parametrize(
    ("requests", "target", "replicas"), [(0, 5, 0), (1, 5, 1), (5, 5, 1), (5.1, 5, 2), (0.3, 0.1, 3), (120, 50, 3)]
)
def test_load_per_replica_stays_at_or_under_its_target(requests: float, target: float, replicas: int) -> None:
    assert replicas_for_load(requests, target) == replicas


@pytest.mark.parametrize(
    ("rate", "capacity", "alpha", "replicas"),
    [(100, 10, 0.8, 13), (80, 10, 0.8, 10), (0, 10, 0.8, 0), (21, 30, 0.7, 1), (0.01, 10, 0.9, 1)],
)
def test_a_rate_is_served_with_headroom(rate: float, capacity: float, alpha: float, replicas: int) -> None:
    assert replicas_for_rate(rate, capacity_rps=capacity, alpha=alpha) == replicas


@given(a=st.floats(0, 1e6), b=st.floats(0, 1e6), capacity=st.floats(0.01, 1e3), alpha=st.floats(0.1, 1))
def test_more_traffic_never_asks_for_fewer(a: float, b: float, capacity: float, alpha: float) -> None:
    low, high = sorted((a, b))
    assert replicas_for_rate(low, capacity_rps=capacity, alpha=alpha) <= replicas_for_rate(
        high, capacity_rps=capacity, alpha=alpha
    )


@pytest.mark.parametrize("rate", [-1, math.nan, math.inf])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ParameterError, match="rate_rps must be a number >= 0"):
        replicas_for_rate(rate, capacity_rps=1)


def test_zero_capacity_is_refused() -> None:
    with pytest.raises(ParameterError, match="capacity_rps must be a number > 0, was 0"):
        replicas_for_rate(1, capacity_rps=0)


def test_alpha_as_a_percentage_is_explained() -> None:
    with pytest.raises(ParameterError, match=r"alpha must be in \(0, 1\], was 80; did you mean 0.8"):
        replicas_for_rate(1, capacity_rps=1, alpha=80)
