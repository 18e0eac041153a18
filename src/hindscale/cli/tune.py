"""`hindscale tune`: find the cheapest parameters that keep the SLO, and judge them where they were not found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

from hindscale.cli.comparison import Asked, Texts, asks_for_comparison
from hindscale.cli.options import option
from hindscale.cli.terminal import progress_bar, require_format, say, terminal_width

__all__ = ["EXAMPLES", "tune"]

FORMATS = ("table", "json", "policy")
EXAMPLES = """\b
Examples:
  hindscale tune chatbot --days 4 --policy hpa --policy predictive
  hindscale tune week.parquet --policy hpa --slo "p99<2s@99%" \\
      --tune target=50..90 --tune scale_down_stabilization_s --out tuned
  hindscale backtest week.parquet --policy hpa \\
      --policy "$(hindscale tune week.parquet --policy hpa --format policy)"
"""


@asks_for_comparison
def tune(
    asked: Asked,
    tune_: Annotated[
        Texts,
        option(
            "--tune", text="Vary this alone; repeat for several [all that a policy declares].", metavar="KEY[=A..B]"
        ),
    ] = None,
    train: Annotated[
        str | None, option(text="Tune on this much, judge on the rest [0.6].", metavar="SHARE|TIME")
    ] = None,
    trials: Annotated[int | None, option(text="Settings to try of each policy [40].", metavar="N")] = None,
    reserve: Annotated[
        float | None, option(text="Share of the error budget to leave in training [0.5].", metavar="X")
    ] = None,
    optimum: Annotated[
        bool | None, option("--optimum/--no-optimum", text="Find what perfect foresight would have done, too [yes].")
    ] = None,
    jobs: Annotated[int | None, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    ray: Annotated[bool, option("--ray", text="Run the trials on a Ray cluster (extra: ray).")] = False,
    out: Annotated[
        Path | None, option(text="Write results and journal here; go on from what is there.", metavar="FOLDER")
    ] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json|policy", env="HINDSCALE_TUNE_FORMAT")
    ] = "table",
) -> int:
    """Find the cheapest parameters that keep the SLO, judged on traffic that they were not found on."""
    from hindscale.core.errors import ParameterError

    require_format(format_, FORMATS)
    config, plan = asked.plan()
    if "policies" not in config.model_fields_set:
        raise ParameterError("name at least one policy to tune, such as --policy hpa")
    given = {"tune": tune_, "train": train, "trials": trials, "reserve": reserve, "optimum": optimum}
    options = _options(asked.file, given)
    result = _perform(plan, config, options, out=out, jobs=jobs, ray=ray)
    _print(result, format_)
    if out is not None:
        say(f"results: {out / 'tuned.json'}")
    if result.is_interrupted:
        raise KeyboardInterrupt
    return 0 if format_ != "policy" or result.best is not None else 1


def _options(file: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """What was asked of tuning: flags, over the file of an earlier tuning, over defaults."""
    from hindscale.backtesting.tuning.search import DEFAULT_RESERVE, DEFAULT_TRIALS
    from hindscale.backtesting.tuning.tuning import DEFAULT_TRAIN
    from hindscale.cli.config import read_config
    from hindscale.core.errors import ParameterError, did_you_mean

    defaults = {
        "tune": [],
        "train": str(DEFAULT_TRAIN),
        "trials": DEFAULT_TRIALS,
        "reserve": DEFAULT_RESERVE,
        "optimum": True,
    }
    before = {} if file is None else read_config(file).get("tuning", {})
    for key in before:
        if key not in defaults:
            raise ParameterError(f"{file}: tuning.{key} is not a setting; {did_you_mean(key, defaults)}")
    return {**defaults, **before, **{key: value for key, value in given.items() if value is not None}}


def _perform(plan: Any, config: Any, options: dict[str, Any], *, out: Path | None, jobs: int | None, ray: bool) -> Any:
    """Tune, keeping runs and results in the folder, if there is one."""
    from hindscale.backtesting.tuning import open_journal, tune
    from hindscale.backtesting.tuning.folder import JOURNAL, journal_key, write_tuning
    from hindscale.backtesting.tuning.space import parse_ranges
    from hindscale.backtesting.tuning.split import Split, parse_train
    from hindscale.cli.config import resolved
    from hindscale.core.files import make_folder

    values, train = resolved(config, plan), parse_train(options["train"])
    ranges = parse_ranges(options["tune"], [entry.name for entry in plan.policies])
    journal: Any = nullcontext()
    if out is not None:
        key = journal_key(plan, values, Split.of(plan, train).train_s)
        journal = open_journal(make_folder(out) / JOURNAL, key=key)
    with journal as kept, _progress(options["trials"]) as on_trial:
        if kept is not None and kept.known_runs:
            say(f"going on from {kept.known_runs} runs in {out}")
        result = tune(
            plan,
            train=train,
            trials=options["trials"],
            reserve=options["reserve"],
            ranges=ranges,
            with_optimum=options["optimum"],
            jobs=jobs,
            ray=ray,
            journal=kept,
            on_trial=on_trial,
        )
    if out is not None:
        write_tuning(out, result, values, options)
    return result


def _print(result: Any, format_: str) -> None:
    if format_ == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    elif format_ == "table":
        print(result.table(width=terminal_width()), end="")
    elif result.best is not None:
        print(result.best)
    else:
        for each in result.policies:
            say(each.verdict())


@contextmanager
def _progress(trials: int) -> Iterator[Callable[[str, Any, Any], None]]:
    """A progress bar on a terminal, the best so far beside it."""
    from hindscale.core.units import format_amount, percent

    with progress_bar() as progress:
        if progress is None:
            yield lambda *_: None
            return
        tasks: dict[str, Any] = {}

        def on_trial(policy: str, _: Any, best: Any) -> None:
            if policy not in tasks:
                tasks[policy] = progress.add_task(policy, total=trials)
            share, cost = percent(best.mean("slo_attainment")), format_amount(best.mean("cost"))
            progress.update(tasks[policy], advance=1, description=f"{policy}: {share} for {cost}")

        yield on_trial
