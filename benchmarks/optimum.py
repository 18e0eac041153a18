"""The bound from below: a week of control intervals of 15 s, up to 500 replicas, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import numpy as np

from _measuring import Figure, in_fresh_process, peak_memory_bytes

__all__ = ["TITLE", "measure"]

TITLE = "The fluid optimum of a week, 40,320 intervals, at most 500 replicas"


def measure(*, quick: bool) -> Iterator[Figure]:
    days = 1 if quick else 7
    seconds, peak = in_fresh_process("optimum", "solve_days", days)
    note = "With --quick one day." if quick else "A daily wave with bursts; one core, the drawing of requests left out."
    yield Figure(name="time", value=seconds, unit="s", at_most=30, note=note)
    yield Figure(name="memory", value=peak / 1e9, unit="GB", at_most=1, note=note)


def solve_days(days: int) -> tuple[float, int]:
    """CPU seconds and peak memory of solving it."""
    from hindscale.simulation.optimum import FluidProblem, solve

    steps = days * 5760
    rng = np.random.default_rng(0)
    bursts = np.where(rng.random(steps // 40 + 1) < 0.1, 2.0, 1.0).repeat(40)[:steps]
    wave = 1 + 0.6 * np.sin(2 * np.pi * np.arange(steps) / 5760)
    arrived = np.cumsum(rng.poisson(12_000 * wave * bursts)).astype(float)
    due = np.interp(np.arange(1, steps + 1) - 2 / 15, np.arange(steps + 1), np.r_[0.0, arrived])
    problem = FluidProblem(
        step_s=15.0, arrived=arrived, due=due, served_per_step=150.0, start_s=30.0,
        missed_at_most=0.01 * arrived[-1], initial_replicas=80.0, min_replicas=1.0, max_replicas=500.0,
    )  # fmt: skip
    begin = process_time()
    solve(problem)
    return process_time() - begin, peak_memory_bytes()
