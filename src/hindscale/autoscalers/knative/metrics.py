"""What the KPA averages: values of a second, summed over the pods that were seen, in two windows at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hindscale.autoscalers.knative.window import (
    Window,
    is_empty,
    linear_average,
    new_window,
    record,
    weighted_average,
)

__all__ = [
    "BUCKET_S",
    "Algorithm",
    "Collection",
    "concurrency_of",
    "new_collection",
    "panic_window_s",
    "pods_to_sample",
    "record_value",
    "sample_size",
    "stable_and_panic",
    "total_from_sample",
]

Algorithm = Literal["linear", "weighted-exponential"]

BUCKET_S = 1.0
CRITICAL_VALUE_SQUARED = 1.96 * 1.96
MARGIN_OF_ERROR_SQUARED = 5.0 * 5.0
POPULATION_VARIANCE = 100.0
ALL_SAMPLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One metric of one revision, in its stable and its panic window.

    Attributes:
        stable: The long window.
        panic: The short one.
        algorithm: How a window is averaged.
        scraped: Whether pods are asked. With a target burst capacity of -1 they are not: the activator sees
            every request, and no data means no load.
    """

    stable: Window
    panic: Window
    algorithm: Algorithm = "linear"
    scraped: bool = True


def new_collection(
    stable_window_s: float, panic_window_s: float, *, algorithm: Algorithm = "linear", scraped: bool = True
) -> Collection:
    """An empty collection with windows of these lengths in seconds."""
    stable, panic = (new_window(length_s, BUCKET_S) for length_s in (stable_window_s, panic_window_s))
    return Collection(stable=stable, panic=panic, algorithm=algorithm, scraped=scraped)


def panic_window_s(stable_window_s: float, percentage: float) -> float:
    """max(1 s, stable * percentage / 100 rounded to whole seconds), halves up.

    Args:
        stable_window_s: The stable window in seconds.
        percentage: Share of it, 1 to 100.

    Source: `pkg/reconciler/autoscaling/resources/metric.go`.

    >>> panic_window_s(60.0, 10.0), panic_window_s(6.0, 1.0), panic_window_s(65.0, 10.0)
    (6.0, 1.0, 7.0)
    """
    return float(max(1, math.floor(stable_window_s * percentage / 100.0 + 0.5)))


def record_value(collection: Collection, time_s: float, value: float) -> Collection:
    """Add a value of one second to both windows; values of the same second add up."""
    return replace(
        collection, stable=record(collection.stable, time_s, value), panic=record(collection.panic, time_s, value)
    )


def stable_and_panic(collection: Collection, now_s: float) -> tuple[float, float] | None:
    """The averages of both windows; None if there is no data to scale on.

    Only a stable window without any data says "none"; an empty panic window averages to 0.

    Source: `pkg/autoscaler/metrics/collector.go`.

    >>> stable_and_panic(new_collection(60.0, 6.0), 0.0) is None
    True
    >>> stable_and_panic(new_collection(60.0, 6.0, scraped=False), 0.0)
    (0.0, 0.0)
    >>> stable_and_panic(record_value(new_collection(60.0, 6.0), 0.0, 5.0), 0.0)
    (5.0, 5.0)
    """
    if collection.scraped and is_empty(collection.stable, now_s):
        return None
    average = linear_average if collection.algorithm == "linear" else weighted_average
    return average(collection.stable, now_s), average(collection.panic, now_s)


def concurrency_of(average_requests: float, proxied_requests: float = 0.0) -> float:
    """What one report adds: its average concurrency without what activators count themselves.

    The same holds for requests a second.

    >>> concurrency_of(7.0, proxied_requests=3.0)
    4.0
    """
    return average_requests - proxied_requests


def sample_size(pods: int) -> int:
    """How many pods are asked: all of 3 or fewer, else ⌈N x / (N + x - 1)⌉ with x = 1.96² · 100 / 25.

    Source: `pkg/autoscaler/metrics/sample_size.go`.

    >>> [sample_size(pods) for pods in (0, 3, 4, 10, 100, 1000)]
    [0, 3, 4, 7, 14, 16]
    """
    if pods <= ALL_SAMPLED:
        return max(0, pods)
    x = CRITICAL_VALUE_SQUARED * POPULATION_VARIANCE / MARGIN_OF_ERROR_SQUARED
    return math.ceil(pods * x / (pods + x - 1))


def pods_to_sample(ages_s: Sequence[float], stable_window_s: float) -> tuple[int, ...]:
    """Which pods are asked, by position: those as old as the stable window first, then the oldest of the others.

    The original draws at random among the old ones; here they come in the order given.

    >>> pods_to_sample([5.0, 70.0, 30.0, 90.0, 61.0], 60.0)
    (1, 3, 4, 2)
    """
    old = [pod for pod, age_s in enumerate(ages_s) if age_s >= stable_window_s]
    young = sorted((pod for pod, age_s in enumerate(ages_s) if age_s < stable_window_s), key=lambda pod: -ages_s[pod])
    return tuple([*old, *young][: sample_size(len(ages_s))])


def total_from_sample(values: Sequence[float], pods: int) -> float | None:
    """The sample's mean times the number of pods; None, an error of that second, if too few answered.

    Args:
        values: What the pods that answered reported.
        pods: How many pods are ready.

    >>> total_from_sample([4.0, 6.0, 5.0], pods=3), total_from_sample([4.0, 6.0], pods=3)
    (15.0, None)
    """
    needed = sample_size(pods)
    if not needed or len(values) < needed:
        return None
    return sum(values[:needed]) / needed * pods
