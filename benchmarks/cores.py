"""Two cores: the same independent runs with one process and with two.

The clock counts here, start of the processes included; what that start costs is also given by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from _measuring import Figure, cores, wall_s
from hindscale.backtesting.backtest import Backtest, policy_entries
from hindscale.backtesting.workers import perform_all
from hindscale.traces.types import RateTrace

__all__ = ["TITLE", "measure"]

TITLE = "Two cores: independent runs with `perform_all`"


def measure(*, quick: bool) -> Iterator[Figure]:
    if cores() < 2:
        yield Figure(name="two processes, times one", value=math.nan, unit="×", note="There is one core only.")
        return
    tiny = _plan(hours=0.1, seeds=2)
    _perform(tiny, jobs=1)  # loads the kernels, which a comparison in one process does not wait for again
    yield Figure(
        name="start of two processes, to the end of two tiny runs",
        value=min(wall_s(partial(_perform, tiny, jobs=2)) for _ in range(1 if quick else 5)),
        unit="s",
    )
    if quick:
        yield Figure(name="two processes, times one", value=math.nan, unit="×", note="Too long for --quick.")
        return
    plan = _plan(hours=72, seeds=16)
    alone, together = [], []
    for _ in range(2):
        alone.append(wall_s(partial(_perform, plan, jobs=1)))
        together.append(wall_s(partial(_perform, plan, jobs=2)))
    yield Figure(
        name="two processes, times one",
        value=min(alone) / min(together),
        unit="×",
        at_least=1.8,
        note=f"{len(plan.runs)} equal runs, {min(alone):.3g} s with one process, {min(together):.3g} s with two.",
    )


def _plan(*, hours: float, seeds: int) -> Backtest:
    """Runs of about 100 requests a second."""
    minutes = round(hours * 60)
    rates = 6000 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(minutes) / 1440))
    trace = RateTrace(name="cores", window_s=60.0, requests=rates)
    return Backtest(traces=(trace,), policies=policy_entries(("target-tracking",)), seeds=seeds)


def _perform(plan: Backtest, *, jobs: int) -> None:
    outcomes = list(perform_all(plan, plan.runs, jobs=jobs))
    assert len(outcomes) == len(plan.runs)
