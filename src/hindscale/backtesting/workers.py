"""Runs over all cores.

Small comparisons stay in this process: starting another one costs more than they do. Larger ones go to a
pool of processes (loky), which take the whole comparison with them once and then only the numbers of
runs. Results come in the order in which they are finished.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Sequence

from hindscale.backtesting.backtest import Backtest, Outcome, Run
from hindscale.core.checks import require_at_least
from hindscale.core.interrupts import interrupts_deferred

__all__ = ["perform_all", "usable_cores"]

REQUESTS_PER_S = 8e6
TICKS_PER_S = 2.5e4
OPTIMUM_RUNS = 20  # it searches
WORTH_A_POOL_S = 3.0

_work: list[Backtest] = []  # what a worker process works on: one entry, taken in at its start


def perform_all(
    backtest: Backtest, runs: Sequence[Run], *, jobs: int | None = None, with_ticks: bool = False
) -> Generator[Outcome, None, None]:
    """Perform runs and yield each outcome when it is there.

    Args:
        jobs: Processes to use; None for one a core, and none at all where that would take longer.
    """
    if jobs is not None:
        require_at_least(1, jobs=jobs)
    cores = usable_cores()
    if jobs == 1 or (jobs is None and (cores == 1 or estimated_seconds(backtest, runs) < WORTH_A_POOL_S)):
        return (backtest.perform(run, with_ticks=with_ticks) for run in runs)
    return _in_pool(backtest, runs, min(jobs or cores, len(runs)), with_ticks)


def estimated_seconds(backtest: Backtest, runs: Sequence[Run]) -> float:
    """About how long the runs take on one core."""
    total = 0.0
    for run in runs:
        trace, spec = backtest.prepared[backtest.traces[run.trace].name]
        requests = getattr(trace, "total_requests", 0.0)
        ticks = trace.duration_s / backtest.policies[run.entry].interval_s(spec)
        times = OPTIMUM_RUNS if backtest.policies[run.entry].is_optimum else 1
        total += times * (requests / REQUESTS_PER_S + ticks / TICKS_PER_S)
    return total


def _in_pool(backtest: Backtest, runs: Sequence[Run], jobs: int, with_ticks: bool) -> Generator[Outcome, None, None]:
    from concurrent.futures import as_completed

    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=jobs, initializer=_take, initargs=(backtest,))
    try:
        futures = [pool.submit(_perform, run, with_ticks) for run in runs]
        for future in as_completed(futures):
            yield future.result()
    finally:
        # Also when the caller stops early or is interrupted, and is interrupted again: no process is left behind.
        with interrupts_deferred():
            pool.shutdown(wait=True, kill_workers=True)


def _take(backtest: Backtest) -> None:
    # Ctrl-C goes to the whole group; only the caller answers it, and then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work[:] = [backtest]


def _perform(run: Run, with_ticks: bool) -> Outcome:
    return _work[0].perform(run, with_ticks=with_ticks)


def usable_cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
