"""The rules that are rehearsed: a rate to serve, and how much more than it to be ready for.

A rate is the highest of some time back (long memories stand ready for bursts, short ones let go at once), or what a
forecaster expects until replicas that are ordered now serve, alone or together with the present. Every rate comes with
every level; a rule is one pair. None of it is a set point: which rule is followed is found out by rehearsal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hindscale.core.units import format_duration
from hindscale.forecasting.history import History

__all__ = ["FIRST_RULE", "MEMORY_S", "RULES", "describe", "is_forecast", "rates_to_serve"]

Floats = NDArray[np.float64]
LOOKS_BACK_S = (0.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
MEMORY_S = LOOKS_BACK_S[-1]
PRESENT = 1
"""The highest rate of a minute stands for the present: that of a single interval is chance as well."""
LEVELS = (
    0.85,
    0.875,
    0.9,
    0.925,
    0.95,
    0.975,
    1.0,
    1.025,
    1.05,
    1.075,
    1.1,
    1.15,
    1.2,
    1.3,
    1.4,
    1.6,
    1.8,
    2.1,
    2.5,
    3.0,
    3.7,
    4.6,
)
"""Finer around 1, where smooth traffic is decided; up to what stands ready for bursts that nobody sees coming."""
BESIDE_FORECAST = (None, 1, 3, 5)
"""What a forecast is taken together with, as a place in LOOKS_BACK_S: nothing, the present, ten minutes, an hour."""
RATES = len(LOOKS_BACK_S) + len(BESIDE_FORECAST)
RULES = RATES * len(LEVELS)
FIRST_RULE = LOOKS_BACK_S.index(600.0) * len(LEVELS) + LEVELS.index(1.3)
"""Followed until there was something to rehearse on: the highest of ten minutes and a third."""


def rates_to_serve(rates: History, ahead_rps: float, *, interval_s: float) -> Floats:
    """The rate that each rule wants served, shape (RULES,).

    Args:
        rates: Rates of the last intervals.
        ahead_rps: The highest rate forecast for the lead time; NaN while the forecaster knows too little.
        interval_s: Seconds of an interval.
    """
    past = rates.values
    highest = [past[-max(1, math.ceil(back_s / interval_s)) :].max() for back_s in LOOKS_BACK_S]
    expected = highest[PRESENT] if math.isnan(ahead_rps) else ahead_rps
    beside = [expected if place is None else max(expected, highest[place]) for place in BESIDE_FORECAST]
    return np.outer([*highest, *beside], LEVELS).ravel()


def is_forecast(rule: int) -> bool:
    """Whether a rule looks ahead."""
    return rule // len(LEVELS) >= len(LOOKS_BACK_S)


def describe(rule: int) -> str:
    """A rule in words.

    >>> describe(FIRST_RULE), describe(RULES - 1)
    ('1.3 times the highest of 10min', '4.6 times the forecast or the highest of 1h')
    """
    rate, level = divmod(rule, len(LEVELS))
    beside = BESIDE_FORECAST[rate - len(LOOKS_BACK_S)] if is_forecast(rule) else rate
    back = (
        ""
        if beside is None
        else f"the highest of {format_duration(LOOKS_BACK_S[beside])}"
        if beside
        else "the last rate"
    )
    return f"{LEVELS[level]:g} times {' or '.join(filter(None, ('the forecast' * is_forecast(rule), back)))}"
