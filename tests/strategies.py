"""Hypothesis strategies for hindscale's values; a new field joins here first."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hindscale.core import Constant, Exponential, Lognormal, ServiceProfile, Slo
from hindscale.core.service import Balancer
from hindscale.testing.contracts import histories, observations
from hindscale.traces import RateTrace, RequestTrace

__all__ = ["distributions", "histories", "observations", "profiles", "rate_traces", "request_traces", "slos"]

durations = st.floats(0.001, 100.0)

distributions = st.one_of(
    st.builds(Constant, durations),
    st.builds(Exponential, durations),
    st.builds(Lognormal, mean_s=durations, cv=st.floats(0.05, 2.0)),
)

slos = st.builds(Slo, latency_s=durations, percentile=st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))

limits = st.none() | st.integers(0, 20)

profiles = st.builds(
    ServiceProfile,
    slots=st.integers(1, 8),
    service_time=st.builds(Lognormal, mean_s=st.floats(0.05, 5.0), cv=st.floats(0.05, 1.5)),
    cold_start=st.builds(Constant, st.floats(0, 60)),
    provisioning=st.builds(Constant, st.floats(0, 30)),
    balancer=st.sampled_from(Balancer),
    replica_queue_limit=limits,
    gateway_queue_limit=limits,
    queue_timeout_s=st.none() | st.floats(0, 10),
    drain_timeout_s=st.none() | st.floats(0, 20),
    mean_time_to_failure_s=st.none() | st.floats(30, 1000),
)


@st.composite
def rate_traces(draw: st.DrawFn, max_windows: int = 20) -> RateTrace:
    """Some windows of little traffic."""
    windows = draw(st.lists(st.floats(0, 200), min_size=1, max_size=max_windows))
    return RateTrace(name="rates", window_s=draw(st.sampled_from([10.0, 15.0, 60.0])), requests=np.array(windows))


@st.composite
def request_traces(draw: st.DrawFn, max_requests: int = 50) -> RequestTrace:
    """Some requests, sorted, within a few minutes."""
    gaps = draw(st.lists(st.floats(0, 5), min_size=1, max_size=max_requests))
    return RequestTrace(name="requests", arrival_s=np.cumsum(gaps))
