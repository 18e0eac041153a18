"""The two readings of the threshold formulas, with numbers worked by hand.

Golden cases: U / T is written out beside each.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.sizing import Rounding, scale_in_replicas, scale_out_replicas


@pytest.mark.parametrize(
    ("replicas", "utilization", "upper", "product", "ratio"),
    [
        (10, 0.80, 0.8, 10, 10),  # not above the threshold: nothing
        (10, 0.81, 0.8, 11, 20),  # 1.0125: 10.125 up is 11; rounded first it is 2, times 10
        (10, 0.84, 0.7, 12, 20),  # 1.2 exactly: 12, although doubles say 12.000000000000002
        (3, 1.00, 0.6, 5, 6),  # 1.667: 5.0; ceil(1.667) = 2, times 3
        (1, 2.50, 0.5, 5, 5),  # 5: both readings agree where the ratio is whole
        (0, 0.90, 0.8, 0, 0),
    ],
)
def test_scale_out_in_both_readings(replicas: int, utilization: float, upper: float, product: int, ratio: int) -> None:
    assert scale_out_replicas(replicas, utilization, upper) == product
    assert scale_out_replicas(replicas, utilization, upper, rounding="ratio") == ratio
    # The formula as printed gives the replicas to add: N_new = ceil(U / T_U) * N - N.
    if utilization > upper:
        n_new = math.ceil(utilization / upper - 1e-12) * replicas - replicas
        assert ratio == replicas + n_new


@pytest.mark.parametrize(
    ("replicas", "utilization", "lower", "product", "ratio"),
    [
        (10, 0.40, 0.4, 10, 10),  # not below: nothing
        (10, 0.39, 0.4, 9, 0),  # 0.975: 9.75 down is 9; rounded first it is 0: everything goes
        (10, 0.12, 0.4, 3, 0),  # 0.3 exactly: 3
        (10, 0.01, 0.4, 1, 0),  # 0.25 of a replica: one stays while there is load
        (10, 0.00, 0.4, 0, 0),  # no load at all
        (0, 0.00, 0.4, 0, 0),
    ],
)
def test_scale_in_in_both_readings(replicas: int, utilization: float, lower: float, product: int, ratio: int) -> None:
    assert scale_in_replicas(replicas, utilization, lower) == product
    assert scale_in_replicas(replicas, utilization, lower, rounding="ratio") == ratio


roundings = st.sampled_from(["product", "ratio"])
utilizations = st.floats(0, 3)
thresholds = st.floats(0.05, 1)


@given(n=st.integers(0, 500), u=utilizations, v=utilizations, t=thresholds, rounding=roundings)
def test_more_utilization_never_asks_for_fewer(n: int, u: float, v: float, t: float, rounding: Rounding) -> None:
    low, high = sorted((u, v))
    assert scale_out_replicas(n, low, t, rounding=rounding) <= scale_out_replicas(n, high, t, rounding=rounding)
    assert scale_in_replicas(n, low, t, rounding=rounding) <= scale_in_replicas(n, high, t, rounding=rounding)


@given(n=st.integers(1, 500), u=utilizations, t=thresholds)
def test_out_never_shrinks_and_in_never_grows(n: int, u: float, t: float) -> None:
    assert scale_out_replicas(n, u, t) >= n
    assert scale_in_replicas(n, u, t) <= n


@given(n=st.integers(1, 500), u=st.floats(0.01, 3), t=thresholds)
def test_the_product_reading_brings_utilization_to_the_threshold(n: int, u: float, t: float) -> None:
    after_out = scale_out_replicas(n, u, t)
    assert n * u / after_out <= t * (1 + 1e-6) or after_out == n
    after_in = scale_in_replicas(n, u, t)
    if 1 < after_in < n:
        assert n * u / after_in >= t * (1 - 1e-6)


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ((-1, 0.5, 0.8), "replicas must be a whole number"),
        ((1, -0.5, 0.8), "utilization must be a number >= 0"),
        ((1, math.nan, 0.8), "utilization must be a number >= 0"),
        ((1, 0.5, 0.0), "upper must be a number > 0"),
    ],
)
def test_values_out_of_range_are_refused(given_values: tuple[int, float, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        scale_out_replicas(*given_values)


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(ParameterError, match="rounding must be 'product' or 'ratio', was 'up'"):
        scale_in_replicas(1, 0.1, 0.4, rounding="up")  # type: ignore[arg-type]
