from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hindscale.backtesting import BacktestResult, backtest
from hindscale.core import Constant, ServiceProfile, Slo
from hindscale.simulation import SimulationSettings
from hindscale.traces import RateTrace, RequestTrace

SERVICE = ServiceProfile(
    name="toy", slots=1, service_time=Constant(1.0), cold_start=Constant(30.0), price_per_replica_hour=3.6
)


@pytest.fixture(scope="session")
def rising() -> RateTrace:
    """Ten minutes that rise to a peak and fall again."""
    return RateTrace(name="rising", window_s=60.0, requests=np.array([60, 90, 150, 240, 300, 300, 240, 120, 60, 30.0]))


@pytest.fixture(scope="session")
def compared(rising: RateTrace) -> BacktestResult:
    """All default policies on two traces with two seeds."""
    rng = np.random.default_rng(4)
    recorded = RequestTrace(name="recorded", arrival_s=np.sort(rng.uniform(0, 400, 500)))
    return backtest([rising, recorded], service=SERVICE, slo="p90 < 3s", seeds=2, jobs=1)


@pytest.fixture(scope="session")
def by_hand() -> RequestTrace:
    """Four requests in a minute: two at once, one while they are served, one alone."""
    return RequestTrace(name="by-hand", arrival_s=np.array([2.0, 2.0, 2.5, 50.0]))


@pytest.fixture(scope="session")
def by_hand_result(by_hand: RequestTrace) -> BacktestResult:
    return backtest(
        by_hand,
        ["fixed:replicas=1", "fixed:replicas=2"],
        service=SERVICE,
        slo=Slo(latency_s=1.5, percentile=0.75),
        min_replicas=1,
        max_replicas=4,
        guardrails=(),
        seeds=1,
        settings=SimulationSettings(initial_replicas=1),
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser; tests that need it are skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on PATH (on Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()
