from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.workers import estimated_seconds, perform_all
from hindscale.core import ParameterError, Slo
from hindscale.traces import RateTrace


@pytest.fixture
def plan(rising: RateTrace) -> Backtest:
    return Backtest(traces=(rising,), policies=policy_entries(("fixed", "predictive")), slo=Slo(latency_s=2), seeds=2)


def test_processes_give_the_same_results_as_one(plan: Backtest) -> None:
    alone = {outcome.run: outcome.scores for outcome in perform_all(plan, plan.runs, jobs=1)}
    together = {outcome.run: outcome.scores for outcome in perform_all(plan, plan.runs, jobs=2)}
    assert together == alone
    assert set(alone) == set(plan.runs)


def test_stopping_early_leaves_no_process_behind(plan: Backtest) -> None:
    outcomes = perform_all(plan, plan.runs, jobs=2)
    next(outcomes)
    children = _children()
    assert children
    outcomes.close()  # type: ignore[attr-defined]
    assert not _children() & children


def test_an_error_in_a_worker_is_the_same_error_here(plan: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    # A trace that cannot be simulated: the workers meet it, this process reports it.
    object.__setattr__(plan.settings, "warm_up_s", 1e9)
    with pytest.raises(ParameterError, match="warm_up_s must be shorter than the trace"):
        list(perform_all(plan, plan.runs, jobs=2))


def test_small_comparisons_stay_in_this_process(plan: Backtest) -> None:
    assert estimated_seconds(plan, plan.runs) < 1
    before = _children()
    list(perform_all(plan, plan.runs))
    assert _children() == before


def test_zero_jobs_are_refused(plan: Backtest) -> None:
    with pytest.raises(ParameterError, match="jobs must be a whole number >= 1"):
        perform_all(plan, plan.runs, jobs=0)


def test_a_script_needs_no_main_guard(tmp_path: object) -> None:
    """Libraries that start processes often run the caller's script again; this one must not."""
    script = textwrap.dedent("""
        import numpy as np, hindscale as hs

        class Mine(hs.Fixed):
            pass

        trace = hs.RateTrace(name="t", window_s=60.0, requests=np.full(5, 60.0))
        print(len(hs.backtest(trace, ["predictive", Mine(replicas=2)], slo="p99<2s", jobs=2).traces[0].rows))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


def _children() -> set[int]:
    """Worker processes started by this one that are still running."""
    listing = subprocess.run(
        ["ps", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=False, env={"PATH": os.defpath}
    )
    rows = [line.split(None, 3) for line in listing.stdout.splitlines()]
    return {
        int(pid)
        for pid, parent, state, args in rows
        if int(parent) == os.getpid() and not state.startswith("Z") and "LokyProcess" in args
    }
