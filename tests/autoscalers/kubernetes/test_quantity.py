from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.kubernetes import milli_value, quantity, whole_value
from hindscale.core import ParameterError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1n", Fraction(1, 10**9)),
        ("1u", Fraction(1, 10**6)),
        ("1m", Fraction(1, 1000)),
        ("1k", 1000),
        ("1M", 10**6),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1P", 10**15),
        ("1E", 10**18),  # a suffix,
        ("1E2", 100),  # an exponent
        ("1e-3", Fraction(1, 1000)),
        ("1Ki", 1024),
        ("1.5Mi", 3 * 2**19),
        ("1Ei", 2**60),
        ("+5", 5),
        ("-5", -5),
        ("5.", 5),
        (2, 2),
        (0.25, Fraction(1, 4)),
    ],
)
def test_suffixes_and_exponents(text: str | float, expected: Fraction) -> None:
    assert quantity(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "5 m", "m", "1mi", "1K", "0x10", "1e", "--1", "1_000", "70%", ".", "ten"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r"spec.x: Invalid value: .* quantities must match the regular expression"):
        quantity(text, path="spec.x")


@pytest.mark.parametrize("value", [True, None, [1], float("nan"), float("inf")])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(ParameterError, match="quantities must match"):
        quantity(value)  # type: ignore[arg-type]


def test_an_absurd_exponent_is_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="the exponent must be between"):
        quantity("1e999999999")


def test_rounding_is_up_and_away_from_zero() -> None:
    assert [milli_value(text) for text in ("1.0001", "-1.0001", "0.0004", "0.1")] == [1001, -1001, 1, 100]
    assert whole_value("1Gi") == 2**30
    assert whole_value("100m") == 1


def test_values_are_held_within_64_bits() -> None:
    assert milli_value("8Ei") == 2**63 - 1
    assert milli_value("-8Ei") == -(2**63 - 1)


@given(milli=st.integers(-(2**53), 2**53))
def test_milli_values_come_back(milli: int) -> None:
    assert milli_value(f"{milli}m") == milli
