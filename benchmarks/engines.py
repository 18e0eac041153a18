"""Scenario B on four implementations: hindscale's two engines, C and SimPy.

All get the same requests and must come to the same books: served, within the bound, latencies, replica
time. The slow ones get the first period of the sine only; a rate does not depend on that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

from _measuring import Figure, median_cpu_s
from _scenario_b import Books, Requests, as_trace, draw_requests, require_equal, run_on, run_simulate
from hindscale.simulation.fast import FastEngine
from hindscale.simulation.readable import ReadableEngine

__all__ = ["TITLE", "measure"]

TITLE = "Scenario B: 64 replicas at most, the same requests for all"
MILLION = 1e6
Run = Callable[[Requests], Books]


def measure(*, quick: bool) -> Iterator[Figure]:
    many, few = (500_000, 20_000) if quick else (4_000_000, 200_000)
    requests = draw_requests(many)
    quick_ones, slow_ones = _implementations()
    require_equal({name: run(requests.first(few)) for name, run in (quick_ones | slow_ones).items()})
    trace = as_trace(requests)
    require_equal({name: run(requests) for name, run in quick_ones.items()} | {"simulate": run_simulate(trace)})

    actions = {name: partial(run, requests) for name, run in quick_ones.items()}
    taken = median_cpu_s(actions | {"simulate": partial(run_simulate, trace)}, rounds=3 if quick else 9)
    rates = {name: many / seconds for name, seconds in taken.items()}
    slow = {name: partial(run, requests.first(few)) for name, run in slow_ones.items()}
    rates |= {name: few / seconds for name, seconds in median_cpu_s(slow, rounds=1 if quick else 3).items()}
    yield from _figures(rates)


def _implementations() -> tuple[dict[str, Run], dict[str, Run]]:
    """Those for millions of requests, and those for thousands."""
    quick_ones: dict[str, Run] = {"fast": lambda requests: run_on(FastEngine, requests)[0]}
    slow_ones: dict[str, Run] = {"readable": lambda requests: run_on(ReadableEngine, requests)[0]}
    import _in_c

    if _in_c.has_gcc():
        quick_ones |= {"calendar": _in_c.compiled(heap=False), "heap": _in_c.compiled(heap=True)}
    if find_spec("simpy"):
        import _in_simpy

        slow_ones |= {"processes": _in_simpy.run_with_processes, "callbacks": _in_simpy.run_with_callbacks}
    return quick_ones, slow_ones


def _figures(rates: dict[str, float]) -> Iterator[Figure]:
    fast = rates["fast"]
    yield Figure(
        name="fast engine, with fleet, loop and policy",
        value=fast / MILLION,
        unit="M requests/s",
        at_least=10,
        note="One core; requests drawn beforehand, as for all others here.",
    )
    yield Figure(
        name="`simulate` of the recorded requests",
        value=rates["simulate"] / MILLION,
        unit="M requests/s",
        note="The same run with all that a backtest does besides: reading the trace, tick log, record.",
    )
    yield Figure(name="readable engine", value=rates["readable"] / MILLION, unit="M requests/s")
    if "heap" in rates:
        best = max(rates["heap"], rates["calendar"])
        yield Figure(name="C, unordered calendar", value=rates["calendar"] / MILLION, unit="M requests/s")
        yield Figure(name="C, binary heap", value=rates["heap"] / MILLION, unit="M requests/s")
        yield Figure(
            name="fast engine, share of the better C",
            value=fast / best,
            unit="",
            at_least=0.6,
            note="C has this one scenario compiled in, and its control loop costs nothing.",
        )
    else:
        yield Figure(name="C", value=math.nan, unit="", note="gcc is not installed: no C to compare with.")
    if "processes" in rates:
        yield Figure(name="SimPy, a process and a Resource", value=rates["processes"] / MILLION, unit="M requests/s")
        yield Figure(name="SimPy, callbacks only", value=rates["callbacks"] / MILLION, unit="M requests/s")
        yield Figure(
            name="fast engine, times SimPy",
            value=fast / rates["processes"],
            unit="×",
            at_least=100,
            note="SimPy as its documentation writes a model, with a process for each request.",
        )
        yield Figure(
            name="fast engine, times SimPy with callbacks only",
            value=fast / rates["callbacks"],
            unit="×",
            note="The leanest way to use SimPy that was found, with queues of our own.",
        )
    else:
        yield Figure(name="SimPy", value=math.nan, unit="", note="simpy is not installed: nothing to compare with.")
