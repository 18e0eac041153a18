"""`hindscale forecast`: how well traffic could have been foreseen, as a table and as a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hindscale.cli.options import option
from hindscale.cli.terminal import require_format

__all__ = ["EXAMPLES", "forecast"]

EXAMPLES = """\b
Examples:
  hindscale forecast week.parquet --out forecast.html
  hindscale forecast week.parquet --forecaster profile \\
      --forecaster "mixture(models=last-value;profile)" --window 5min
"""


def forecast(
    file: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace file in any known format.")],
    forecaster: Annotated[
        list[str] | None,
        option(text="One to judge; repeat for several [all that need no extra].", metavar="NAME[(KEY=VALUE,...)]"),
    ] = None,
    window: Annotated[str, option(text="Length of a window.", metavar="TIME")] = "1min",
    horizon: Annotated[int, option(text="Windows to forecast.", metavar="N")] = 15,
    season: Annotated[str, option(text="Season of the naive forecast to compare with.", metavar="TIME")] = "1d",
    from_: Annotated[
        str | None, option("--from", text="Leave out what is before.", metavar="TIME", env="HINDSCALE_FORECAST_FROM")
    ] = None,
    for_: Annotated[
        str | None, option("--for", text="Use this much.", metavar="TIME", env="HINDSCALE_FORECAST_FOR")
    ] = None,
    out: Annotated[Path | None, option(text="Write a page with the picture here.", metavar="FILE.html")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_FORECAST_FORMAT")
    ] = "table",
) -> int:
    """Forecast a recording from one window to the next, and hold the forecasts against what came."""
    from hindscale.backtesting.forecasts import DEFAULT_FORECASTERS, compare_forecasters, write_forecast_page
    from hindscale.core.checks import require_at_least
    from hindscale.core.errors import ParameterError
    from hindscale.core.units import parse_duration
    from hindscale.traces import UtilizationTrace, read_trace

    require_format(format_)
    require_at_least(1, horizon=horizon)
    trace = read_trace(file)
    if isinstance(trace, UtilizationTrace):
        raise ParameterError(f"{file}: holds utilization, not requests; see `hindscale traces convert --full-load-rps`")
    if from_ is not None or for_ is not None:
        from_s = parse_duration(from_ or 0.0, name="--from")
        trace = trace.between(from_s, None if for_ is None else from_s + parse_duration(for_, name="--for"))
    comparison = compare_forecasters(
        trace,
        tuple(forecaster or DEFAULT_FORECASTERS),
        window_s=parse_duration(window, name="--window"),
        horizon_windows=horizon,
        season_s=parse_duration(season, name="--season"),
    )
    print(json.dumps(comparison.to_dict(), indent=2) if format_ == "json" else comparison.table(), end="")
    if out is not None:
        write_forecast_page(comparison, out)
        print(f"page: {out}", file=sys.stderr)
    return 0
