"""`hindscale backtest`: replay traffic through policies, see cost against SLO."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["backtest"]

_EXAMPLE = """
Examples:

  hindscale backtest chatbot --out chatbot-run

  hindscale backtest week.parquet --slo "p99<2s" --slots 8 --service-time 1.5s --cold-start 2min \\
      --policy target-tracking --policy predictive:forecaster=seasonal-naive --out run
"""


def backtest(
    traces: Annotated[
        list[str] | None,
        typer.Argument(metavar="TRACE...", help="Trace files in any known format, or names of applications."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]", help="A policy to compare; repeat for several. See `hindscale policies`."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter for every policy here that has it."),
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...]",
            help="A guardrail besides the bounds; `none` for none. See `hindscale guardrails`.",
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="APPLICATION", help="Take the replica from this application.")
    ] = None,
    slo: Annotated[str | None, typer.Option(help="What users are promised, such as 'p99<2s'.")] = None,
    slots: Annotated[int | None, typer.Option(help="Requests a replica serves at once.")] = None,
    service_time: Annotated[
        str | None, typer.Option(help="Mean time in service, such as 400ms; lognormal with --service-cv.")
    ] = None,
    service_cv: Annotated[
        float | None, typer.Option(help="Coefficient of variation of the service time; 0 is constant.")
    ] = None,
    cold_start: Annotated[
        str | None, typer.Option(help="Mean cold start, such as 90s; lognormal with --cold-start-cv.")
    ] = None,
    cold_start_cv: Annotated[float | None, typer.Option(help="Coefficient of variation of the cold start.")] = None,
    price: Annotated[float | None, typer.Option(help="Price of a replica per hour.")] = None,
    interval: Annotated[str | None, typer.Option(help="Time between two decisions [default: 15s].")] = None,
    min_replicas: Annotated[int | None, typer.Option(help="The fleet never goes below [default: 1].")] = None,
    max_replicas: Annotated[
        int | None, typer.Option(help="The fleet never goes above [default: twice what the peak needs].")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each policy on each trace [default: 3].")] = None,
    seed: Annotated[int | None, typer.Option(help="The first seed [default: 0].")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Leave out the trace before this time.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="Use this much of the trace.")] = None,
    scale: Annotated[float | None, typer.Option(help="Multiply the traffic.")] = None,
    sort: Annotated[
        bool | None, typer.Option("--sort", help="Put requests in order of arrival.", show_default=False)
    ] = None,
    fill: Annotated[
        str | None, typer.Option(metavar="zero|interpolate", help="What stands in for missing windows.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="Length of an application's traffic in days [default: 1].")] = None,
    warm_up: Annotated[str | None, typer.Option(help="Run this long before scores count.")] = None,
    lag: Annotated[str | None, typer.Option(help="Age of measurements when a policy sees them.")] = None,
    scrape_interval: Annotated[str | None, typer.Option(help="Time between two readings of the metrics.")] = None,
    burstiness: Annotated[
        float | None, typer.Option(help="Gamma-modulate rates with this coefficient of variation.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="fast|readable", help="Which engine to simulate with [default: fast].")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Processes [default: one a core].")] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings in TOML, or the run.json of an earlier run; flags win."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write report, scores, tick log and configuration here.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", metavar="table|json", help="What to print.")] = "table",
) -> int:
    """Replay traffic through scaling policies and compare cost against SLO."""
    from hindscale.core.errors import ParameterError

    if format_ not in ("table", "json"):
        raise ParameterError(f"--format must be table or json, was {format_!r}")
    flags: dict[str, Any] = {
        "traces": traces or None,
        "policies": policy or None,
        "set": _pairs(set_),
        "guardrails": guardrail or None,
        "slo": slo,
        "control_interval_s": interval,
        "min_replicas": min_replicas,
        "max_replicas": max_replicas,
        "seeds": seeds,
        "first_seed": seed,
        "warm_up_s": warm_up,
        "engine": engine,
        "service": {
            "base": service,
            "slots": slots,
            "service_time": _distribution(service_time, service_cv, "--service-time"),
            "cold_start": _distribution(cold_start, cold_start_cv, "--cold-start"),
            "price_per_replica_hour": price,
        },
        "reading": {
            "from_s": from_,
            "for_s": for_,
            "scale": scale,
            "sort": sort or None,
            "fill": fill,
            "days": days,
            "ignore_recorded_service": True if service_time is not None else None,
        },
        "monitoring": {"lag_s": lag, "scrape_interval_s": scrape_interval},
        "arrivals": {"burstiness": burstiness},
    }
    return _run(flags, config, out, format_, jobs)


backtest.__doc__ = (backtest.__doc__ or "") + "\n\n" + "\b" + _EXAMPLE


def _pairs(texts: list[str] | None) -> dict[str, str] | None:
    from hindscale.core.errors import ParameterError

    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--set must be key=value, was {text!r}")
        pairs[key.strip()] = value.strip()
    return pairs or None


def _distribution(mean: str | None, cv: float | None, flag: str) -> object:
    """A constant, or a lognormal when a coefficient of variation is given."""
    from hindscale.core.errors import ParameterError

    if mean is None:
        if cv is not None:
            raise ParameterError(f"{flag}-cv needs {flag}".replace("--service-time-cv", "--service-cv"))
        return None
    return mean if not cv else {"kind": "lognormal", "mean_s": mean, "cv": cv}


def _run(flags: dict[str, Any], config: Path | None, out: Path | None, format_: str, jobs: int | None) -> int:
    from hindscale.backtesting.folder import fingerprint
    from hindscale.cli.config import config_from, read_config
    from hindscale.core.checks import require_at_least
    from hindscale.core.errors import ParameterError

    if jobs is not None:
        require_at_least(1, jobs=jobs)
    file = {} if config is None else read_config(config)
    settings = config_from(_merged(file.get("config", file), flags), where=str(config or "command line"))
    plan = settings.backtest()
    for trace in plan.traces:
        expected = file.get("traces", {}).get(trace.name) if "config" in file else None
        if expected is not None and expected != fingerprint(trace) and not flags["traces"]:
            raise ParameterError(f"{config}: trace {trace.name} is not the one that the run was made from")
    if not flags["service"]["base"] and settings.slo is None:
        _say(f"assuming {plan.service.name}: {plan.service.slots} slots, service time {plan.service.service_time},"
             f" cold start {plan.service.cold_start}, SLO {plan.slo}")  # fmt: skip
    result, is_interrupted = _perform(plan, settings, out, jobs)
    if format_ == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(result.table(width=_terminal_width()), end="")
    if out is not None:
        _say(f"report: {out / 'report.html'}")
    if is_interrupted:
        raise KeyboardInterrupt
    return 0


def _perform(plan: Any, settings: Any, out: Path | None, jobs: int | None) -> tuple[Any, bool]:
    """Run everything, or what there is time for until Ctrl-C; write the folder; say whether it was cut short."""
    from contextlib import ExitStack, closing

    from hindscale.backtesting.folder import tick_writer, write_result
    from hindscale.backtesting.result import BacktestResult
    from hindscale.backtesting.workers import perform_all
    from hindscale.cli.config import resolved
    from hindscale.core.files import make_folder

    outcomes: list[Any] = []
    is_interrupted = False
    with ExitStack() as stack:
        ticks = None if out is None else stack.enter_context(tick_writer(plan, make_folder(out) / "ticks.parquet"))
        done = stack.enter_context(_progress(plan))
        try:
            # closing: whatever goes wrong here, the processes end before anything else happens.
            with closing(perform_all(plan, plan.runs, jobs=jobs, with_ticks=ticks is not None)) as performed:
                for outcome in performed:
                    if ticks is not None:
                        ticks.add(outcome)
                    outcomes.append(replace(outcome, ticks=None))
                    done(outcome)
        except KeyboardInterrupt:
            is_interrupted = True
    result = BacktestResult.of(plan, outcomes)
    if out is not None:
        write_result(out, result, resolved(settings, plan))
    return result, is_interrupted


@contextmanager
def _progress(plan: Any) -> Iterator[Callable[[Any], None]]:
    """A progress bar on a terminal; the latest result beside it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hindscale.core.units import percent

    console = Console(stderr=True)
    columns = (BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=len(plan.runs))

        def done(outcome: Any) -> None:
            label = plan.policies[outcome.run.entry].label
            scores = outcome.scores
            progress.update(
                task, advance=1, description=f"{label}: {percent(scores.slo_attainment)} for {scores.cost:,.2f}"
            )

        yield done


def _merged(file: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """The file's settings with those flags on top that were given."""
    merged = dict(file)
    for key, value in flags.items():
        if isinstance(value, dict) and key != "set":
            given = {name: each for name, each in value.items() if each is not None}
            if given:
                merged[key] = {**merged.get(key, {}), **given}
        elif value is not None:
            merged[key] = value
    return merged


def _terminal_width() -> int:
    import shutil

    return max(80, min(shutil.get_terminal_size((80, 24)).columns, 140))


def _say(message: str) -> None:
    print(message, file=sys.stderr)
