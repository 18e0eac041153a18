"""One control tick: what observing, deciding, limiting, acting and logging cost.

A week of ticks with so little traffic that requests do not matter: eight arrive between two ticks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from _measuring import Figure, best_cpu_s
from hindscale.backtesting.backtest import DEFAULT_POLICIES, Backtest, policy_entries
from hindscale.guardrails.stabilization import Stabilization
from hindscale.traces.types import RateTrace

__all__ = ["TITLE", "measure"]

TITLE = "One control tick, by policy, with the stabilization guardrail"
TICKS_A_DAY = 5760
MEAN_RPS = 0.5


def measure(*, quick: bool) -> Iterator[Figure]:
    days = 1 if quick else 7
    wave = 1 + 0.8 * np.sin(2 * np.pi * (np.arange(days * 1440) + 0.5) / 1440)
    trace = RateTrace(name="ticks", window_s=60.0, requests=wave * MEAN_RPS * 60)
    plan = Backtest(traces=(trace,), policies=policy_entries(DEFAULT_POLICIES), guardrails=(Stabilization(),), seeds=1)
    plan.perform(plan.runs[0])  # loads the kernels
    for run in plan.runs:
        seconds = best_cpu_s(partial(plan.perform, run), rounds=2 if quick else 5)
        yield Figure(name=plan.policies[run.entry].label, value=seconds / (days * TICKS_A_DAY) * 1e6, unit="µs")
