"""`hindscale what-if`: what would a shorter cold start, more traffic or another replica be worth?"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hindscale.cli.backtest import progress
from hindscale.cli.comparison import Asked, asks_for_comparison
from hindscale.cli.options import option
from hindscale.cli.terminal import require_format, say, terminal_width

if TYPE_CHECKING:
    from hindscale.backtesting.what_if import WhatIf, WhatIfResult

__all__ = ["EXAMPLES", "what_if"]

EXAMPLES = """\b
Examples:
  hindscale what-if chatbot --policy hpa --policy predictive \\
      --if traffic=2x --if cold_start=30s --if price=+20%
  hindscale what-if week.parquet --slo "p99<2s" --out worth \\
      --if "large:slots=8,service_time=400ms,price=3"
"""


@asks_for_comparison
def what_if(
    asked: Asked,
    if_: Annotated[
        list[str] | None,
        option("--if", text="What could be different; repeat for several.", metavar="[NAME:]KEY=VALUE,..."),
    ] = None,
    jobs: Annotated[int | None, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    out: Annotated[Path | None, option(text="Write report and scores here.", metavar="FOLDER")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_WHAT_IF_FORMAT")
    ] = "table",
) -> int:
    """Say what changes of traffic, service or price would be worth in money, and whether another policy wins."""
    from hindscale.backtesting.alternatives import Alternative
    from hindscale.backtesting.what_if import WhatIf
    from hindscale.core.checks import require_at_least
    from hindscale.core.errors import ParameterError

    require_format(format_)
    if jobs is not None:
        require_at_least(1, jobs=jobs)
    texts = if_ or _recorded(asked)
    if not texts:
        raise ParameterError("--if must say what could be different, such as --if traffic=2x, was not given")
    alternatives = tuple(Alternative.parse(text) for text in texts)
    settings, plan = asked.plan()
    result, is_interrupted = _perform(WhatIf(base=plan, alternatives=alternatives), jobs)
    if out is not None:
        _write(out, result, settings)
    if format_ == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(result.table(width=terminal_width()), end="")
    if out is not None:
        say(f"report: {out / 'report.html'}")
    if is_interrupted:
        raise KeyboardInterrupt
    return 0


def _recorded(asked: Asked) -> list[str]:
    """The alternatives of the run that is to be repeated."""
    from hindscale.cli.config import read_config

    recorded = [] if asked.file is None else read_config(asked.file).get("alternatives", [])
    return [str(text) for text in recorded] if isinstance(recorded, list) else []


def _perform(question: WhatIf, jobs: int | None) -> tuple[WhatIfResult, bool]:
    """Run everything, or what there is time for until Ctrl-C; say whether it was cut short."""
    from hindscale.backtesting.what_if import WhatIfResult
    from hindscale.core.interrupts import interrupts_deferred

    outcomes: list[tuple[int, Any]] = []
    is_interrupted = False
    with progress(question.base, question.asked_runs) as done:
        try:
            # closing: whatever goes wrong here, the processes end before anything else happens.
            with closing(question.perform(jobs=jobs)) as performed:
                for number, outcome in performed:
                    with interrupts_deferred():
                        outcomes.append((number, replace(outcome, series=None)))
                    done(outcome)
        except KeyboardInterrupt:
            is_interrupted = True
    return WhatIfResult.of(question, outcomes), is_interrupted


def _write(out: Path, result: WhatIfResult, settings: Any) -> None:
    """The folder: what was asked, what came out, and a page to look at."""
    from hindscale.backtesting.folder import fingerprint, versions, write_json
    from hindscale.cli.config import resolved
    from hindscale.core.files import make_folder

    make_folder(out)
    base = result.question.base
    record = {
        "config": resolved(settings, base),
        "alternatives": [each.text for each in result.question.alternatives],
        "traces": {trace.name: fingerprint(trace) for trace in base.traces},
        "versions": versions(),
    }
    write_json(out / "run.json", record)
    write_json(out / "scores.json", result.to_dict())
    result.write_report(out / "report.html")
