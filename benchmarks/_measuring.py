"""How all benchmarks measure, and what they hand to the table."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = [
    "Figure",
    "best_cpu_s",
    "cores",
    "in_fresh_process",
    "machine",
    "median_cpu_s",
    "peak_memory_bytes",
    "wall_s",
]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The figure; NaN where it could not be measured, and the note says why.
        unit: Its unit.
        at_least, at_most: The bar that the project set itself, if there is one.
        note: What a reader must know to read the figure.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def bar(self) -> str:
        """The bar as a text; empty if there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met; None without a bar or a figure."""
        if not self.bar or math.isnan(self.value):
            return None
        return self.value >= (self.at_least or -math.inf) and self.value <= (self.at_most or math.inf)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "value": None if math.isnan(self.value) else float(f"{self.value:.4g}"),
            "unit": self.unit,
            "bar": self.bar,
            "is_met": self.is_met,
            "note": self.note,
        }


def median_cpu_s(actions: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """CPU seconds of each action, the median of rounds in which they take turns.

    Taking turns spreads whatever else the machine does over all of them; the CPU's time leaves out the
    time in which somebody else had the core.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            begin = time.process_time()
            action()
            taken[name].append(time.process_time() - begin)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def best_cpu_s(action: Callable[[], object], *, rounds: int) -> float:
    """CPU seconds of the quickest of several rounds."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        action()
        taken.append(time.process_time() - begin)
    return min(taken)


def wall_s(action: Callable[[], object]) -> float:
    """Seconds on the clock."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def in_fresh_process(module: str, function: str, *arguments: object) -> Any:
    """What a benchmark module's function returns in a process of its own."""
    code = (
        "import importlib, json, sys; sys.path.insert(0, sys.argv[1]);"
        "call = getattr(importlib.import_module(sys.argv[2]), sys.argv[3]);"
        "print(json.dumps(call(*json.loads(sys.argv[4]))))"
    )
    command = [sys.executable, "-c", code, str(HERE), module, function, json.dumps(arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory_bytes() -> int:
    """The most memory that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not `getrusage`: a child inherits its parent's peak there.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, str]:
    """What the figures were measured on: no path, no host name."""
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return {
        "CPU": f"{_cpu_model()}, {cores()} cores used",
        "memory": f"{page * pages / 2**30:.0f} GiB",
        "system": f"{platform.system()}, {platform.machine()}",
        "Python": platform.python_version(),
        **{name: _version(name) for name in ("hindscale", "numpy", "numba", "pyarrow", "simpy")},
        "gcc": _gcc_version(),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _gcc_version() -> str:
    try:
        return subprocess.run(["gcc", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not installed"
