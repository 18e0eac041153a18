from __future__ import annotations

import numpy as np
import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.series import run_series
from hindscale.core import Slo
from hindscale.guardrails.bounds import Bounds
from hindscale.policies.target_tracking import TargetTracking
from hindscale.simulation import SimulationSettings, simulate
from hindscale.traces import RateTrace


@pytest.mark.parametrize("warm_up_s", [0.0, 75.0])
def test_points_add_up_to_the_run(rising: RateTrace, warm_up_s: float) -> None:
    plan = Backtest(traces=(rising,), policies=policy_entries(("predictive",)), slo=Slo(latency_s=2))
    spec = plan.prepared["rising"][1]
    settings = SimulationSettings(warm_up_s=warm_up_s)
    record = simulate(
        rising, spec, TargetTracking(target_per_replica=1.0), (Bounds(max_replicas=9),), settings=settings
    )
    series = run_series(record)
    ticks, first = record.ticks, record.first_scored
    assert len(series.time_s) == len(ticks) - first
    assert series.time_s.tolist() == ticks.time_s[first:].tolist()
    assert (series.rate_rps * 15).tolist() == pytest.approx(ticks.arrived[first:].tolist())
    assert series.billed.tolist() == pytest.approx((ticks.replica_s[first:] / 15).tolist())
    targets = ticks.target[first - 1 if first else 0 :]
    assert [action.after for action in series.actions] == targets[1:][np.diff(targets) != 0].tolist()
    assert all(action.before != action.after for action in series.actions)


def test_long_runs_are_drawn_with_a_bounded_number_of_points() -> None:
    trace = RateTrace(name="week", window_s=3600.0, requests=np.full(168, 100.0))
    plan = Backtest(traces=(trace,), policies=policy_entries(("fixed",)), slo=Slo(latency_s=2))
    spec = plan.prepared["week"][1]
    record = simulate(trace, spec, TargetTracking(target_per_replica=1.0), (Bounds(max_replicas=9),))
    series = run_series(record)
    assert len(series.time_s) == 720
    # 40,320 ticks in 720 points of 56: no tick is left out or counted twice.
    assert float((series.rate_rps * 56 * 15).sum()) == pytest.approx(record.ticks.arrived.sum())
    assert series.queued.max() == record.ticks.queued.max()
