"""Start-up: what one waits for before anything is computed, each time in a new process.

The best of several starts: whatever else the machine does only ever adds to them. Kernels come from
Numba's cache on disk, except where the figure says that there is none yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping

from _measuring import Figure

__all__ = ["TITLE", "measure"]

TITLE = "Start-up, from the start of the process"
COMMAND = ["backtest", "chatbot", "--seeds", "1", "--policy", "target-tracking", "--for", "6h"]
EVERY_NAME = "import hindscale; [getattr(hindscale, name) for name in hindscale.__all__]"
# Runs the command, and writes the time of the first outcome to stderr in the clock that processes share.
FIRST_OUTCOME = """
import sys, time
from hindscale.backtesting.backtest import Backtest
from hindscale.cli.main import main
perform = Backtest.perform
def hooked(*given, **more):
    outcome = perform(*given, **more)
    print("first", time.monotonic(), file=sys.stderr)
    return outcome
Backtest.perform = hooked
sys.exit(main(sys.argv[1:]))
"""


def measure(*, quick: bool) -> Iterator[Figure]:
    starts = 1 if quick else 9
    _backtest_s()  # kernels and files are in their caches from here on
    empty = min(_python_s("pass") for _ in range(starts))
    yield Figure(
        name="`import hindscale`",
        value=min(_python_s("import hindscale") for _ in range(starts)),
        unit="s",
        at_most=0.2,
        note=f"Of it, {empty:.3f} s for the interpreter itself.",
    )
    every = min(_python_s(EVERY_NAME) for _ in range(starts))
    yield Figure(name="the same, and every public name used", value=every, unit="s")

    first, end = (min(seconds) for seconds in zip(*(_backtest_s() for _ in range(starts)), strict=True))
    note = f"`hindscale {' '.join(COMMAND)}`"
    yield Figure(name="`hindscale backtest`, to its first outcome", value=first, unit="s", at_most=1, note=note)
    yield Figure(name="`hindscale backtest`, to its end", value=end, unit="s", note=note)
    if not quick:
        with tempfile.TemporaryDirectory() as folder:
            first, _ = _backtest_s({"NUMBA_CACHE_DIR": folder})
        yield Figure(
            name="`hindscale backtest`, to its first outcome, kernels not compiled yet",
            value=first,
            unit="s",
            note="Once after an installation or an update.",
        )


def _python_s(code: str) -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - begin


def _backtest_s(environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds to the first outcome and to the end of the process."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OUTCOME, *COMMAND],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    end = time.monotonic()
    line = next(line for line in done.stderr.splitlines() if line.startswith("first "))
    return float(line.split()[1]) - begin, end - begin
