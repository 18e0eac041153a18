"""The dynamic program of `simulation.schedule`, compiled. All arrays are the caller's.

Steps t, choices i of replicas, levels k of backlog. `value[i, k]` is the least cost up to the end of a step
that ends with choice i and backlog level k.
"""

from __future__ import annotations

import numpy as np

from hindscale.simulation._jit import inline, kernel

__all__ = ["least_values"]


@inline
def move(value, before, now, start_s, moved, source):
    """Change the number of replicas: starting some costs, stopping is free."""
    width, depth = moved.shape
    for k in range(depth):
        best, at, j = np.inf, 0, width - 1
        for i in range(width - 1, -1, -1):  # from as many or more
            while j >= 0 and before[j] >= now[i]:
                if value[j, k] < best:
                    best, at = value[j, k], j
                j -= 1
            moved[i, k], source[i, k] = best, at
        best, at, j = np.inf, 0, 0
        for i in range(width):  # from fewer
            while j < width and before[j] <= now[i]:
                if value[j, k] - start_s * before[j] < best:
                    best, at = value[j, k] - start_s * before[j], j
                j += 1
            if best + start_s * now[i] < moved[i, k]:
                moved[i, k], source[i, k] = best + start_s * now[i], at


@inline
def serve(arrived, due, gone, begin, parts, served, backlog):
    """Work through a step in order of arrival; returns the backlog it leaves and the requests newly missed.

    Those that nobody waits for any more leave without being served.
    """
    done = (arrived[begin - 1] if begin else 0.0) - backlog
    judged = due[begin - 1] if begin else 0.0
    missed = 0.0
    for part in range(begin, begin + parts):
        done = min(arrived[part], done + served)
        missed += max(due[part] - max(done, judged), 0.0)
        judged = due[part]
        done = max(done, gone[part])
    return arrived[begin + parts - 1] - done, missed


@inline
def level_of(levels, backlog, rounding):
    """The level that stands for a backlog: the one below, or with a rounding of 1/2 the nearest."""
    k = 0
    while k + 1 < len(levels) and backlog >= levels[k] + (levels[k + 1] - levels[k]) * (1 - rounding):
        k += 1
    return k


@kernel
def least_values(
    arrived, due, gone, served, choices, levels, rounding, step_s, start_s, price, value, moved, source, back
):  # fmt: skip
    """Fill `value` with the costs at the end, and `back`, unless it is empty, with where each state came from.

    On entry `moved` holds what it costs to begin with each choice.
    """
    steps, width = choices.shape
    depth = levels.shape[1]
    parts = len(arrived) // steps
    for t in range(steps):
        if t:
            move(value, choices[t - 1], choices[t], start_s, moved, source)
        value[:] = np.inf
        for i in range(width):
            for k in range(depth):
                if moved[i, k] == np.inf:
                    continue
                backlog = levels[t - 1, k] if t else 0.0
                left, missed = serve(arrived, due, gone, t * parts, parts, served[choices[t, i]], backlog)
                j = level_of(levels[t], left, rounding)
                cost = moved[i, k] + step_s * choices[t, i] + price * missed
                if cost < value[i, j]:
                    value[i, j] = cost
                    if len(back):
                        back[t, i, j] = source[i, k] * depth + k
