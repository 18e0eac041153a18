"""Formulas of `scalingModifiers`: the part of the expr language that combines numbers.

Names of triggers, numbers, `true`, `false`, `nil`; `+ - * / % ^ **`, comparisons, `and or not && || !`,
`a ? b : c`, `a ?? b`, `a in [...]`, lists `[a, b]`, `min max sum mean median count abs ceil floor round int float`,
and `#` in a closure: `count([a, b], {# > 1})`, its braces or not.

A formula is parsed once, into closures; it never reaches Python's own evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hindscale.autoscalers.keda._expression import ExpressionError, Node, Parser, tokens
from hindscale.autoscalers.kubernetes import invalid
from hindscale.core.errors import MetricsUnavailable

__all__ = ["Formula", "composite_milli", "parse_formula"]


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula.

    Attributes:
        text: As it was written.
        names: The triggers it looks at.
        node: What computes it.
    """

    text: str
    names: frozenset[str]
    node: Node = field(compare=False)

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """The formula's number for values by trigger name; None, nil, for a trigger in fallback.

        Raises:
            MetricsUnavailable: If it cannot be computed, or gives no number.

        >>> formula = parse_formula("queue > 10 ? queue / 2 : rate ?? 1")
        >>> formula.value({"queue": 20.0, "rate": None}), formula.value({"queue": 4.0, "rate": None})
        (10.0, 1.0)
        """
        try:
            found = self.node(values)
        except (TypeError, ArithmeticError, ValueError, RecursionError) as error:
            raise MetricsUnavailable(f"formula {self.text!r} failed: {error}") from error
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise MetricsUnavailable(f"formula {self.text!r} gave {found!r}, not a number")
        return float(found)


def composite_milli(value: float) -> int:
    """The composite metric in milli units, truncated.

    Raises:
        MetricsUnavailable: If the number is not finite.

    Source: keda `pkg/scaling/modifiers/formula.go`.

    >>> composite_milli(2.9996)
    2999
    """
    if not math.isfinite(value):
        raise MetricsUnavailable(f"the formula gave {value}, not a finite number")
    return math.trunc(value * 1000)


def parse_formula(text: str, *, path: str = "formula") -> Formula:
    """A formula from its text.

    Args:
        text: The expression.
        path: Where it stands, for messages.

    Raises:
        ParameterError: If it is no such expression.

    >>> parse_formula("(a + b) / 2").value({"a": 3.0, "b": 4.0})
    3.5
    """
    try:
        parser = Parser(tokens(text))
        node = parser.expression()
        parser.expect("")
    except (ExpressionError, RecursionError) as error:
        raise invalid(path, text, str(error)) from error
    return Formula(text=text, names=frozenset(parser.names), node=node)
