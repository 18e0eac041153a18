from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.keda import parse_formula
from hindscale.core import MetricsUnavailable, ParameterError

numbers = st.floats(0, 1e6)


@given(a=numbers, b=numbers, c=st.floats(0.001, 1e6))
def test_arithmetic_is_that_of_doubles(a: float, b: float, c: float) -> None:
    formula = parse_formula("(a + b) * 2 - a / c")
    assert formula.value({"a": a, "b": b, "c": c}) == (a + b) * 2 - a / c


@given(text=st.text(alphabet="ab0123.+-*/%^()[]{}?:!&|<>=#, ", max_size=30))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    with contextlib.suppress(ParameterError, MetricsUnavailable):
        formula = parse_formula(text)
        formula.value(dict.fromkeys(formula.names, 1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a number or a name"),
        ("a +", "found 'its end'"),
        ("a b", "expected 'its end', found 'b'"),
        ("(a", "expected ')'"),
        ("max(a, # > 1)", "expected a number or a name, found '#'"),
        ("count([a])", "needs a closure"),
        ("maximum(a)", "function 'maximum' is not emulated"),
        ("a $ b", "is not understood"),
        ("__import__(1)", "is not emulated"),
        ("a + " * 400 + "a", "at most 400 numbers, names and symbols"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match="Invalid value") as raised:
        parse_formula(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["a > 1", "[a]", "a + nil", "a ? 1 : 2", "1 % 0", "min([])"])
def test_what_gives_no_number_is_an_error_of_the_metric(text: str) -> None:
    with pytest.raises(MetricsUnavailable, match="formula"):
        parse_formula(text).value({"a": 3.0})


def test_division_by_zero_is_infinite_as_in_go() -> None:
    assert parse_formula("a / 0").value({"a": 3.0}) == math.inf


def test_formulas_know_which_triggers_they_look_at() -> None:
    assert parse_formula("count([a, b], {# > c}) + max(d, 1)").names == {"a", "b", "c", "d"}


def test_a_long_formula_is_computed() -> None:
    assert parse_formula("a + " * 199 + "a").value({"a": 1.0}) == 200.0
