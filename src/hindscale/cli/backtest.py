"""`hindscale backtest`: replay traffic through policies, see cost against SLO."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from hindscale.cli.comparison import Asked, asks_for_comparison
from hindscale.cli.options import option
from hindscale.cli.terminal import progress_bar, require_format, say, terminal_width

__all__ = ["EXAMPLES", "backtest", "perform", "progress"]

EXAMPLES = """\b
Examples:
  hindscale backtest chatbot --out chatbot-run
  hindscale backtest week.parquet --slo "p99<2s" --slots 8 \\
      --service-time 1.5s --cold-start 2min --out week-run \\
      --policy target-tracking --policy predictive:alpha=0.7
"""


@asks_for_comparison
def backtest(
    asked: Asked,
    jobs: Annotated[int | None, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    out: Annotated[Path | None, option(text="Write report, scores and tick log here.", metavar="FOLDER")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_BACKTEST_FORMAT")
    ] = "table",
) -> int:
    """Replay traffic through scaling policies and compare cost against SLO."""
    from hindscale.core.checks import require_at_least

    require_format(format_)
    if jobs is not None:
        require_at_least(1, jobs=jobs)
    settings, plan = asked.plan()
    result, is_interrupted = perform(plan, settings, out, jobs)
    if format_ == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(result.table(width=terminal_width()), end="")
    if out is not None:
        say(f"report: {out / 'report.html'}")
    if is_interrupted:
        raise KeyboardInterrupt
    return 0


def perform(plan: Any, settings: Any, out: Path | None, jobs: int | None) -> tuple[Any, bool]:
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
        done = stack.enter_context(progress(plan))
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
def progress(plan: Any, total: int | None = None) -> Iterator[Callable[[Any], None]]:
    """A progress bar on a terminal; the latest result beside it. `total` runs, if not those of the plan alone."""
    from hindscale.core.units import percent

    with progress_bar() as bar:
        if bar is None:
            yield lambda _: None
            return
        task = bar.add_task("starting", total=len(plan.runs) if total is None else total)

        def done(outcome: Any) -> None:
            label = plan.policies[outcome.run.entry].label
            scores = outcome.scores
            bar.update(task, advance=1, description=f"{label}: {percent(scores.slo_attainment)} for {scores.cost:,.2f}")

        yield done
