from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from hindscale.core import ServiceProfile, ServiceSpec, Slo, TraceError
from hindscale.traces import RateTrace, RequestTrace
from hindscale.training.episodes import Course
from strategies import rate_traces, request_traces

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0))


@given(trace=rate_traces())
def test_no_request_of_a_rate_trace_is_lost(trace: RateTrace) -> None:
    course = Course.of(trace, SPEC, episode_steps=1)
    assert course.is_drawn
    assert course.requests.sum() == pytest.approx(trace.total_requests)


@given(trace=request_traces())
def test_no_request_of_a_request_trace_is_lost(trace: RequestTrace) -> None:
    course = Course.of(trace, SPEC, episode_steps=1)
    assert not course.is_drawn
    assert course.requests.sum() == trace.total_requests


def test_episodes_are_learned_from_before_they_are_checked_on() -> None:
    trace = RateTrace(name="day", window_s=60.0, requests=np.full(1440, 60.0))  # 5,760 intervals
    course = Course.of(trace, SPEC, episode_steps=240)
    assert course.learning_starts(240) == (0, 4367)
    assert course.checking_starts(240) == (4608, 5519)
    assert 4367 + 240 < 4608


def test_a_trace_shorter_than_an_episode_is_refused() -> None:
    trace = RateTrace(name="short", window_s=60.0, requests=np.full(30, 60.0))
    with pytest.raises(TraceError) as caught:
        Course.of(trace, SPEC, episode_steps=240)
    assert str(caught.value) == (
        "short: lasts 30min, shorter than an episode of 240 intervals (1h); give a longer trace or shorter episodes"
    )
