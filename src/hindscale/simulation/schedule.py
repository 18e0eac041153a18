"""Whole replicas and a real queue: the cheapest schedule by dynamic programming.

The linear program of `simulation.optimum` lets replicas come in fractions, and requests that missed the SLO vanish.
Here replicas are whole, and requests are served in the order in which they came, late ones too:

    backlog(t) = A(t) - B(t),   B(t) = min(A(t), B(t - part) + c · n)       served by t, in order, or given up
    missed(t)  = those that arrived before t - L, are not served by t, and were not missed before

    minimise   Σ step · n + start · (n - n before)⁺ + price · missed        over whole n, one a step

A step is cut into parts, in which n stays as it is and the queue is looked at. The state is n and the backlog, the
latter on a grid of levels that follows the traffic. Two uses:

* **A bound.** Whatever is forgiven, M: for each price the least cost minus price · M is below what any schedule pays
  that misses at most M (Lagrangian duality); the best price gives the bound. A backlog is rounded down, which only
  helps. Real replicas become ready within a step, and finish what they have within another: a start is charged a step
  less, and no more than another one for the end.
* **A schedule.** A backlog is rounded to the nearest level, replicas are taken to serve a little less than they can,
  since requests that come at random need room, and the choices are the numbers near the load.

Source: capacity provisioning with switching costs as in Lin, Wierman, Andrew and Thereska, "Dynamic right-sizing for
power-proportional data centers" (INFOCOM 2011); room in proportion to √n from Halfin and Whitt, "Heavy-traffic limits
for queues with many exponential servers" (1981).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_at_least, require_nonnegative, require_positive
from hindscale.simulation._schedule_kernel import least_values

__all__ = ["QueueProblem", "cheapest_schedule", "least_cost_s"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
EXACT_UP_TO = 64  # replicas; with more, half a replica is less than a percent
CHOICES = 32
BOUND_LEVELS = np.r_[np.linspace(0, 1, 9), 1.25, 1.5, 2, 2.5, 3.2, 4, 5, 6.5, 8, 10, 13, 17, 22, 30, 40]
SCHEDULE_LEVELS = np.r_[0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4.5, 7, 10, 15, 22, 33]
PRICE_STEPS = 12
PRICES = (0.1, 100.0)
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueProblem:
    """What the dynamic program is made of.

    Attributes:
        step_s: Seconds between two decisions; > 0.
        parts: Parts of a step; >= 1.
        arrived: Requests that have arrived by the end of each part, shape (T · parts,), not falling.
        due: Requests that arrived an SLO's bound before it, shape (T · parts,).
        gone: Requests that arrived so long before it that nobody waits any more, shape (T · parts,).
        served_per_part: c > 0, requests that one replica can serve in a part.
        start_s: Replica seconds paid for a start; >= 0.
        initial_replicas: Ready when the run begins.
        min_replicas, max_replicas: Bounds of n.
        longest_service_s: The longest that a replica may work on what it has when it is stopped.
    """

    step_s: float
    parts: int
    arrived: Floats
    due: Floats
    gone: Floats
    served_per_part: float
    start_s: float
    initial_replicas: int
    min_replicas: int
    max_replicas: int
    longest_service_s: float = 0.0

    def __post_init__(self) -> None:
        require_positive(step_s=self.step_s, served_per_part=self.served_per_part)
        require_nonnegative(start_s=self.start_s)
        require_at_least(1, parts=self.parts)

    @property
    def load(self) -> Floats:
        """Replicas that each step's arrivals keep busy, shape (T,)."""
        arrived = np.diff(self.arrived[self.parts - 1 :: self.parts], prepend=0.0)
        return arrived / (self.served_per_part * self.parts)

    @property
    def replica_s_per_request(self) -> float:
        """Replica seconds that a request takes."""
        return self.step_s / self.parts / self.served_per_part

    @property
    def most_useful(self) -> int:
        """Replicas that serve the busiest part at once: more are never needed but to work off what was missed."""
        busiest = float(np.diff(self.arrived, prepend=0.0).max()) / self.served_per_part
        return int(max(min(np.ceil(busiest) + 1, self.max_replicas), self.min_replicas, 1))


