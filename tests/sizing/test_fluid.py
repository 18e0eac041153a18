from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Constant, Exponential, Slo
from hindscale.sizing import erlang_c
from hindscale.sizing.fluid import backlog_after, patience_s, share_late, spare_slots


@given(backlog=st.floats(0, 1e4), arrived=st.floats(0, 1e4), served=st.floats(0, 1e4), at_most=st.floats(0, 1e5))
def test_a_backlog_is_what_came_less_what_was_served(
    backlog: float, arrived: float, served: float, at_most: float
) -> None:
    after = backlog_after(np.array([backlog]), arrived, np.array([served]), at_most=np.array([at_most]))[0]
    assert after == pytest.approx(min(max(backlog + arrived - served, 0.0), at_most))


@given(before=st.floats(0, 100), after=st.floats(0, 100), patience=st.floats(0.01, 50))
def test_the_share_that_is_late_is_the_time_above_the_line(before: float, after: float, patience: float) -> None:
    found = share_late(np.array([before]), np.array([after]), patience)[0]
    moments = np.linspace(before, after, 20_001)
    assert found == pytest.approx(np.mean(moments > patience), abs=1e-3)


@pytest.mark.parametrize("load", [3.0, 12.0, 60.0, 200.0])
def test_with_the_spare_slots_a_pool_keeps_the_slo_whatever_its_size(load: float) -> None:
    """In M/M/N, P(W > w) = C(N, a) exp(-(N - a) w / s): exact, and the bound uses C <= 1."""
    service, slo = Exponential(0.4), Slo(latency_s=2.0, percentile=0.99)
    spare, wait = spare_slots(slo, service), patience_s(slo, service)
    servers = int(np.ceil(load + spare))
    late = erlang_c(servers, load) * np.exp(-(servers - load) * wait / service.mean_s)
    assert late <= 1 - slo.percentile


def test_a_bound_that_leaves_no_time_to_wait_asks_for_the_most() -> None:
    assert patience_s(Slo(latency_s=0.5), Constant(0.5)) == 0.0
    assert spare_slots(Slo(latency_s=0.5), Constant(0.5), most=7.0) == 7.0
