"""Kubernetes quantities: `250m`, `1.5`, `2e3`, `1Gi`, exact to the nano unit.

Quantities are decimal, never binary floating point: 0.1 is one tenth. What an autoscaler computes with is
the *milli value*, a whole number of thousandths, rounded up (away from zero).
"""

from __future__ import annotations

import re
from fractions import Fraction

from hindscale.autoscalers.kubernetes.errors import invalid

__all__ = ["MAX_INT64", "milli_text", "milli_value", "quantity", "whole_value"]

MAX_INT64 = 2**63 - 1
_PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*([-+]?[0-9]*))$"
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]+))?"
)
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_MAX_EXPONENT = 40  # beyond any quantity's range; keeps "1e999999999" from filling the memory


def quantity(text: str | float, *, path: str = "quantity") -> Fraction:
    """The exact number that a quantity stands for.

    Suffixes: n u m k M G T P E (powers of ten), Ki Mi Gi Ti Pi Ei (powers of 1024), or an exponent `e3`.
    A bare number may come as a number, as YAML reads it.

    Args:
        text: The quantity.
        path: Where it stands, for the message.

    Raises:
        ParameterError: If it is no quantity.

    Source: apimachinery `pkg/api/resource/quantity.go`.

    >>> quantity("250m"), quantity("1Gi"), quantity("2e3"), quantity(".5"), quantity(3)
    (Fraction(1, 4), Fraction(1073741824, 1), Fraction(2000, 1), Fraction(1, 2), Fraction(3, 1))
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise invalid(path, text, _expected(text))
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise invalid(path, text, _expected(text))
    number, suffix, exponent = Fraction(match["number"]), match["suffix"] or "", match["exponent"]
    if suffix in _BINARY:
        return number * Fraction(2 ** _BINARY[suffix])
    power = int(exponent) if exponent else _DECIMAL[suffix]
    if abs(power) > _MAX_EXPONENT:
        raise invalid(path, text, f"the exponent must be between -{_MAX_EXPONENT} and {_MAX_EXPONENT}")
    return number * (Fraction(10**power) if power >= 0 else Fraction(1, 10**-power))


def milli_value(text: str | float, *, path: str = "quantity") -> int:
    """A quantity in thousandths, rounded up (away from zero), at most 2^63 - 1.

    >>> milli_value("250m"), milli_value("1.5"), milli_value("100u"), milli_value("12Ki")
    (250, 1500, 1, 12288000)

    Raises:
        ParameterError: If it is no quantity.
    """
    return _rounded_up(quantity(text, path=path) * 1000)


def milli_text(milli: int) -> str:
    """The quantity of so many thousandths, in whole units where it is whole.

    >>> milli_text(250), milli_text(2000)
    ('250m', '2')
    """
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def whole_value(text: str | float, *, path: str = "quantity") -> int:
    """A quantity in whole units, such as bytes, rounded up (away from zero), at most 2^63 - 1.

    >>> whole_value("512Mi"), whole_value("1500m")
    (536870912, 2)

    Raises:
        ParameterError: If it is no quantity.
    """
    return _rounded_up(quantity(text, path=path))


def _rounded_up(value: Fraction) -> int:
    magnitude = min(-(-abs(value.numerator) // value.denominator), MAX_INT64)
    return magnitude if value >= 0 else -magnitude


def _expected(text: object) -> str:
    hint = ""
    if isinstance(text, str) and text.rstrip().endswith("%"):
        hint = "; a quantity has no percent sign"
    return f"quantities must match the regular expression '{_PATTERN}'{hint}"
