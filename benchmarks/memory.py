"""Memory: a hundred million requests through one run, in a process of its own.

Drawn from rates, requests exist for as long as they are needed; a recording has to be in memory. Both
runs are a week long, so that ticks, histogram and log have their usual size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from _measuring import Figure, in_fresh_process, peak_memory_bytes

__all__ = ["TITLE", "measure"]

TITLE = "Memory: 100 M requests through one run"
WEEK_S = 7 * 86400.0
GB = 1e9


def measure(*, quick: bool) -> Iterator[Figure]:
    requests = 1_000_000 if quick else 100_000_000
    for name, function in (("drawn from rates", "peak_of_rates"), ("replayed from a recording", "peak_of_recording")):
        peak = in_fresh_process("memory", function, requests)
        if quick:
            note = "With --quick 1 M requests: mostly the interpreter and its libraries."
            yield Figure(name=name, value=peak / GB, unit="GB", note=note)
        else:
            yield Figure(name=name, value=peak / GB, unit="GB", at_most=2)


def peak_of_rates(requests: int) -> int:
    """Peak memory of a run on counts a minute."""
    from hindscale.traces.types import RateTrace

    minutes = int(WEEK_S / 60)
    wave = 1 + 0.5 * np.sin(2 * np.pi * np.arange(minutes) / 1440)
    return _peak(RateTrace(name="rates", window_s=60.0, requests=wave / wave.sum() * requests))


def peak_of_recording(requests: int) -> int:
    """Peak memory of a run on single arrivals; the array alone takes 8 bytes each."""
    from hindscale.traces.types import RequestTrace

    arrival_s = np.random.default_rng(0).standard_exponential(requests)
    np.cumsum(arrival_s, out=arrival_s)
    arrival_s *= WEEK_S / arrival_s[-1]
    return _peak(RequestTrace(name="recording", arrival_s=arrival_s))


def _peak(trace: object) -> int:
    from hindscale.backtesting.backtest import Backtest, policy_entries

    plan = Backtest(traces=(trace,), policies=policy_entries(("target-tracking",)), seeds=1)
    outcome = plan.perform(plan.runs[0])
    assert outcome.scores.requests > 0
    return peak_memory_bytes()
