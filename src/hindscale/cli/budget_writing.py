"""A first budget, written from what a comparison measured."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hindscale.backtesting.budget import Judgement
from hindscale.backtesting.promises import SHARE
from hindscale.backtesting.result import BacktestResult
from hindscale.cli.budget_config import entry_with_paths, fingerprints_of, with_paths
from hindscale.cli.config import BacktestConfig, config_from
from hindscale.core.slo import Slo

__all__ = ["budget_text"]

HEAD = """\
# What these policies may cost and must keep. `hindscale check {name}` runs the comparison again and exits 1 when a
# promise is broken. Bounds are what was measured and {margin:.0%} more, or its 95 % interval where that is wider;
# attainment is what the SLO asks. Paths are relative to this file.
"""


def budget_text(
    result: BacktestResult, config: BacktestConfig, stated: Sequence[Judgement], path: Path, *, margin: float
) -> str:
    """The file's text: what is run, what is promised, and what it was stated on.

    Args:
        result: What was measured.
        config: What was asked for; paths in it are relative to the present folder.
        stated: The promises with what was measured.
        path: The file that is to be written.
        margin: What the promises leave to spare, for the comment.
    """
    folder = path.resolve().parent

    def from_folder(name: str) -> str:
        return os.path.relpath(name, folder)

    settings = with_paths(config.model_dump(mode="json", exclude_unset=True), from_folder)
    settings["slo"] = str(result.backtest.slo)
    with contextlib.chdir(folder):
        prints = fingerprints_of(result.backtest, config_from(settings, where=str(path)))
    parts = [HEAD.format(name=path.name, margin=margin), _yaml({"backtest": settings}), "budgets:"]
    one_trace = len(result.backtest.traces) == 1
    for trace, policy in dict.fromkeys((each.trace, each.policy) for each in stated):
        mine = [each for each in stated if (each.trace, each.policy) == (trace, policy)]
        entry = {"policy": entry_with_paths(policy, from_folder)} | ({} if one_trace else {"trace": trace})
        parts += [_measured(mine, result.backtest.slo), _yaml([entry | _sides(mine)])]
    parts.append(_yaml({"fingerprints": prints.model_dump(exclude_defaults=True)}))
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _measured(judgements: Sequence[Judgement], slo: Slo) -> str:
    """A comment with what was measured, and that too little is promised where that is all there is."""
    text = "# measured: " + ", ".join(f"{each.promise.figure} {each.value_text}" for each in judgements)
    attained = [each.promise.bound for each in judgements if each.promise.figure == "slo_attainment"]
    return text + (f"\n# This policy misses {slo}: what is promised is less." if min(attained) < slo.percentile else "")


def _sides(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """The promises as the file states them."""
    sides: dict[str, dict[str, Any]] = {}
    for each in judgements:
        side = each.promise.side.replace(" ", "_")
        sides.setdefault(side, {})[each.promise.figure] = _bound(each)
    return sides


def _bound(judgement: Judgement) -> float | str:
    bound = judgement.promise.bound
    if judgement.promise.unit is SHARE:
        return f"{bound * 100:g}%"
    return int(bound) if bound.is_integer() else bound


def _yaml(values: Any) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
