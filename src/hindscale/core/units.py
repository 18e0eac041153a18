"""Durations and counts as people write them.

One reader serves the command line, configuration files and SLOs, so that `90s`, `1.5min` and `250ms`
mean the same everywhere. A bare number is seconds.
"""

from __future__ import annotations

import math
import re

from hindscale.core.errors import ParameterError

SECONDS_PER: dict[str, float] = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
MONTH_S = 30 * 86400.0
"""A month for amounts of money: thirty days."""
_DURATION = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*")
_PRINT_STEPS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6))


def parse_duration(text: str | float, *, name: str = "duration") -> float:
    """Seconds in a duration such as `250ms`, `15s`, `1.5min`, `2h`, `7d`; a bare number is seconds.

    Raises:
        ParameterError: If the text is not a number with one of the known units.

    >>> parse_duration("1.5min"), parse_duration("250ms"), parse_duration(30)
    (90.0, 0.25, 30.0)
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    match = _DURATION.fullmatch(str(text).lower())
    if match is None or (match[2] and match[2] not in SECONDS_PER):
        units = ", ".join(("ms", "s", "min", "h", "d"))
        raise ParameterError(f"{name} must be a number with a unit ({units}), was {text!r}; write 90s or 1.5min")
    return float(match[1]) * SECONDS_PER[match[2] or "s"]


def format_duration(seconds: float) -> str:
    """A duration in its largest fitting unit, three significant digits.

    >>> format_duration(0.25), format_duration(90), format_duration(604800)
    ('250ms', '1.5min', '7d')
    """
    if not math.isfinite(seconds):
        return "-" if math.isnan(seconds) else "inf"
    if seconds == 0:
        return "0s"
    for unit, size in _PRINT_STEPS:
        # 0.9995: a value that rounds up to the next unit is printed in it, 59.99 s as 1min.
        if abs(seconds) >= size * 0.9995:
            return f"{seconds / size:.3g}{unit}"
    return f"{seconds * 1e9:.3g}ns"


def format_amount(amount: float, *, scale: float | None = None) -> str:
    """An amount of money: in whole units from 100 on, else with two decimals.

    Args:
        amount: In any currency.
        scale: The amount whose size decides, for an interval beside its mean; by default its own.

    >>> format_amount(1294.8), format_amount(3.14159), format_amount(1.25, scale=1294.8)
    ('1,295', '3.14', '1')
    """
    return f"{amount:,.{0 if (amount if scale is None else scale) >= 100 else 2}f}"


def percent(share: float) -> str:
    """A share in percent, rounded down: 100 % only if it is all.

    >>> percent(0.99996), percent(1.0), percent(float("nan"))
    ('99.99%', '100%', '-')
    """
    if math.isnan(share):
        return "-"
    # 1e-9: 0.9724 * 10000 is 9723.999999999998 in doubles.
    return "100%" if share == 1.0 else f"{math.floor(share * 10_000 + 1e-9) / 100:.2f}%"
