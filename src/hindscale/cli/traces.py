"""`hindscale traces`: describe, convert and generate recorded and synthetic traffic."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hindscale.cli.options import option

if TYPE_CHECKING:
    from hindscale.traces import Trace

__all__ = ["app"]

app = typer.Typer(help="Describe, convert and generate traffic.", no_args_is_help=True, rich_markup_mode=None)

Sort = Annotated[bool, option("--sort", text="Put requests in order of arrival.")]
FillOption = Annotated[str | None, option(text="What stands in for missing windows.", metavar="zero|interpolate")]


@app.command()
def describe(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Trace files in any known format.")],
    sort: Sort = False,
    fill: FillOption = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_TRACES_DESCRIBE_FORMAT")
    ] = "table",
) -> int:
    """Say what traces look like: rates, bursts, daily and weekly rhythm.

    Example: hindscale traces describe week.parquet access.log.gz
    """
    from dataclasses import asdict

    from hindscale.traces import describe as figures_of
    from hindscale.traces.reading import recognise
    from hindscale.traces.source import TraceSource

    described = {}
    for file in files:
        figures = figures_of(_read(file, sort, fill))
        described[str(file)] = {"format": recognise(TraceSource.open(file)).name, **asdict(figures)}
    if format_ == "json":
        print(json.dumps(described, indent=2, default=dict).replace("NaN", "null"))
        return 0
    for name, values in described.items():
        _print_figures(name, values)
    return 0


def _print_figures(name: str, values: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    from hindscale.core.units import format_duration

    table = Table(title=name, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    window = format_duration(float(str(values["window_s"])))
    unit = "" if values["kind"] == "utilization" else "/s"
    rows = {
        "format": values["format"],
        "kind": f"{values['kind']} in windows of {window}",
        "duration": format_duration(float(str(values["duration_s"]))),
        "requests": _number(values["requests"], ",.0f"),
        "mean": _number(values["mean"], ".4g") + unit,
        "peak": f"{_number(values['peak'], '.4g')}{unit}, {_number(values['peak_to_mean'], '.3g')} times the mean",
        "variation": f"cv {_number(values['cv'], '.2f')}",
        "dispersion": f"{_number(values['dispersion'], '.3g')} (of a steady Poisson process: 1)",
        "empty windows": _number(values["empty"], ".1%"),
        "day, week": f"correlation {_number(values['day'], '.2f')}, {_number(values['week'], '.2f')}",
    }
    further = values["further"]
    rows |= dict(further) if isinstance(further, dict) else {}
    for label, value in rows.items():
        table.add_row(label, str(value))
    Console(highlight=False).print(table)


def _number(value: object, spec: str) -> str:
    number = float(str(value))
    return "-" if math.isnan(number) else format(number, spec)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A trace in any known format.")],
    target: Annotated[Path, typer.Argument(help="The file to write: .parquet, .csv or .csv.gz.")],
    window: Annotated[str | None, option(text="Write rates in windows of this length.", metavar="TIME")] = None,
    full_load_rps: Annotated[
        float | None, option(text="Turn utilization into rates: the requests/s at which it is 1.", metavar="X")
    ] = None,
    from_: Annotated[
        str | None,
        option("--from", text="Leave out what is before.", metavar="TIME", env="HINDSCALE_TRACES_CONVERT_FROM"),
    ] = None,
    for_: Annotated[
        str | None, option("--for", text="Use this much.", metavar="TIME", env="HINDSCALE_TRACES_CONVERT_FOR")
    ] = None,
    scale: Annotated[float, option(text="Multiply the traffic.", metavar="X")] = 1.0,
    sort: Sort = False,
    fill: FillOption = None,
) -> int:
    """Write a trace in hindscale's columns.

    Example: hindscale traces convert access.log.gz week.parquet --window 1min
    """
    from hindscale.core.errors import ParameterError
    from hindscale.core.units import parse_duration
    from hindscale.traces import UtilizationTrace, write_trace

    trace = _read(source, sort, fill)
    if isinstance(trace, UtilizationTrace):
        if full_load_rps is None:
            raise ParameterError(f"{source}: holds utilization; give --full-load-rps, the rate at which it is 1")
        trace = trace.to_rates(full_load_rps)
    elif full_load_rps is not None:
        raise ParameterError(f"{source}: holds {type(trace).__name__}, not utilization; leave out --full-load-rps")
    if from_ is not None or for_ is not None:
        from_s = parse_duration(from_ or 0.0, name="--from")
        trace = trace.between(from_s, None if for_ is None else from_s + parse_duration(for_, name="--for"))
    if scale != 1.0:
        trace = trace.scaled(scale)
    if window is not None:
        window_s = parse_duration(window, name="--window")
        trace = trace.to_rates(window_s)
    write_trace(trace, target)
    print(f"{target}: {trace.total_requests:,.0f} requests in {trace.duration_s:,.0f} s", file=sys.stderr)
    return 0


@app.command()
def generate(
    application: Annotated[str, typer.Argument(help="Name of an application; see `hindscale applications`.")],
    target: Annotated[Path, typer.Argument(help="The file to write: .parquet, .csv or .csv.gz.")],
    days: Annotated[float, option(text="Length.", metavar="X")] = 7.0,
    seed: Annotated[int, option(text="Another seed, another history.", metavar="N")] = 0,
    mean_rate: Annotated[
        float | None, option(text="Mean requests per second [the application's].", metavar="X")
    ] = None,
) -> int:
    """Write synthetic traffic of an application: requests a minute, from a Monday on.

    Example: hindscale traces generate chatbot chatbot.parquet --days 14
    """
    from hindscale.traces import application as application_named
    from hindscale.traces import write_trace

    trace = application_named(application).generate(days=days, seed=seed, mean_rate_rps=mean_rate)
    write_trace(trace, target)
    print(f"{target}: {trace.total_requests:,.0f} requests in {trace.duration_s:,.0f} s", file=sys.stderr)
    return 0


@app.command()
def formats() -> int:
    """List the formats that traces are read in.

    Example: hindscale traces formats
    """
    from hindscale.traces.formats import known_formats

    width = max(len(each.name) for each in known_formats())
    for each in known_formats():
        print(f"{each.name:<{width}}  {each.expects}")
    return 0


def _read(file: Path, sort: bool, fill: str | None) -> Trace:
    from hindscale.traces import read_trace
    from hindscale.traces.windows import as_fill

    return read_trace(file, sort=sort, fill=as_fill(fill))
