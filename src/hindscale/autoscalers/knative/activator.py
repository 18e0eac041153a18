"""When requests go through activators, how many of these there are, and what they do for a revision of none.

An activator holds requests while there is no pod, or too little room in the pods there are.
"""

from __future__ import annotations

import math

__all__ = ["SCALE_UNKNOWN", "number_of_activators", "serves_directly", "wakes"]

MIN_ACTIVATORS = 2
SCALE_UNKNOWN = -1


def serves_directly(*, want: int, excess_burst_capacity: int, is_inactive: bool = False) -> bool:
    """Whether requests go straight to the pods, and not through activators.

    >>> serves_directly(want=3, excess_burst_capacity=0), serves_directly(want=3, excess_burst_capacity=-1)
    (True, False)
    """
    if want == SCALE_UNKNOWN:
        return excess_burst_capacity >= 0 and not is_inactive
    return want > 0 and excess_burst_capacity >= 0


def number_of_activators(
    ready_pods: int, *, total_value: float, target_burst_capacity: float, activator_capacity: float = 100.0
) -> int:
    """2 without a burst capacity, else max(2, ⌈(ready · total + max(burst capacity, 0)) / activator capacity⌉).

    >>> number_of_activators(3, total_value=100.0, target_burst_capacity=211.0)
    6
    """
    if target_burst_capacity == 0:
        return MIN_ACTIVATORS
    to_cover = ready_pods * total_value + max(target_burst_capacity, 0.0)
    return max(MIN_ACTIVATORS, math.ceil(to_cover / activator_capacity))


def wakes(*, last_desired: int, average_concurrency: float) -> bool:
    """Whether a report of an activator triggers an evaluation at once: requests are held, and nothing is wanted.

    >>> wakes(last_desired=0, average_concurrency=1.0), wakes(last_desired=1, average_concurrency=1.0)
    (True, False)
    """
    return last_desired == 0 and average_concurrency != 0
