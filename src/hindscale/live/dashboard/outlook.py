"""What the traffic is expected to do next, with a band as wide as the forecasts of the last while were wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.forecasting import Forecaster
from hindscale.forecasting.trend import Trend
from hindscale.live.plan import Plan

__all__ = ["Outlook", "forecaster_of", "outlook"]

BAND = (0.1, 0.9)
FEWEST_ERRORS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """Rates of the next windows, nearest first, shape (K,) each.

    Attributes:
        mean_rps: What is expected.
        low_rps, high_rps: Four in five of the past windows lay between, at the same distance from their forecasts; NaN
            while too few are known.
    """

    mean_rps: NDArray[np.float64]
    low_rps: NDArray[np.float64]
    high_rps: NDArray[np.float64]


def forecaster_of(plan: Plan) -> Forecaster[Any]:
    """The deciding policy's forecaster, else that of the first shadow that has one, else the trend."""
    for text in plan.policies:
        found: Forecaster[Any] | None = getattr(plan.build(text), "forecaster", None)
        if found is not None:
            return found
    return Trend()


def outlook(rates_rps: Sequence[float], forecaster: Forecaster[Any], *, windows: int) -> Outlook | None:
    """The next windows after these; None while the forecaster knows too little.

    The forecaster is led through the past once, and what it said at every window is compared with what came: the band
    is made of those errors, whatever the forecaster claims of itself.

    Args:
        rates_rps: Past windows, oldest first; NaN means that nothing is known.
        forecaster: What forecasts.
        windows: How many windows to look ahead.
    """
    state, said = forecaster.initial_state(), []
    for rate_rps in rates_rps:
        state = forecaster.update(rate_rps, state)
        forecast = forecaster.forecast(windows, state)
        said.append(None if forecast is None else forecast.mean_rps)
    if not said or said[-1] is None:
        return None
    mean = said[-1]
    errors = [
        [
            rates_rps[origin + ahead] - each[ahead - 1]
            for origin, each in enumerate(said[: max(len(said) - ahead, 0)])
            if each is not None and math.isfinite(rates_rps[origin + ahead])
        ]
        for ahead in range(1, windows + 1)
    ]
    low, high = (np.array([_quantile(each, share) for each in errors]) for share in BAND)
    return Outlook(mean_rps=mean, low_rps=np.maximum(mean + low, 0.0), high_rps=np.maximum(mean + high, 0.0))


def _quantile(errors: list[float], share: float) -> float:
    return float(np.quantile(errors, share)) if len(errors) >= FEWEST_ERRORS else math.nan
