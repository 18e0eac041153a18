"""How good forecasts are: errors, quantile loss and coverage, from origins that roll over a recording.

Each forecaster walks the series once, window by window, as it would live. From a third of the way on it is asked at
regular origins for the whole horizon, and held against what came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError
from hindscale.forecasting import Forecast, Forecaster
from hindscale.forecasting.conformal import Conformal

__all__ = ["COVERED", "Origins", "Score", "calibrated", "score", "walk"]

Floats = NDArray[np.float64]
SCORED_FROM = 1 / 3
LOSS_LEVELS = (0.1, 0.5, 0.9)
COVERED = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origins:
    """What a forecaster said at each origin, and what came.

    Attributes:
        windows: Numbers of the windows that the forecasts begin with, shape (N,).
        actual_rps: What came, shape (N, H).
        mean_rps: What was expected, shape (N, H).
        levels: Levels of the quantiles, shape (Q,).
        quantiles_rps: Shape (N, Q, H).
    """

    windows: NDArray[np.int64]
    actual_rps: Floats
    mean_rps: Floats
    levels: tuple[float, ...]
    quantiles_rps: Floats

    def quantile(self, level: float) -> Floats:
        """One of the quantiles, shape (N, H)."""
        return self.quantiles_rps[:, self.levels.index(level), :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What the forecasts of one forecaster were worth.

    Attributes:
        origins: How many forecasts of a whole horizon were made.
        mase: Mean absolute error over that of the seasonal naive forecast within the first third of the series.
        quantile_loss: Weighted quantile loss: twice the mean pinball loss at 10, 50 and 90 %, over the mean rate.
        coverage: Share of the windows at or below each quantile, by level.
    """

    origins: int
    mase: float
    quantile_loss: float
    coverage: dict[float, float] = field(default_factory=dict)


def calibrated(forecaster: Forecaster[Any], *, horizon_windows: int) -> Forecaster[Any]:
    """The forecaster with quantiles: as it is if it has its own, else under `conformal`."""
    if isinstance(forecaster, Conformal):
        return forecaster
    return Conformal(model=forecaster, horizon_windows=horizon_windows)


def walk(rates_rps: Floats, forecaster: Forecaster[Any], *, horizon_windows: int, every: int = 1) -> Origins:
    """Forecasts from every `every`-th window of the last two thirds of a series.

    Args:
        rates_rps: One rate a window; NaN where nothing is known, shape (T,).
        forecaster: One that says something of the spread, such as `calibrated` gives.
        horizon_windows: H, windows forecast at each origin.
        every: Windows between two origins.

    Raises:
        ParameterError: If the series is too short, or the forecaster knows too little all the way.
    """
    require_at_least(1, horizon_windows=horizon_windows, every=every)
    first, last = int(len(rates_rps) * SCORED_FROM), len(rates_rps) - horizon_windows
    state = forecaster.initial_state()
    windows: list[int] = []
    forecasts: list[Forecast] = []
    for window, rate_rps in enumerate(rates_rps[:last].tolist(), start=1):
        state = forecaster.update(rate_rps, state)
        if window >= first and (window - first) % every == 0:
            ahead = forecaster.forecast(horizon_windows, state)
            if ahead is not None and ahead.quantiles_rps is not None:
                windows.append(window)
                forecasts.append(ahead)
    if not forecasts:
        raise ParameterError(
            f"{forecaster.name} knows too little after {max(last, 0)} windows to be judged; use a longer recording,"
            " shorter windows or another forecaster"
        )
    numbers = np.array(windows)
    return Origins(
        windows=numbers,
        actual_rps=rates_rps[numbers[:, None] + np.arange(horizon_windows)],
        mean_rps=np.stack([each.mean_rps for each in forecasts]),
        levels=forecasts[0].levels,
        quantiles_rps=np.stack([each.quantiles_rps for each in forecasts if each.quantiles_rps is not None]),
    )


def score(rates_rps: Floats, said: Origins, *, season_windows: int) -> Score:
    """The figures of a walk.

    Args:
        rates_rps: The series that was walked, shape (T,).
        said: What `walk` gave.
        season_windows: m of the seasonal naive forecast that errors are measured by; where the first third is
            shorter than a season, the last value takes its place.
    """
    known = np.isfinite(said.actual_rps)
    error = float(np.abs(said.actual_rps - said.mean_rps)[known].mean())
    mean_rps = float(said.actual_rps[known].mean())
    losses = [_pinball(said.actual_rps, said.quantile(level), level)[known].mean() for level in LOSS_LEVELS]
    below = {level: said.actual_rps <= said.quantile(level) for level in COVERED}
    return Score(
        origins=len(said.windows),
        mase=_ratio(error, _naive_error(rates_rps[: int(len(rates_rps) * SCORED_FROM)], season_windows)),
        quantile_loss=_ratio(2 * float(np.mean(losses)), mean_rps),
        coverage={level: float(each[known].mean()) for level, each in below.items()},
    )


def _pinball(actual: Floats, quantile: Floats, level: float) -> Floats:
    return np.maximum(level * (actual - quantile), (level - 1) * (actual - quantile))


def _naive_error(rates_rps: Floats, season_windows: int) -> float:
    lag = season_windows if len(rates_rps) > season_windows else 1
    return float(np.nanmean(np.abs(rates_rps[lag:] - rates_rps[:-lag])))


def _ratio(value: float, of: float) -> float:
    return value / of if of > 0 else math.nan
