"""Forecasters on one recording: their scores as a table, and the best one's forecasts as a page."""

from __future__ import annotations

import html
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.backtesting.report import asset, packed, rounded, template
from hindscale.core.errors import ParameterError
from hindscale.core.files import atomic_writer
from hindscale.core.units import format_duration, percent
from hindscale.forecasting import build_forecaster
from hindscale.forecasting.evaluation import COVERED, Origins, Score, calibrated, score, walk
from hindscale.traces.types import Trace, UtilizationTrace
from hindscale.vendor import vendored

__all__ = ["DEFAULT_FORECASTERS", "ForecastComparison", "Judged", "compare_forecasters", "write_forecast_page"]

DEFAULT_FORECASTERS = ("seasonal-naive", "last-value", "kalman", "profile", "mixture")
DAY_S = 86400.0
MOST_DRAWN = 4000
BAND = (0.05, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One forecaster: what it is called, its figures, and all it said."""

    name: str
    score: Score
    said: Origins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecastComparison:
    """Forecasters on one recording.

    Attributes:
        trace: Its name.
        start_s: When its first window begins, in seconds since 1970; 0 where nobody knows.
        window_s: Length of a window.
        horizon_windows: Windows ahead that are forecast.
        rates_rps: The recording, one rate a window.
        judged: The forecasters, in the order they were named.
        reference: The seasonal naive forecast that quantile losses are divided by.
    """

    trace: str
    start_s: float
    window_s: float
    horizon_windows: int
    rates_rps: NDArray[np.float64]
    judged: tuple[Judged, ...]
    reference: Score

    @property
    def best(self) -> Judged:
        """The one with the smallest quantile loss."""
        return min(self.judged, key=lambda each: each.score.quantile_loss)

    def relative_loss(self, of: Judged) -> float:
        """Its quantile loss as a share of the seasonal naive forecast's."""
        reference = self.reference.quantile_loss
        return of.score.quantile_loss / reference if reference > 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "trace": self.trace,
            "window_s": self.window_s,
            "horizon_windows": self.horizon_windows,
            "forecasters": [
                {
                    "forecaster": each.name,
                    "origins": each.score.origins,
                    "mase": _plain(each.score.mase),
                    "quantile_loss": _plain(each.score.quantile_loss),
                    "quantile_loss_of_seasonal_naive": _plain(self.relative_loss(each)),
                    "coverage": {f"{level:g}": share for level, share in each.score.coverage.items()},
                }
                for each in self.judged
            ],
        }

    def table(self, *, width: int = 80) -> str:
        """One row a forecaster."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        drawn.add_column("forecaster", overflow="fold", ratio=1)
        for heading in HEADINGS:
            drawn.add_column(heading, justify="right", no_wrap=True)
        for each in self.judged:
            drawn.add_row(each.name, *self.cells(each))
        sink = io.StringIO()
        console = Console(file=sink, width=width, highlight=False)
        console.print(self.headline, soft_wrap=True)
        console.print(drawn)
        return sink.getvalue()

    @property
    def headline(self) -> str:
        """What was forecast."""
        ahead = format_duration(self.horizon_windows * self.window_s)
        return f"{self.trace}: {len(self.rates_rps):,} windows of {format_duration(self.window_s)}, {ahead} ahead"

    def cells(self, each: Judged) -> list[str]:
        """The figures of a row, as `HEADINGS` say."""
        covered = [percent(each.score.coverage[level]) for level in COVERED]
        return [f"{each.score.mase:.3f}", f"{self.relative_loss(each):.3f}", *covered]


HEADINGS = ("MASE", "loss/naive", *(f"in {level:.0%}" for level in COVERED))


def compare_forecasters(
    trace: Trace,
    forecasters: tuple[str, ...] = DEFAULT_FORECASTERS,
    *,
    window_s: float,
    horizon_windows: int,
    season_s: float = DAY_S,
) -> ForecastComparison:
    """Walk a recording with each forecaster; those without quantiles get them by `conformal`.

    Args:
        trace: The recording.
        forecasters: Names, with parameters in parentheses.
        window_s: Length of a window.
        horizon_windows: Windows to forecast.
        season_s: The season of the forecast that all are measured by.

    Raises:
        ParameterError: If the recording is not traffic or too short, or a forecaster is unknown.
    """
    if isinstance(trace, UtilizationTrace):
        raise ParameterError(
            f"{trace.name}: holds utilization, not requests; convert it with"
            " `hindscale traces convert --full-load-rps N`, N the rate at which utilization is 1"
        )
    rates = np.asarray(trace.rates_rps(window_s), np.float64)
    season = max(1, round(season_s / window_s))

    def judged(name: str) -> Judged:
        built = build_forecaster(name, window_s=window_s, start=trace.start)
        forecaster = calibrated(built, horizon_windows=horizon_windows)
        said = walk(rates, forecaster, horizon_windows=horizon_windows, every=_every(len(rates)))
        return Judged(name=name, score=score(rates, said, season_windows=season), said=said)

    found = tuple(judged(name) for name in forecasters)
    return ForecastComparison(
        trace=trace.name,
        start_s=0.0 if trace.start is None else trace.start.timestamp(),
        window_s=window_s,
        horizon_windows=horizon_windows,
        rates_rps=rates,
        judged=found,
        reference=judged(f"seasonal-naive(season_windows={season})").score,
    )


def _every(windows: int) -> int:
    """Windows between two origins: all of them on short recordings, some ten thousand on long ones."""
    return max(1, windows // 15_000)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


# -- the page ----------------------------------------------------------------------------------------


def write_forecast_page(comparison: ForecastComparison, path: str | Path) -> None:
    """Write the table and the best forecaster's picture as one HTML file that needs no network.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_writer(path) as file:
        file.write(forecast_html(comparison).encode())


def forecast_html(comparison: ForecastComparison) -> str:
    """The page as text."""
    headings = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in ("forecaster", *HEADINGS))
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in (each.name, *comparison.cells(each)))}</tr>"
        for each in comparison.judged
    )
    return template("forecast.html").substitute(
        title=html.escape(f"What comes next in {comparison.trace}?"),
        subtitle=html.escape(comparison.headline),
        headings=headings,
        rows=rows,
        data=packed({"start": comparison.start_s, "charts": _charts(comparison)}),
        css=asset("report.css"),
        js=asset("forecast.js"),
        vendor_css=vendored("uPlot.min.css"),
        vendor_js=vendored("uPlot.iife.min.js"),
    )


def _charts(comparison: ForecastComparison) -> list[dict[str, Any]]:
    """The best forecaster, one window ahead and as far ahead as it goes."""
    best, last = comparison.best, comparison.horizon_windows - 1
    return [_chart(comparison, best, step) for step in dict.fromkeys((0, last))]


def _chart(comparison: ForecastComparison, each: Judged, step: int) -> dict[str, Any]:
    """What was said `step` + 1 windows before, at the window it was said of; the end of a long recording."""
    drawn = slice(-MOST_DRAWN, None)
    said = each.said
    ahead = format_duration((step + 1) * comparison.window_s)
    low, high = (said.quantile(level)[drawn, step] for level in BAND)
    time_s = comparison.start_s + (said.windows[drawn].astype(np.float64) + step) * comparison.window_s
    return {
        "title": f"{each.name}, said {ahead} before",
        "time": rounded(time_s, 12),
        "actual": rounded(said.actual_rps[drawn, step]),
        "mean": rounded(said.mean_rps[drawn, step]),
        "low": rounded(low),
        "high": rounded(high),
    }
