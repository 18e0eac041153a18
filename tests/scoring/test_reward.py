from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.policies import build_policy
from hindscale.scoring import score
from hindscale.scoring.reward import RewardScale, RewardWeights, reward, total_reward
from hindscale.simulation import simulate
from hindscale.traces import RateTrace


@pytest.mark.parametrize("value", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_price_of_misses_is_a_positive_number(value: float) -> None:
    with pytest.raises(ParameterError, match="caution must be a number > 0, was"):
        RewardWeights(caution=value)


@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_churn_is_not_negative(value: float) -> None:
    with pytest.raises(ParameterError, match="churn must be a number >= 0, was"):
        RewardWeights(churn=value)


def test_a_scale_is_positive() -> None:
    with pytest.raises(ParameterError, match="requests must be a number > 0"):
        RewardScale(requests=0.0, replicas=1.0)


@given(missed=st.floats(0, 1e6), more=st.floats(0.1, 1e6))
def test_no_miss_is_free_however_many_there_are(missed: float, more: float) -> None:
    one, other = (reward(each, 0.0, 0.0, caution=20.0, churn=0.0) for each in (missed, missed + more))
    assert other < one


def test_the_rewards_of_a_run_add_up_to_its_scores() -> None:
    spec = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), max_replicas=20)
    trace = RateTrace(name="r", window_s=60.0, requests=np.array([600.0, 3000.0, 6000.0, 1200.0] * 3))
    record = simulate(trace, spec, build_policy("target-tracking", spec), ())
    scores = score(record)
    ticks = len(record.ticks)
    work_hours = scores.requests / 10.0 / 3600  # a replica works off 10/s
    per_tick = -(
        20.0 * (1 - scores.slo_attainment) + (scores.replica_hours - work_hours) / work_hours
    )  # both over the means
    found = total_reward(record, RewardWeights(caution=20.0, churn=0.0), service_rate_rps=10.0)
    assert found == pytest.approx(per_tick * ticks, rel=1e-9)
    churned = total_reward(record, RewardWeights(caution=20.0, churn=0.5), service_rate_rps=10.0)
    assert churned < found
