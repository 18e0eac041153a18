"""Who performs the runs of a search: this process, a pool of processes, or a Ray cluster.

A run is a pure function of the comparison, the policy's text and the seed, so all three give the same scores. The
comparison goes to each worker once; then only texts and seeds go out, and scores come back.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from hindscale.backtesting.backtest import Backtest, Run, policy_entries
from hindscale.backtesting.workers import usable_cores
from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError
from hindscale.core.interrupts import interrupts_deferred
from hindscale.scoring import Scores

__all__ = ["Executor", "Task", "executor", "on_ray", "perform"]

_plans: list[Backtest] = []  # what a worker process works on: one entry, taken in at its start


class Task(NamedTuple):
    """One run: a policy's text and a seed."""

    entry: str
    seed: int


class Executor(Protocol):
    """Who performs runs, in whatever order suits it."""

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]: ...


def perform(plan: Backtest, task: Task) -> Scores:
    """The scores of one run on a comparison's only trace."""
    entry = policy_entries((task.entry,))[0]
    _, spec = plan.prepared[plan.traces[0].name]
    run = Run(trace=0, entry=0, seed=task.seed)
    return plan.outcome(run, entry.build(spec), interval_s=entry.interval_s(spec)).scores


@contextmanager
def executor(plan: Backtest, *, jobs: int | None = None, ray: bool = False) -> Iterator[Executor]:
    """Workers for the length of the block.

    Args:
        plan: What is run.
        jobs: Processes; None for one a core. One means this process.
        ray: Whether a Ray cluster does it instead: the one that `RAY_ADDRESS` names, or one on this machine.

    Raises:
        ParameterError: If Ray is asked for and not installed.
    """
    if jobs is not None:
        require_at_least(1, jobs=jobs)
    if ray:
        with on_ray(plan) as cluster:
            yield cluster
    elif (jobs or usable_cores()) == 1:
        yield _Here(plan)
    else:
        with _processes(plan, jobs or usable_cores()) as pool:
            yield pool


class _Here:
    """This process."""

    def __init__(self, plan: Backtest) -> None:
        self._plan = plan

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        return ((task, perform(self._plan, task)) for task in tasks)


@contextmanager
def _processes(plan: Backtest, jobs: int) -> Iterator[Executor]:
    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=jobs, initializer=_take, initargs=(plan,))
    try:
        yield _Pool(pool)
    finally:
        # Also when the caller is interrupted, and is interrupted again: no process is left behind.
        with interrupts_deferred():
            pool.shutdown(wait=True, kill_workers=True)


class _Pool:
    """Processes on this machine."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        from concurrent.futures import as_completed

        futures = {self._pool.submit(_perform, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _take(plan: Backtest) -> None:
    # Ctrl-C goes to the whole group; only the caller answers it, and then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _plans[:] = [plan]


def _perform(task: Task) -> Scores:
    return perform(_plans[0], task)


@contextmanager
def on_ray(plan: Backtest) -> Iterator[Executor]:
    """A Ray cluster: the one that is there, or one of this machine's cores.

    Raises:
        ParameterError: If Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ParameterError("--ray needs Ray; install it with: pip install 'hindscale[ray]'") from None
    was_there = ray.is_initialized()
    if not was_there:
        ray.init(log_to_driver=False)
    try:
        yield _Cluster(ray, plan)
    finally:
        if not was_there:
            with interrupts_deferred():
                ray.shutdown()


class _Cluster:
    """Ray's workers; the comparison lies in its object store."""

    def __init__(self, ray: Any, plan: Backtest) -> None:
        self._ray = ray
        self._plan = ray.put(plan)
        self._perform = ray.remote(perform)

    def perform(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        ray = self._ray
        waiting = {self._perform.remote(self._plan, task): task for task in tasks}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done[0]), ray.get(done[0])