def least_cost_s(problem: QueueProblem, *, missed_at_most: float) -> float | None:
    """Replica seconds that no schedule of whole replicas goes below; None for fleets too large to look at each.

    Args:
        missed_at_most: Requests that may be missed; >= 0.
    """
    top = problem.most_useful
    if top > EXACT_UP_TO:
        return None
    served = problem.served_per_part * np.arange(top + 1.0)
    if top < problem.max_replicas:
        served[top] = np.inf  # stands for all larger ones
    choices = np.tile(np.arange(problem.min_replicas, top + 1), (len(problem.load), 1))
    uncounted_s = problem.step_s + min(problem.longest_service_s, problem.step_s)
    start_s = max(problem.start_s - uncounted_s, 0.0)

    def dual(price: float) -> float:
        values, _ = _solve(problem, served, choices, BOUND_LEVELS, rounding=0.0, start_s=start_s, price=price)
        return float(values.min()) - price * missed_at_most

    low, high = np.log(np.array(PRICES) * problem.replica_s_per_request)
    return _largest(lambda price: dual(float(np.exp(price))), float(low), float(high))


def cheapest_schedule(problem: QueueProblem, *, price: float, spare: float) -> Integers:
    """Whole replicas for each step, shape (T,), whose backlog and misses cost least.

    Args:
        price: Replica seconds that a missed request is worth; > 0.
        spare: Of n replicas about spare · √n do not count as serving: n counts as n · exp(-spare / √n).
    """
    require_positive(price=price)
    choices = _near_the_load(problem, spare)
    counts = np.arange(choices.max() + 1.0)
    served = problem.served_per_part * counts * np.exp(-spare / np.sqrt(np.maximum(counts, 1.0)))
    values, back = _solve(
        problem, served, choices, SCHEDULE_LEVELS, rounding=0.5, start_s=problem.start_s, price=price, track=True
    )
    depth = len(SCHEDULE_LEVELS)
    state = int(values.argmin())
    schedule = np.empty(len(choices), np.int64)
    for step in range(len(choices) - 1, -1, -1):
        schedule[step] = choices[step, state // depth]
        state = int(back[step].flat[state])
    return schedule


def _solve(
    problem: QueueProblem,
    served: Floats,
    choices: Integers,
    levels: Floats,
    *,
    rounding: float,
    start_s: float,
    price: float,
    track: bool = False,
) -> tuple[Floats, NDArray[np.uint16]]:
    """Least costs by last choice and level, shape (choices, levels), and where each state came from."""
    (steps, width), depth = choices.shape, len(levels)
    back = np.zeros((steps if track else 0, width, depth), np.uint16)
    value, moved = np.empty((width, depth)), np.full((width, depth), np.inf)
    moved[:, 0] = start_s * np.maximum(choices[0] - problem.initial_replicas, 0)
    source = np.zeros((width, depth), np.int64)
    grid = _allowed_backlog(problem)[:, None] * levels
    least_values(
        problem.arrived, problem.due, problem.gone, served, choices, grid, rounding, problem.step_s, start_s, price,
        value, moved, source, back,
    )  # fmt: skip
    return value, back


def _allowed_backlog(problem: QueueProblem) -> Floats:
    """Requests that may wait at the end of each step, the most of some steps around it; at least one."""
    waiting = (problem.arrived - problem.due)[problem.parts - 1 :: problem.parts]
    return np.maximum(_around(waiting, 4, np.maximum), 1.0)


def _near_the_load(problem: QueueProblem, spare: float) -> Integers:
    """The numbers of replicas that are considered in each step, rising, shape (T, CHOICES).

    From what the least load around needs to what the largest does: a dip shorter than a start is bridged.
    """
    load = problem.load
    reach = 2 * int(np.ceil(problem.start_s / problem.step_s)) + 2
    low, high = _around(load, reach, np.minimum), _around(load, reach, np.maximum)
    bounds = (problem.min_replicas, problem.max_replicas)
    first = np.clip(np.floor(0.8 * low - 1), *bounds)
    last = np.clip(np.ceil(1.15 * high + spare * np.sqrt(high + 1) + 2), *bounds)
    first = np.clip(np.minimum(first, last - CHOICES + 1), *bounds)  # where there is room, down to the bounds
    last = np.clip(np.maximum(last, first + CHOICES - 1), *bounds)
    share = np.linspace(0.0, 1.0, CHOICES)
    choices: Integers = np.rint(first[:, None] + (last - first)[:, None] * share).astype(np.int64)
    return choices


def _around(values: Floats, reach: int, choose: np.ufunc) -> Floats:
    """The largest or smallest of the values up to `reach` before and after each."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    found: Floats = choose.reduce(windows, axis=1)
    return found


def _largest(function: Callable[[float], float], low: float, high: float) -> float:
    """The largest value of a function with a single peak, by golden section."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    best = max(at_left, at_right)
    for _ in range(PRICE_STEPS - 2):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
        best = max(best, at_left, at_right)
    return best
