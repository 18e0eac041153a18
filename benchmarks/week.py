"""A whole comparison: a week of per-minute traffic through five policies with five seeds.

All that the command line does between reading the trace and printing: arrivals and service times are
drawn, runs are simulated and scored, results gathered and the table made.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from _measuring import Figure, cores, wall_s
from hindscale.backtesting import DEFAULT_POLICIES, Backtest, BacktestResult
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.workers import perform_all
from hindscale.guardrails.stabilization import Stabilization
from hindscale.traces.types import RateTrace

__all__ = ["TITLE", "measure"]

TITLE = "A week at 50 requests/s, decisions every 15 s, 5 policies × 5 seeds"
MEAN_RPS = 50.0


def measure(*, quick: bool) -> Iterator[Figure]:
    days, seeds = (0.25, 1) if quick else (7, 5)
    plan = _plan(days=days, seeds=seeds)
    requests = plan.traces[0].total_requests * len(plan.runs)
    jobs = min(2, cores())
    taken_s = wall_s(partial(_compare, plan, jobs=jobs))
    name = f"the whole comparison, {jobs} processes"
    if quick:
        yield Figure(name=name, value=taken_s, unit="s", note="With --quick a quarter of a day, with one seed.")
    else:
        note = f"{requests / 1e6:.0f} M requests and {len(plan.runs) * 40_320:,} decisions in all."
        yield Figure(name=name, value=taken_s, unit="s", at_most=60, note=note)
    yield Figure(name="requests by the clock", value=requests / taken_s / 1e6, unit="M requests/s")


def _plan(*, days: float, seeds: int) -> Backtest:
    wave = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(round(days * 1440)) + 0.5) / 1440)
    trace = RateTrace(name="week", window_s=60.0, requests=wave / wave.mean() * MEAN_RPS * 60)
    return Backtest(
        traces=(trace,), policies=policy_entries(DEFAULT_POLICIES), guardrails=(Stabilization(),), seeds=seeds
    )


def _compare(plan: Backtest, *, jobs: int) -> None:
    result = BacktestResult.of(plan, perform_all(plan, plan.runs, jobs=jobs))
    assert result.is_complete
    assert result.table()
