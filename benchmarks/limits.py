"""Scenario B with everything that can go wrong for a request: time-outs, failures, bounded queues.

Once with room enough, so that the limits are there and seldom bite; and once with too few replicas for
the peak, where requests wait at the gateway, time out and are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from _measuring import Figure, median_cpu_s
from _scenario_b import MAX_REPLICAS, PROFILE, Books, Integers, Requests, draw_requests, require_equal, run_on
from hindscale.simulation.contract import Engine, EngineConfig, Total
from hindscale.simulation.fast import FastEngine
from hindscale.simulation.readable import ReadableEngine

__all__ = ["TITLE", "measure"]

TITLE = "Scenario B with time-outs, failures and bounded queues"
LIMITED = replace(
    PROFILE,
    queue_timeout_s=2.0,
    mean_time_to_failure_s=6 * 3600.0,
    replica_queue_limit=4,
    gateway_queue_limit=200,
)
TOO_FEW = 22
LOST = (Total.DROPPED, Total.TIMED_OUT, Total.FAILED)
MILLION = 1e6
MakeEngine = Callable[[EngineConfig], Engine]


def measure(*, quick: bool) -> Iterator[Figure]:
    requests = draw_requests(500_000 if quick else 4_000_000)
    few = requests.first(10_000 if quick else 200_000)
    for replicas, name in ((MAX_REPLICAS, "room enough"), (TOO_FEW, f"{TOO_FEW} replicas at most")):
        _require_agreement(few, replicas)
        run = partial(_run, FastEngine, requests, replicas)
        _, counts = run()
        seconds = median_cpu_s({"fast": run}, rounds=3 if quick else 9)["fast"]
        yield Figure(
            name=f"fast engine, {name}",
            value=len(requests) / seconds / MILLION,
            unit="M requests/s",
            at_least=4,
            note=f"With {name}: {_lost(counts, len(requests))}.",
        )


def _run(make_engine: MakeEngine, requests: Requests, replicas: int) -> tuple[Books, Integers]:
    return run_on(make_engine, requests, profile=LIMITED, max_replicas=replicas)


def _require_agreement(requests: Requests, replicas: int) -> None:
    """Both engines come to the same books and count the same of everything."""
    fast, readable = _run(FastEngine, requests, replicas), _run(ReadableEngine, requests, replicas)
    require_equal({"fast": fast[0], "readable": readable[0]})
    assert np.array_equal(fast[1], readable[1]), "the engines count differently"


def _lost(counts: Integers, requests: int) -> str:
    """What became of the requests that were not served, as shares."""
    return ", ".join(f"{counts[total] / requests:.3%} {total.name.lower().replace('_', ' ')}" for total in LOST)
