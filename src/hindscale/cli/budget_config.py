"""A budget's file: what is run, what is promised of it, and what it was stated on.

YAML, TOML or JSON, told apart by the file's name. Every path in it is relative to the file, so that it can be kept
beside the manifests that it is about.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from hindscale.backtesting.backtest import Backtest
from hindscale.backtesting.budget import Baseline
from hindscale.backtesting.folder import fingerprint
from hindscale.backtesting.promises import Promise
from hindscale.cli.comparison import merged
from hindscale.cli.config import BacktestConfig, checked, config_from, read_config, read_text
from hindscale.cli.config_types import Table
from hindscale.core.catalog import parse_entry
from hindscale.core.errors import ParameterError

__all__ = [
    "YAML",
    "BudgetConfig",
    "Fingerprints",
    "Question",
    "entry_with_paths",
    "fingerprints_of",
    "read_budget",
    "with_paths",
]


YAML = (".yaml", ".yml")


class BudgetEntry(Table):
    """Promises about one policy on one trace; about every one where it is not named."""

    policy: str | None = None
    trace: str | None = None
    at_most: dict[str, float | str] = Field(default_factory=dict)
    at_least: dict[str, float | str] = Field(default_factory=dict)

    def promises(self, where: str) -> list[Promise]:
        """The promises that are stated here.

        Raises:
            ParameterError: If one cannot be read.
        """
        found = []
        for side, stated in (("at_most", self.at_most), ("at_least", self.at_least)):
            for name, given in stated.items():
                try:
                    about = {"policy": self.policy, "trace": self.trace}
                    found.append(Promise.parse(name, given, at_least=side == "at_least", **about))
                except ParameterError as error:
                    raise ParameterError(f"{where}.{side}.{error}") from None
        return found


class Fingerprints(Table):
    """SHA-256 of what a budget was stated on: of traffic by the trace's name, of files by their path."""

    traces: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


class BudgetConfig(Table):
    """Everything that a budget's file may say."""

    run: str | None = None
    backtest: BacktestConfig | None = None
    baseline: str | None = None
    budgets: list[BudgetEntry]
    fingerprints: Fingerprints = Fingerprints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be judged, read from a file.

    Attributes:
        config: The comparison's configuration.
        plan: The comparison.
        promises: What is promised.
        baseline: Recorded costs, where the file names a run that has them.
        remarks: What is not as it was when the budget was stated.
    """

    config: BacktestConfig
    plan: Backtest
    promises: tuple[Promise, ...]
    baseline: Baseline = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_budget(path: Path, flags: Mapping[str, Any], *, where: str) -> Question:
    """What a budget's file asks for; call it in the file's own folder, to which its paths are relative.

    Args:
        path: The file.
        flags: Settings that win over the file's, in the shape of a configuration.
        where: What to call the file in messages.

    Raises:
        InputError: If anything does not fit.
    """
    values = _read(path, where)
    budget = checked(BudgetConfig, values, where=where)
    settings, stated = _what_is_run(budget, values, where)
    config = config_from(merged(settings, dict(flags)), where=where)
    plan = config.backtest()
    promises = [
        promise
        for number, entry in enumerate(budget.budgets)
        for promise in entry.promises(f"{where}: budgets.{number}")
    ]
    return Question(
        config=config,
        plan=plan,
        promises=tuple(promises),
        baseline={} if budget.baseline is None else _read_baseline(_file_in(budget.baseline, "scores.json")),
        remarks=tuple(_changes(stated, fingerprints_of(plan, config))),
    )


def _what_is_run(budget: BudgetConfig, values: dict[str, Any], where: str) -> tuple[dict[str, Any], Fingerprints]:
    """The comparison's settings as they stand in the file or in a run, and what they were recorded on."""
    if (budget.run is None) == (budget.backtest is None):
        raise ParameterError(f"{where}: must say what is run: either run, a run.json, or backtest, its settings")
    if budget.run is None:
        return values["backtest"], budget.fingerprints
    recorded = read_config(_file_in(budget.run, "run.json"))
    traces = {**recorded.get("traces", {}), **budget.fingerprints.traces} if "config" in recorded else {}
    return recorded.get("config", recorded), Fingerprints(traces=traces, files=budget.fingerprints.files)


def _read(path: Path, where: str) -> dict[str, Any]:
    if path.suffix not in YAML:
        return read_config(path)
    text = read_text(path)
    try:
        values = yaml.load(text, Loader=_StrictLoader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise ParameterError(f"{where}: expected YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ParameterError(f"{where}: expected a table of settings, was {type(values).__name__}")
    return values


class _StrictLoader(yaml.SafeLoader):
    """YAML in which no key comes twice: of two bounds, the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for (key_node, _), key in zip(node.value, keys, strict=True):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is stated twice", key_node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _file_in(place: str, name: str) -> Path:
    """A file, named itself or by its run's folder."""
    return Path(place) / name if Path(place).is_dir() else Path(place)


def _read_baseline(path: Path) -> Baseline:
    """Recorded costs by trace and policy, then by seed."""
    values = read_config(path)
    try:
        return {
            (trace["trace"], row["policy"]): {int(run["seed"]): float(run["cost"]) for run in row["runs"]}
            for trace in values["traces"]
            for row in trace["policies"]
        }
    except (KeyError, TypeError, ValueError):
        raise ParameterError(
            f"{path}: expected the scores.json of a run, and there are no costs of runs in it"
        ) from None


# -- what the budget was stated on -------------------------------------------------------------------


def fingerprints_of(plan: Backtest, config: BacktestConfig) -> Fingerprints:
    """Of the traffic, and of the files that policies and settings name."""
    settings, files = config.model_dump(mode="json"), dict[str, str]()

    def note(path: str) -> str:
        files[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return path

    with_paths(settings | {"traces": []}, note)
    return Fingerprints(traces={trace.name: fingerprint(trace) for trace in plan.traces}, files=files)


def _changes(stated: Fingerprints, found: Fingerprints) -> list[str]:
    """What is not as it was; what was not recorded is not spoken of."""
    kinds = (("traffic", stated.traces, found.traces), ("file", stated.files, found.files))
    return [
        f"{kind} changed: {name} is not what the budget was stated on; it is judged all the same"
        for kind, before, now in kinds
        for name in now
        if name in before and before[name] != now[name]
    ]


def with_paths(values: Mapping[str, Any], rewrite: Callable[[str], str]) -> dict[str, Any]:
    """The entries of a configuration with each path of a file that is there rewritten."""
    written = dict(values)
    if written.get("traces"):
        written["traces"] = [_rewritten(name, rewrite) for name in written["traces"]]
    if written.get("policies"):
        written["policies"] = [entry_with_paths(text, rewrite) for text in written["policies"]]
    vertical = written.get("vertical")
    if vertical and vertical.get("manifest"):
        written["vertical"] = {**vertical, "manifest": _rewritten(vertical["manifest"], rewrite)}
    return written


def entry_with_paths(text: str, rewrite: Callable[[str], str]) -> str:
    """A policy's entry with the files that its parameters name rewritten; as it is where they name none."""
    name, given = parse_entry(text)
    written = {key: _rewritten(value, rewrite) for key, value in given.items()}
    return text if written == given else f"{name}:" + ",".join(f"{key}={value}" for key, value in written.items())


def _rewritten(text: str, rewrite: Callable[[str], str]) -> str:
    """A value that looks like a path and is one of a file."""
    looks_like_one = "." in text or os.sep in text
    return rewrite(text) if looks_like_one and Path(text).is_file() else text
