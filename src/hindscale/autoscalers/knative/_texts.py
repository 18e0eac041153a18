"""Values of annotations and ConfigMaps, which are texts all of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from hindscale.autoscalers.kubernetes import Fields

__all__ = [
    "BURST_CAPACITY",
    "MAX_INT32",
    "boolean_text",
    "is_burst_capacity",
    "number_text",
    "require_whole_seconds",
    "require_within",
    "whole_text",
]

MAX_INT32 = 2**31 - 1
BURST_CAPACITY = "must be either non-negative or -1 (for unlimited)"


def is_burst_capacity(value: float) -> bool:
    """Whether a number can be a target burst capacity."""
    return value >= 0 or value == -1


def require_within(
    fields: Fields,
    key: str,
    value: float,
    bounds: tuple[float, float],
    *,
    as_text: Callable[[float], str] = "{:g}".format,
) -> None:
    """The value lies within its range, ends included.

    Raises:
        ParameterError: If it does not.
    """
    if not bounds[0] <= value <= bounds[1]:
        raise fields.invalid(key, f"must be in [{as_text(bounds[0])}; {as_text(bounds[1])}]")


def require_whole_seconds(fields: Fields, key: str, seconds: float) -> None:
    """A duration has no fractions of a second.

    Raises:
        ParameterError: If it has.
    """
    if seconds != math.floor(seconds):
        raise fields.invalid(key, "must be specified with at most second precision")


def number_text(fields: Fields, key: str) -> float:
    """The number that a text stands for; annotations and ConfigMaps hold texts only.

    Raises:
        ParameterError: If it is none.
    """
    text = str(fields.values[key])
    try:
        value = float(text) if text.strip() == text and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        hint = "; leave out the percent sign" if text.endswith("%") else ""
        raise fields.invalid(key, f"must be a number{hint}")
    return value


def whole_text(fields: Fields, key: str) -> int:
    """The whole number, 0 to 2^31 - 1, that a text stands for.

    Raises:
        ParameterError: If it is none.
    """
    text = str(fields.values[key])
    if not text.removeprefix("-").removeprefix("+").isdecimal():
        raise fields.invalid(key, "must be an integer")
    if not 0 <= int(text) <= MAX_INT32:
        raise fields.invalid(key, f"must be in [0; {MAX_INT32}]")
    return int(text)


def boolean_text(fields: Fields, key: str) -> bool:
    """True or false, as Go reads it.

    Raises:
        ParameterError: If the text is neither.
    """
    text = str(fields.values[key])
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise fields.invalid(key, "must be a boolean, true or false")
