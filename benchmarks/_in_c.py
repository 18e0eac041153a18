"""Scenario B in C: compiles `scenario_b.c` and calls it on NumPy arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from _scenario_b import (
    BOUND_S,
    COLD_START_S,
    INITIAL_REPLICAS,
    INTERVAL_S,
    MAX_REPLICAS,
    POLICY,
    Books,
    Integers,
    Requests,
)
from hindscale.scoring.histogram import BUCKETS

__all__ = ["FLAGS", "compiled", "has_gcc"]

# No contraction: a fused multiply-add would round the policy's arithmetic another way than Python does.
FLAGS = ("-O3", "-march=native", "-ffp-contract=off")
SOURCE = Path(__file__).with_name("scenario_b.c")
ARRIVED, SERVED, MET, LATENCY_US, BILLED_NS, TOTALS = range(6)


class _Scenario(ctypes.Structure):
    _fields_ = (
        ("interval_ns", ctypes.c_int64),
        ("bound_ns", ctypes.c_int64),
        ("cold_start_ns", ctypes.c_int64),
        ("ticks", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("initial_replicas", ctypes.c_int64),
        ("max_replicas", ctypes.c_int64),
        ("target_per_replica", ctypes.c_double),
        ("tolerance", ctypes.c_double),
    )


def has_gcc() -> bool:
    return shutil.which("gcc") is not None


@cache
def compiled(*, heap: bool) -> Callable[[Requests], Books]:
    """The program, with a binary heap or an unordered calendar, as a function of the requests."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "scenario_b.so"
        variant = ("-DHEAP",) if heap else ()
        command = ["gcc", *FLAGS, *variant, "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-lm"]
        subprocess.run(command, check=True)
        simulate = ctypes.CDLL(str(library)).simulate  # stays loaded when its file is gone
    return lambda requests: _run(simulate, requests)


def _run(simulate: Callable[..., int], requests: Requests) -> Books:
    scenario = _Scenario(
        interval_ns=round(INTERVAL_S * 1e9),
        bound_ns=round(BOUND_S * 1e9),
        cold_start_ns=round(COLD_START_S * 1e9),
        ticks=requests.ticks,
        rows=requests.rows,
        initial_replicas=INITIAL_REPLICAS,
        max_replicas=MAX_REPLICAS,
        target_per_replica=POLICY.target_per_replica,
        tolerance=POLICY.tolerance,
    )
    totals = np.zeros(TOTALS, np.int64)
    met_by_tick = np.zeros(requests.ticks, np.int64)
    histogram = np.zeros((requests.rows, BUCKETS), np.int64)
    code = simulate(
        ctypes.byref(scenario),
        _pointer(requests.arrivals_ns),
        _pointer(requests.services_ns),
        ctypes.c_int64(len(requests)),
        _pointer(totals),
        _pointer(met_by_tick),
        _pointer(histogram),
    )
    assert code == 0, "scenario B does not fit into the limits of scenario_b.c"
    return Books(
        served=int(totals[SERVED]),
        met=int(totals[MET]),
        latency_us=int(totals[LATENCY_US]),
        billed_ns=int(totals[BILLED_NS]),
        met_by_tick=met_by_tick,
        histogram=histogram,
    )


def _pointer(array: Integers) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
