"""Sweeps: one entry that stands for a policy at many settings, and the front of those that nobody dominates."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TypeVar

from hindscale.core.catalog import parse_entry
from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError

__all__ = ["expanded", "pareto_front"]

ItemT = TypeVar("ItemT")
_RANGE = re.compile(r"(?P<first>-?[\d.]+)\.\.(?P<last>-?[\d.]+?)(?P<unit>[a-z]*)(?:/(?P<count>\d+))?")
DEFAULT_COUNT = 5
MOST = 1000


def expanded(text: str) -> tuple[str, ...]:
    """The entries that `name:key=FIRST..LAST/COUNT` stands for: COUNT values at equal distances, ends included.

    Several ranges give every combination. Without a count it is five.

    Raises:
        ParameterError: If a range has less than two values, or there are more than a thousand combinations.

    >>> expanded("predictive:alpha=0.7..0.9/3")
    ('predictive:alpha=0.7', 'predictive:alpha=0.8', 'predictive:alpha=0.9')
    >>> expanded("hpa:target=60..80/2,scale_down_stabilization_s=60..300s/2")[1]
    'hpa:target=60,scale_down_stabilization_s=300s'
    >>> expanded("fixed")
    ('fixed',)
    """
    name, given = parse_entry(text)
    choices = [_values(key, value) for key, value in given.items()]
    combinations = list(itertools.product(*choices))
    if len(combinations) > MOST:
        raise ParameterError(f"a sweep may have at most {MOST:,} combinations, {text!r} has {len(combinations):,}")
    if len(combinations) == 1:
        return (text,)
    return tuple(
        f"{name}:" + ",".join(f"{key}={value}" for key, value in zip(given, values, strict=True))
        for values in combinations
    )


def _values(key: str, text: str) -> tuple[str, ...]:
    found = _RANGE.fullmatch(text)
    if found is None:
        return (text,)
    try:
        first, last = float(found["first"]), float(found["last"])
    except ValueError:
        raise ParameterError(f"{key}: a range must look like 0.7..0.9/5, was {text!r}") from None
    count = int(found["count"] or DEFAULT_COUNT)
    require_at_least(2, **{f"{key}: values in a range": count})
    step = (last - first) / (count - 1)
    return tuple(f"{first + step * index:.6g}{found['unit']}" for index in range(count))


def pareto_front(items: Sequence[ItemT], costs: Sequence[float], attained: Sequence[float]) -> tuple[ItemT, ...]:
    """Those for which no other costs less at the same attainment or attains more at the same cost, cheapest first.

    >>> pareto_front(["a", "b", "c", "d"], costs=[1, 2, 3, 2], attained=[0.8, 0.95, 0.9, 0.9])
    ('a', 'b')
    """
    best = -1.0
    front = []
    for _, share, index in sorted(
        (cost, -share, index) for index, (cost, share) in enumerate(zip(costs, attained, strict=True))
    ):
        if -share > best:
            best = -share
            front.append(items[index])
    return tuple(front)
