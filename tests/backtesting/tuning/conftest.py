from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.core import Constant, ServiceProfile, Slo
from hindscale.scoring import Scores
from hindscale.traces import RateTrace

MakeScores = Callable[..., Scores]


@pytest.fixture(scope="session")
def make_scores() -> MakeScores:
    """Scores of which only the figures that tuning looks at are chosen."""

    def make(cost: float, attainment: float, minutes: float = 1.0) -> Scores:
        return Scores(
            requests=1000, slo_attainment=attainment, minutes_attainment=minutes, p50_s=0.1, p90_s=0.2, p95_s=0.3,
            p99_s=math.nan, mean_latency_s=0.1, dropped=0, timed_out=0, failed=0, cut=0, unserved=0,
            replica_hours=cost, cost=cost, mean_replicas=cost, most_replicas=9, utilization=0.5, scaling_actions=1,
            reversals=0, replicas_started=1, replicas_lost=0, held_ticks=0,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def waves() -> RateTrace:
    """Two hours of waves, twenty minutes each, every one as high as the others."""
    minutes = np.arange(120)
    return RateTrace(name="waves", window_s=60.0, requests=900 + 660 * np.sin(2 * np.pi * minutes / 20))


@pytest.fixture(scope="session")
def plan(waves: RateTrace) -> Backtest:
    """Two policies on the waves."""
    service = ServiceProfile(
        name="toy", slots=2, service_time=Constant(0.8), cold_start=Constant(20.0), price_per_replica_hour=3.6
    )
    return Backtest(
        traces=(waves,),
        policies=policy_entries(("target-tracking", "predictive")),
        service=service,
        slo=Slo(latency_s=3.0, percentile=0.95),
        seeds=2,
    )
