"""`hindscale check`: does a service still keep to its budget, after a change of settings or of traffic?"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hindscale.cli.backtest import perform
from hindscale.cli.comparison import Asked, asks_for_comparison, say_assumptions
from hindscale.cli.options import option
from hindscale.cli.terminal import require_format, say, terminal_width

if TYPE_CHECKING:
    from hindscale.backtesting.budget import Judgement

__all__ = ["EXAMPLES", "check"]

FORMATS = ("table", "json", "github", "junit")
EXAMPLES = """\b
Examples:
  hindscale check --write budget.yaml week.parquet --policy hpa:manifest=hpa.yaml
  hindscale check budget.yaml
  hindscale check budget.yaml --format github --out run
  hindscale check budget.yaml next-week.parquet --seeds 10
"""


@asks_for_comparison
def check(
    asked: Asked,
    budget: Annotated[Path, typer.Argument(metavar="BUDGET", help="The budget: YAML, TOML or JSON.")],
    write: Annotated[bool, option("--write", text="Write a first budget from what is measured.")] = False,
    margin: Annotated[float, option(text="What it leaves to spare, as a share.", metavar="X")] = 0.05,
    jobs: Annotated[int | None, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    out: Annotated[Path | None, option(text="Write report, scores and tick log here.", metavar="FOLDER")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="|".join(FORMATS), env="HINDSCALE_CHECK_FORMAT")
    ] = "table",
) -> int:
    """Hold policies to a budget: exit 1 when one costs more or keeps less than was promised.

    Settings come from the budget's file; flags win over it, and describe the comparison for --write.
    """
    from hindscale.core.checks import require_at_least
    from hindscale.core.errors import ParameterError

    require_format(format_, FORMATS)
    if jobs is not None:
        require_at_least(1, jobs=jobs)
    if write:
        return _write(asked, budget, margin, jobs, out)
    if asked.file is not None:
        raise ParameterError("--config belongs to --write: a budget's file names its own run")
    if not budget.is_file():
        way_out = f"write a first one with `hindscale check --write {budget} TRACE --policy NAME`"
        raise ParameterError(f"{budget}: cannot be read: there is no such file; {way_out}")
    judgements, remarks = _judge(asked, budget, jobs, out)
    print(_shown(judgements, remarks, format_, str(budget)), end="")
    return 0 if all(each.is_kept for each in judgements) else 1


def _judge(
    asked: Asked, budget: Path, jobs: int | None, out: Path | None
) -> tuple[tuple[Judgement, ...], tuple[str, ...]]:
    """Run what the file asks for and hold it to its promises; also what has changed since they were made."""
    from hindscale.backtesting.budget import judge, require_fitting
    from hindscale.cli.budget_config import read_budget, with_paths
    from hindscale.core.errors import ParameterError

    flags = with_paths(asked.flags, lambda name: str(Path(name).resolve()))
    folder = None if out is None else out.resolve()
    # In the file's own folder: whatever setting or policy names a file, its path is relative to the budget.
    with contextlib.chdir(budget.parent):
        question = read_budget(Path(budget.name), flags, where=str(budget))
        try:
            require_fitting(question.plan, question.promises, question.baseline)
        except ParameterError as error:
            raise ParameterError(f"{budget}: {error}") from None
        if not question.config.service.model_fields_set:
            say_assumptions(question.plan)
        for remark in question.remarks:
            say(remark)
        result, is_interrupted = perform(question.plan, question.config, folder, jobs)
        if is_interrupted:
            raise KeyboardInterrupt  # what was not measured cannot be judged
        return judge(result, question.promises, baseline=question.baseline), question.remarks


def _shown(judgements: tuple[Judgement, ...], remarks: tuple[str, ...], format_: str, file: str) -> str:
    from hindscale.backtesting import verdicts

    if format_ == "json":
        return verdicts.as_json(judgements, remarks)
    if format_ == "junit":
        return verdicts.as_junit(judgements)
    table = verdicts.as_table(judgements, width=terminal_width())
    return table if format_ == "table" else table + verdicts.as_annotations(judgements, remarks, file=file)


def _write(asked: Asked, budget: Path, margin: float, jobs: int | None, out: Path | None) -> int:
    """Measure, and promise what was measured with something to spare."""
    from hindscale.backtesting.budget import first_promises
    from hindscale.backtesting.verdicts import as_table
    from hindscale.cli.budget_config import YAML
    from hindscale.cli.budget_writing import budget_text
    from hindscale.core.checks import require_nonnegative
    from hindscale.core.errors import ParameterError
    from hindscale.core.files import atomic_writer

    require_nonnegative(margin=margin)
    if budget.suffix not in YAML:
        raise ParameterError(f"{budget}: a budget is written as YAML; name it {budget.stem}.yaml")
    if budget.exists():
        raise ParameterError(f"{budget}: is there already; name another file, or remove this one first")
    config, plan = asked.plan()
    result, is_interrupted = perform(plan, config, out, jobs)
    if is_interrupted:
        raise KeyboardInterrupt
    stated = first_promises(result, margin=margin)
    text = budget_text(result, config, stated, budget, margin=margin)
    with atomic_writer(budget) as file:
        file.write(text.encode())
    print(as_table(stated, width=terminal_width()), end="")
    say(f"budget: {budget}")
    return 0
