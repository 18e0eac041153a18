"""A parser for the part of the expr language that combines numbers; it makes closures, and evaluates nothing else."""

from __future__ import annotations

import math
import operator
import re
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from hindscale.core.errors import did_you_mean

__all__ = ["ExpressionError", "Node", "Parser", "tokens"]

Scope = Mapping[str, Any]
Node = Callable[[Scope], Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<symbol>\?\?|\*\*|&&|\|\||[=!<>]=|[-+*/%^<>!?:#(),\[\]{}]))"
)


def _divided(left: float, right: float) -> float:
    if right != 0:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def _go_round(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _flat(*values: Any) -> list[Any]:
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


_BINARY: Mapping[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "==": (4, operator.eq),
    "!=": (4, operator.ne),
    "<": (4, operator.lt),
    "<=": (4, operator.le),
    ">": (4, operator.gt),
    ">=": (4, operator.ge),
    "in": (4, lambda left, right: left in right),
    "+": (5, operator.add),
    "-": (5, operator.sub),
    "*": (6, operator.mul),
    "/": (6, _divided),
    "%": (6, math.fmod),
    "^": (8, operator.pow),
    "**": (8, operator.pow),
}
_LAZY = {"??": 9, "||": 2, "or": 2, "&&": 3, "and": 3}
_POWER, _UNARY = 8, 7
_MOST_TOKENS = 400  # closures nest: keeps a formula within Python's own stack
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": _go_round,
    "int": math.trunc,
    "float": float,
    "len": len,
    "min": lambda *values: min(_flat(*values)),
    "max": lambda *values: max(_flat(*values)),
    "sum": lambda *values: sum(_flat(*values)),
    "mean": lambda *values: statistics.fmean(_flat(*values)),
    "median": lambda *values: statistics.median(_flat(*values)),
}
_WITH_CLOSURE: Mapping[str, Callable[[list[Any], Callable[[Any], Any]], Any]] = {
    "count": lambda values, test: sum(1 for value in values if test(value)),
    "any": lambda values, test: any(test(value) for value in values),
    "all": lambda values, test: all(test(value) for value in values),
    "none": lambda values, test: not any(test(value) for value in values),
    "filter": lambda values, test: [value for value in values if test(value)],
    "map": lambda values, test: [test(value) for value in values],
    "sum": lambda values, test: sum(test(value) for value in values),
}


class ExpressionError(ValueError):
    """A text is no expression of the kind that is understood."""


def tokens(text: str) -> list[str]:
    """Numbers, names and symbols of a text."""
    found, end = [], 0
    while text[end:].strip():
        match = _TOKEN.match(text, end)
        if match is None:
            raise ExpressionError(f"no expression: {text[end:].strip()[:20]!r} is not understood")
        found.append(match[match.lastgroup or "symbol"])
        end = match.end()
        if len(found) > _MOST_TOKENS:
            raise ExpressionError(f"must be at most {_MOST_TOKENS} numbers, names and symbols long")
    return found


class Parser:
    """Precedence climbing over a list of tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._in_closure = False
        self.names: set[str] = set()

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def expect(self, token: str) -> None:
        """Step over a token that must come now; an empty one is the end."""
        found = self._take()
        if found != token:
            raise ExpressionError(f"expected {token or 'its end'!r}, found {found or 'its end'!r}")

    def expression(self) -> Node:
        """A whole expression, with `?:` outermost."""
        condition = self._binary(0)
        if self._peek() != "?":
            return condition
        self._take()
        then = self.expression()
        self.expect(":")
        other = self.expression()
        return lambda scope: then(scope) if _truth(condition(scope)) else other(scope)

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while True:
            symbol = self._peek()
            level = _LAZY.get(symbol) or (_BINARY[symbol][0] if symbol in _BINARY else -1)
            if level < max(least, 0):
                return left
            self._take()
            # Powers group from the right: 2 ^ 3 ^ 2 is 2 ^ 9.
            right = self._binary(level if level == _POWER else level + 1)
            left = _joined(symbol, left, right)

    def _unary(self) -> Node:
        symbol = self._peek()
        if symbol in {"-", "+"}:
            self._take()
            inner = self._binary(_UNARY)
            return (lambda scope: -inner(scope)) if symbol == "-" else inner
        if symbol in {"!", "not"}:
            self._take()
            inner = self._binary(_UNARY)
            return lambda scope: not _truth(inner(scope))
        return self._primary()

    def _primary(self) -> Node:
        word = self._take()
        if word == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if word == "[":
            items = self._list("]")
            return lambda scope: [item(scope) for item in items]
        if word == "#" and self._in_closure:
            return lambda scope: scope["#"]
        if re.match(r"[\d.]", word):
            number = float(word)
            return lambda _: number
        if re.match(r"[A-Za-z_]", word) and word not in {"in", "and", "or", "not"}:
            return self._named(word)
        raise ExpressionError(f"expected a number or a name, found {word or 'its end'!r}")

    def _named(self, name: str) -> Node:
        constants = {"true": True, "false": False, "nil": None}
        if name in constants:
            constant = constants[name]
            return lambda _: constant
        if self._peek() == "(":
            return self._call(name)
        self.names.add(name)
        return lambda scope: scope[name]

    def _call(self, name: str) -> Node:
        known = {*_FUNCTIONS, *_WITH_CLOSURE}
        if name not in known:
            raise ExpressionError(f"function {name!r} is not emulated; {did_you_mean(name, known)}")
        self._take()
        arguments = [self.expression()]
        while self._peek() == ",":
            self._take()
            if self._peek() == "{" or name not in _FUNCTIONS:
                closure = self._closure()
                self.expect(")")
                return _with_closure(name, arguments, closure)
            arguments.append(self.expression())
        self.expect(")")
        if name not in _FUNCTIONS:
            raise ExpressionError(f"{name} needs a closure, such as {name}([a, b], {{# > 1}})")
        function = _FUNCTIONS[name]
        return lambda scope: function(*(argument(scope) for argument in arguments))

    def _closure(self) -> Node:
        """What is computed for each `#`; its braces may be left out."""
        has_braces = self._peek() == "{"
        if has_braces:
            self._take()
        outer, self._in_closure = self._in_closure, True
        inner = self.expression()
        self._in_closure = outer
        if has_braces:
            self.expect("}")
        return inner

    def _list(self, end: str) -> list[Node]:
        items: list[Node] = []
        while self._peek() != end:
            items.append(self.expression())
            if self._peek() != ",":
                break
            self._take()
        self.expect(end)
        return items


def _joined(symbol: str, left: Node, right: Node) -> Node:
    if symbol == "??":
        return lambda scope: found if (found := left(scope)) is not None else right(scope)
    if symbol in {"||", "or"}:
        return lambda scope: _truth(left(scope)) or _truth(right(scope))
    if symbol in {"&&", "and"}:
        return lambda scope: _truth(left(scope)) and _truth(right(scope))
    function = _BINARY[symbol][1]
    return lambda scope: function(left(scope), right(scope))


def _with_closure(name: str, arguments: list[Node], closure: Node) -> Node:
    if name not in _WITH_CLOSURE or len(arguments) != 1:
        raise ExpressionError(f"{name} takes no closure here")
    function, values = _WITH_CLOSURE[name], arguments[0]
    return lambda scope: function(values(scope), lambda each: closure({**scope, "#": each}))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, found {value!r}")
    return value
