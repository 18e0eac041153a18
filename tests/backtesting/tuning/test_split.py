from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting import Backtest
from hindscale.backtesting.tuning.split import Split, parse_train
from hindscale.core import ParameterError, Slo
from hindscale.traces import RateTrace, RequestTrace


def test_the_parts_meet_and_leave_nothing_out(plan: Backtest) -> None:
    split = Split.of(plan, 0.6)
    assert (split.train_s, split.rest_s) == (4320.0, 2880.0)
    first, rest, whole = (each.traces[0] for each in (split.train, split.rest, split.judge))
    assert isinstance(first, RateTrace)
    assert isinstance(rest, RateTrace)
    assert np.concatenate([first.requests, rest.requests]).tolist() == whole.requests.tolist()  # type: ignore[union-attr]
    assert split.judge.settings.warm_up_s == split.train_s


@given(share=st.floats(0.3, 0.7))
def test_requests_are_in_one_part_or_the_other(plan: Backtest, share: float) -> None:
    requests = RequestTrace(name="r", arrival_s=np.linspace(0, 5000, 3001))
    split = Split.of(replace(plan, traces=(requests,)), share)
    assert split.train_s % plan.control_interval_s == 0
    first, rest = split.train.traces[0], split.rest.traces[0]
    assert first.total_requests + rest.total_requests == 3001  # type: ignore[union-attr]
    assert first.duration_s < split.train_s


def test_training_may_be_a_duration(plan: Backtest) -> None:
    assert Split.of(plan, parse_train("30min")).train_s == 1800.0


@pytest.mark.parametrize("text", ["0", "1", "60", "-0.5"])
def test_a_number_is_a_share(text: str) -> None:
    with pytest.raises(ParameterError, match=r"a share in \(0, 1\) or a duration with a unit"):
        parse_train(text)


def test_what_is_too_short_says_what_is_needed(plan: Backtest) -> None:
    strict = replace(plan, slo=Slo(latency_s=3.0, percentile=0.9999))
    with pytest.raises(ParameterError) as raised:
        Split.of(strict, 0.6)
    assert str(raised.value) == (
        "waves: the part to train on has 68,763 requests in 1.2h, but 100,000 are needed (10 that p99.99 < 3s forgives)"
        " in at least 5min (20 decisions); give a longer trace, or another --train"
    )
    with pytest.raises(ParameterError, match=r"in at least 5min \(20 decisions\)"):
        Split.of(plan, "118min")


def test_training_must_leave_something(plan: Backtest) -> None:
    with pytest.raises(ParameterError, match=r"--train must leave something to judge on: 3h of 2h"):
        Split.of(plan, "3h")


def test_one_trace_at_a_time(plan: Backtest, waves: RateTrace) -> None:
    with pytest.raises(ParameterError, match="tuning takes one trace, was given 2"):
        Split.of(replace(plan, traces=(waves, replace(waves, name="other"))), 0.5)
