"""The benchmark compares like with like: every implementation of its scenario comes to the same books."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def scenario(monkeypatch: pytest.MonkeyPatch):
    """The scenario's module; benchmarks are scripts that import one another by their bare names."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import _scenario_b

    yield _scenario_b
    for name in [
        name for name, module in sys.modules.items() if str(BENCHMARKS) in str(getattr(module, "__file__", ""))
    ]:
        del sys.modules[name]


def test_both_engines_and_simpy_agree(scenario) -> None:
    import _in_simpy
    from hindscale.simulation.fast import FastEngine
    from hindscale.simulation.readable import ReadableEngine

    requests = scenario.draw_requests(12_000)
    books = {engine.__name__: scenario.run_on(engine, requests)[0] for engine in (FastEngine, ReadableEngine)}
    books["processes"] = _in_simpy.run_with_processes(requests)
    books["callbacks"] = _in_simpy.run_with_callbacks(requests)
    books["simulate"] = scenario.run_simulate(scenario.as_trace(requests))
    scenario.require_equal(books)
    assert books["callbacks"].served == 12_000


@pytest.mark.parametrize("heap", [False, True])
def test_c_agrees(scenario, heap: bool) -> None:
    import _in_c
    from hindscale.simulation.fast import FastEngine

    if not _in_c.has_gcc():
        pytest.skip("gcc is not on this machine")
    requests = scenario.draw_requests(300_000)
    scenario.require_equal({"fast": scenario.run_on(FastEngine, requests)[0], "C": _in_c.compiled(heap=heap)(requests)})


def test_books_that_differ_stop_the_benchmark(scenario) -> None:
    from dataclasses import replace

    from hindscale.simulation.fast import FastEngine

    books, _ = scenario.run_on(FastEngine, scenario.draw_requests(2_000))
    with pytest.raises(AssertionError, match="served: 2000 in one, 1999 in other"):
        scenario.require_equal({"one": books, "other": replace(books, served=1999)})
