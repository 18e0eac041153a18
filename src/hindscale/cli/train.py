"""`hindscale train`: learn a scaling policy from traffic, and say what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hindscale.cli.extras import TRAIN, require_extra
from hindscale.cli.options import option
from hindscale.cli.terminal import progress_bar, say

if TYPE_CHECKING:
    from hindscale.backtesting.backtest import Backtest

__all__ = ["EXAMPLES", "train"]

EXAMPLES = """\b
Examples:
  hindscale train week.parquet -o policy.safetensors --report training.html
  hindscale backtest nextweek.parquet --policy dqn=policy.safetensors
"""

Text = str | None
Count = int | None
Number = float | None


def train(
    traces: Annotated[list[str], typer.Argument(metavar="TRACE...", help="Trace files, or names of applications.")],
    output: Annotated[Path, option("--output", "-o", text="File for the trained network.", metavar="FILE")],
    report: Annotated[Path | None, option(text="Write a page about the training here.", metavar="FILE")] = None,
    service: Annotated[
        list[str] | None,
        option(text="Take the replica from this application; repeat for a family.", metavar="APPLICATION"),
    ] = None,
    slo: Annotated[Text, option(text="What users are promised.", metavar="'p99<2s'")] = None,
    slots: Annotated[Count, option(text="Requests a replica serves at once.", metavar="N")] = None,
    service_time: Annotated[Text, option(text="Time in service.", metavar="TIME")] = None,
    cold_start: Annotated[Text, option(text="Cold start.", metavar="TIME")] = None,
    interval: Annotated[Text, option(text="Time between two decisions [15s].", metavar="TIME")] = None,
    max_replicas: Annotated[
        Count, option(text="The fleet never goes above [twice the peak's need].", metavar="N")
    ] = None,
    from_: Annotated[
        Text, option("--from", text="Leave out the trace before.", metavar="TIME", env="HINDSCALE_TRAIN_FROM")
    ] = None,
    for_: Annotated[
        Text, option("--for", text="Use this much of the trace.", metavar="TIME", env="HINDSCALE_TRAIN_FOR")
    ] = None,
    days: Annotated[Number, option(text="Length of an application's traffic [7].", metavar="X")] = None,
    config: Annotated[
        Path | None, option(text="Settings in TOML, as for a backtest; flags win.", metavar="FILE")
    ] = None,
    steps: Annotated[Count, option(text="Environment steps for each seed [256000].", metavar="N")] = None,
    episode: Annotated[Count, option(text="Control intervals in an episode [240].", metavar="N")] = None,
    churn: Annotated[
        Number, option(text="Weight of a change of size, in replica intervals [0.05].", metavar="X")
    ] = None,
    most_caution: Annotated[Number, option(text="Largest weight of a missed request [1000].", metavar="X")] = None,
    seeds: Annotated[int, option(text="Networks to train; the best is kept.", metavar="N")] = 2,
    seed: Annotated[int, option(text="The first seed.", metavar="N")] = 0,
    hold_out: Annotated[float, option(text="Share of each trace, at its end, to judge on.", metavar="X")] = 0.25,
    start: Annotated[Path | None, option(text="Go on from this network (fine-tune).", metavar="FILE")] = None,
    resume: Annotated[bool, option("--resume", text="Go on from the checkpoints beside the output.")] = False,
    jobs: Annotated[Count, option("--jobs", "-j", text="Seeds at a time [one a core].", metavar="N")] = None,
) -> int:
    """Train a DQN on traffic and judge it on the part that it never saw."""
    require_extra("train", TRAIN, what="training")
    from hindscale.core.checks import require_at_least, require_count, require_share
    from hindscale.core.errors import ParameterError

    require_at_least(1, seeds=seeds)
    require_count(seed=seed)
    require_share(hold_out=hold_out)
    flags = {
        "slo": slo,
        "control_interval_s": interval,
        "max_replicas": max_replicas,
        "service": {"slots": slots, "service_time": service_time, "cold_start": cold_start},
        "reading": {"from_s": from_, "for_s": for_, "days": days},
    }
    plans = _plans(traces, service, config, flags)
    settings = _settings(steps=steps, episode_steps=episode, churn=churn, most_caution=most_caution)
    from hindscale.cli._judging import judged, written_report
    from hindscale.cli._training import trained

    with _progress(settings.rounds * seeds) as on_round:
        outcome = trained(
            plans,
            settings,
            output,
            seeds=tuple(range(seed, seed + seeds)),
            hold_out=hold_out,
            start=start,
            resume=resume,
            jobs=jobs,
            on_round=on_round,
        )
    say(outcome.in_words())
    comparison = None
    try:
        comparison = judged(outcome, jobs=jobs) if hold_out else None
    except ParameterError as error:  # the network is there all the same
        say(f"not compared with others: {error}")
    if comparison is not None:
        print(comparison.table(), end="")
    if report is not None:
        written_report(report, outcome, comparison)
        say(f"report: {report}")
    return 0


def _plans(
    traces: Sequence[str], services: Sequence[str] | None, config: Path | None, flags: dict[str, Any]
) -> list[Backtest]:
    """What is learned from: the traces, once for each service of the family."""
    from hindscale.cli.config import config_from, read_config

    file = {} if config is None else read_config(config)
    base = file.get("config", file) | {"traces": list(traces), "policies": ["target-tracking"]}
    base["reading"] = {"days": 7.0} | base.get("reading", {})
    plans = []
    for name in services or [""]:
        values = base | {
            key: value for key, value in flags.items() if value is not None and not isinstance(value, dict)
        }
        for table in ("service", "reading"):
            given = {key: value for key, value in flags[table].items() if value is not None}
            values[table] = base.get(table, {}) | given
        if name:
            values["service"] = values["service"] | {"base": name}
        plans.append(config_from(values, where=str(config or "command line")).backtest())
    return plans


def _settings(**given: Any) -> Any:
    from hindscale.training.dqn import DqnSettings

    return DqnSettings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def _progress(rounds: int) -> Iterator[Callable[[Any], None]]:
    """A progress bar on a terminal; the latest validation reward beside it."""
    with progress_bar() as progress:
        if progress is None:
            yield lambda _: None
            return
        task = progress.add_task("compiling", total=rounds)
        yield lambda run: progress.update(
            task, advance=1, description=f"seed {run.seed}: validation reward {run.curve[-1]:.3f}"
        )
