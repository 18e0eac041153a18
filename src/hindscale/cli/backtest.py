"""`hindscale backtest`: replay traffic through policies, see cost against SLO."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hindscale.cli.options import option

if TYPE_CHECKING:
    from hindscale.core.service import ServiceProfile

__all__ = ["EXAMPLES", "backtest"]

EXAMPLES = """\b
Examples:
  hindscale backtest chatbot --out chatbot-run
  hindscale backtest week.parquet --slo "p99<2s" --slots 8 \\
      --service-time 1.5s --cold-start 2min --out week-run \\
      --policy target-tracking --policy predictive:alpha=0.7
"""

Texts = list[str] | None
Text = str | None
Number = float | None
Count = int | None
ENTRY = "NAME[:KEY=VALUE,...]"


def backtest(
    traces: Annotated[Texts, typer.Argument(metavar="TRACE...", help="Trace files, or names of applications.")] = None,
    policy: Annotated[
        Texts, option(text="A policy to compare; repeat for several. A value A..B/N stands for N.", metavar=ENTRY)
    ] = None,
    set_: Annotated[
        Texts,
        option(
            "--set",
            text="A parameter for every policy that has it.",
            metavar="KEY=VALUE",
            env="HINDSCALE_BACKTEST_SET",
        ),
    ] = None,
    guardrail: Annotated[Texts, option(text="A guardrail besides the bounds; none for none.", metavar=ENTRY)] = None,
    service: Annotated[Text, option(text="Take the replica from this application.", metavar="APPLICATION")] = None,
    slo: Annotated[Text, option(text="What users are promised.", metavar="'p99<2s'")] = None,
    slots: Annotated[Count, option(text="Requests a replica serves at once.", metavar="N")] = None,
    service_time: Annotated[Text, option(text="Mean time in service.", metavar="TIME")] = None,
    service_cv: Annotated[Number, option(text="Its coefficient of variation [0: constant].", metavar="X")] = None,
    cold_start: Annotated[Text, option(text="Mean cold start.", metavar="TIME")] = None,
    cold_start_cv: Annotated[Number, option(text="Its coefficient of variation [0: constant].", metavar="X")] = None,
    queue_timeout: Annotated[Text, option(text="Requests give up waiting after.", metavar="TIME")] = None,
    price: Annotated[Number, option(text="Price of a replica per hour.", metavar="X")] = None,
    interval: Annotated[Text, option(text="Time between two decisions [15s].", metavar="TIME")] = None,
    min_replicas: Annotated[Count, option(text="The fleet never goes below [1].", metavar="N")] = None,
    max_replicas: Annotated[Count, option(text="Nor above [twice what the peak needs].", metavar="N")] = None,
    seeds: Annotated[Count, option(text="Runs of each policy on each trace [3].", metavar="N")] = None,
    seed: Annotated[Count, option(text="The first seed [0].", metavar="N")] = None,
    from_: Annotated[
        Text,
        option("--from", text="Leave out the trace before.", metavar="TIME", env="HINDSCALE_BACKTEST_FROM"),
    ] = None,
    for_: Annotated[
        Text,
        option("--for", text="Use this much of the trace.", metavar="TIME", env="HINDSCALE_BACKTEST_FOR"),
    ] = None,
    scale: Annotated[Number, option(text="Multiply the traffic.", metavar="X")] = None,
    sort: Annotated[bool | None, option("--sort", text="Put requests in order of arrival.")] = None,
    fill: Annotated[Text, option(text="What stands in for missing windows.", metavar="zero|interpolate")] = None,
    days: Annotated[Number, option(text="Length of an application's traffic [1].", metavar="X")] = None,
    warm_up: Annotated[Text, option(text="Run this long before scores count.", metavar="TIME")] = None,
    lag: Annotated[Text, option(text="Age of measurements when they are seen.", metavar="TIME")] = None,
    scrape_interval: Annotated[Text, option(text="Time between two measurements.", metavar="TIME")] = None,
    burstiness: Annotated[Number, option(text="Gamma-modulate rates with this cv.", metavar="X")] = None,
    engine: Annotated[Text, option(text="Engine to simulate with [fast].", metavar="fast|readable")] = None,
    jobs: Annotated[Count, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    config: Annotated[
        Path | None, option(text="Settings in TOML, or the run.json of a run; flags win.", metavar="FILE")
    ] = None,
    out: Annotated[Path | None, option(text="Write report, scores and tick log here.", metavar="FOLDER")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_BACKTEST_FORMAT")
    ] = "table",
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
            "queue_timeout_s": queue_timeout,
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
        is_other = flags["traces"] or any(value is not None for value in flags["reading"].values())
        if expected is not None and expected != fingerprint(trace) and not is_other:
            raise ParameterError(f"{config}: trace {trace.name} is not the one that the run was made from")
    if not flags["service"]["base"]:
        _say(f"assuming {_in_words(plan.service)}, SLO {plan.slo}")
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


def _in_words(service: ServiceProfile) -> str:
    from hindscale.core.units import format_duration

    patience = service.queue_timeout_s
    return (
        f"{service.name}: {service.slots} slots, service time {service.service_time}, cold start {service.cold_start}"
        + (f", requests give up after {format_duration(patience)}" if patience is not None else "")
    )


def _perform(plan: Any, settings: Any, out: Path | None, jobs: int | None) -> tuple[Any, bool]:
    """Run everything, or what there is time for until Ctrl-C; write the folder; say whether it was cut short."""
    from contextlib import ExitStack, closing

    from hindscale.backtesting.folder import tick_writer, write_result
    from hindscale.backtesting.result import BacktestResult
    from hindscale.backtesting.workers import perform_all
    from hindscale.cli.config import resolved
    from hindscale.core.files import make_folder
    from hindscale.core.interrupts import interrupts_deferred

    outcomes: list[Any] = []
    is_interrupted = False
    with ExitStack() as stack:
        ticks = None if out is None else stack.enter_context(tick_writer(plan, make_folder(out) / "ticks.parquet"))
        done = stack.enter_context(_progress(plan))
        try:
            # closing: whatever goes wrong here, the processes end before anything else happens.
            with closing(perform_all(plan, plan.runs, jobs=jobs, with_ticks=ticks is not None)) as performed:
                for outcome in performed:
                    with interrupts_deferred():
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
                # Another service altogether takes nothing from the one in the file.
                before = {} if "base" in given else merged.get(key, {})
                merged[key] = {**before, **given}
        elif value is not None:
            merged[key] = value
    return merged


def _terminal_width() -> int:
    import shutil

    return max(80, min(shutil.get_terminal_size((80, 24)).columns, 140))


def _say(message: str) -> None:
    print(message, file=sys.stderr)
