from __future__ import annotations

import math

import pytest

from hindscale.core.checks import (
    require_at_least,
    require_finite,
    require_fraction,
    require_nonnegative,
    require_ordered,
    require_positive,
    require_share,
)
from hindscale.core.errors import ParameterError


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "3", None, True])
def test_positive_refuses_what_is_not_a_positive_number(value: object) -> None:
    with pytest.raises(ParameterError, match="rate must be a number > 0, was"):
        require_positive(rate=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf])
def test_nonnegative_refuses_negative_and_unbounded_numbers(value: float) -> None:
    with pytest.raises(ParameterError, match="delay must be a number >= 0"):
        require_nonnegative(delay=value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_finite_refuses_what_is_not(value: float) -> None:
    with pytest.raises(ParameterError, match="a finite number"):
        require_finite(x=value)


@pytest.mark.parametrize(("value", "hint"), [(70, "did you mean 0.7"), (100, "did you mean 1"), (1.5, "0.015")])
def test_a_percentage_where_a_fraction_belongs_is_explained(value: float, hint: str) -> None:
    with pytest.raises(ParameterError, match=hint):
        require_fraction(target=value)


def test_a_share_may_be_zero_but_not_one() -> None:
    require_share(tolerance=0.0)
    with pytest.raises(ParameterError, match=r"in \[0, 1\)"):
        require_share(tolerance=1.0)


@pytest.mark.parametrize("value", [1.0, True, 0, "2"])
def test_counts_are_whole_numbers(value: object) -> None:
    with pytest.raises(ParameterError, match="a whole number >= 1"):
        require_at_least(1, slots=value)  # type: ignore[arg-type]


def test_order_is_checked_pair_by_pair() -> None:
    require_ordered(a=1, b=1, c=2)
    with pytest.raises(ParameterError, match="b must be <= c, but 3 > 2"):
        require_ordered(a=1, b=3, c=2)
