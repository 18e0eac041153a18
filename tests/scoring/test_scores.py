"""Scores against a run small enough to be worked out on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Slo
from hindscale.scoring import BUCKETS, RunRecord, TickLog, minutes_within, score
from hindscale.scoring.histogram import bucket_of


def record(**given: Any) -> RunRecord:
    """Six ticks of 30 s: 100 requests, of which 93 met the bound, at 2, 2, 4, 3, 4, 4 replicas."""
    count = 6
    zeros = np.zeros(count, np.int64)
    ticks = TickLog(
        time_s=np.arange(1, count + 1) * 30.0,
        arrived=np.array([20, 20, 20, 20, 20, 0]),
        met=np.array([20, 20, 13, 20, 20, 0]),
        served=np.array([20, 20, 15, 20, 20, 0]),
        dropped=np.array([0, 0, 4, 0, 0, 0]),
        timed_out=np.array([0, 0, 0, 1, 0, 0]),
        failed=zeros,
        cut=zeros,
        replica_s=np.array([60.0, 60.0, 90.0, 120.0, 100.0, 120.0]),
        busy_slot_s=np.full(count, 55.0),
        serving_slot_s=np.full(count, 110.0),
        ready=np.array([2, 2, 2, 4, 3, 4]),
        starting=zeros,
        provisioning=zeros,
        draining=zeros,
        queued=zeros,
        observed_rate_rps=np.zeros(count),
        desired=np.array([2, 2, 4, 3, 4, 4]),
        target=np.array([2, 2, 4, 3, 4, 4]),
        held=np.array([False, True, False, False, False, False]),
        limited_by=("",) * count,
        reason=("",) * count,
    )
    histogram = np.zeros((2, BUCKETS), np.int64)
    histogram[0, bucket_of(100_000_000)] = 90
    histogram[1, bucket_of(3_000_000_000)] = 5
    values: dict[str, Any] = {
        "interval_s": 30.0,
        "slo": Slo(latency_s=1.0, percentile=0.9),
        "price_per_replica_hour": 2.0,
        "first_scored": 0,
        "ticks": ticks,
        "histogram": histogram,
        "mean_latency_s": 0.25,
        "unserved": 0,
        "replicas_started": 6,
        "replicas_lost": 1,
        **given,
    }
    return RunRecord(**values)


def test_every_figure_worked_by_hand() -> None:
    scores = score(record())
    assert scores.requests == 100
    assert scores.slo_attainment == 0.93
    # Minutes of two ticks: 40/40, 33/40 = 82.5 %, 20/20; two of three reach 90 %.
    assert scores.minutes_attainment == pytest.approx(2 / 3)
    assert (scores.dropped, scores.timed_out, scores.failed, scores.cut) == (4, 1, 0, 0)
    assert scores.replica_hours == pytest.approx(550 / 3600)
    assert scores.cost == pytest.approx(2.0 * 550 / 3600)
    assert scores.mean_replicas == pytest.approx(550 / 180)
    assert scores.most_replicas == 4
    assert scores.utilization == pytest.approx(0.5)
    # 2 -> 4 -> 3 -> 4: three actions, two of them against the one before.
    assert (scores.scaling_actions, scores.reversals) == (3, 2)
    assert scores.held_ticks == 1
    # 95 latencies: 90 of 0.1 s, 5 of 3 s.
    assert scores.p50_s == pytest.approx(0.1, rel=0.02)
    assert scores.p99_s == pytest.approx(3.0, rel=0.02)
    assert scores.mean_latency_s == 0.25


def test_where_nodes_are_simulated_they_are_what_is_paid() -> None:
    ticks = replace(record().ticks, nodes=np.full(6, 2), node_cost=np.array([0.5, 0.5, 1.0, 1.0, 1.0, 1.0]))
    assert score(record(ticks=ticks)).cost == pytest.approx(5.0)
    assert score(record(ticks=ticks)).replica_hours == pytest.approx(550 / 3600)
    assert score(record(ticks=ticks, first_scored=2)).cost == pytest.approx(4.0)


def test_the_warm_up_is_left_out() -> None:
    scores = score(record(first_scored=2))
    assert scores.requests == 60
    assert scores.slo_attainment == pytest.approx(53 / 60)
    assert scores.replica_hours == pytest.approx(430 / 3600)
    # Row 0 of the histogram is the warm-up's.
    assert scores.p50_s == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize(
    ("slo", "meets"),
    [
        (Slo(latency_s=1, percentile=0.9), True),
        (Slo(latency_s=1, percentile=0.93), True),
        (Slo(latency_s=1, percentile=0.94), False),
        (Slo(latency_s=1, percentile=0.9, minutes_share=0.6), True),
        (Slo(latency_s=1, percentile=0.9, minutes_share=0.7), False),
    ],
)
def test_the_objective_is_met_over_requests_and_over_minutes(slo: Slo, meets: bool) -> None:
    assert score(record()).meets(slo) is meets


def test_a_run_without_requests_has_no_attainment() -> None:
    empty = record()
    nothing = np.zeros(6, np.int64)
    scores = score(
        replace(empty, ticks=replace(empty.ticks, arrived=nothing, met=nothing), histogram=empty.histogram * 0)
    )
    assert math.isnan(scores.slo_attainment)
    assert math.isnan(scores.minutes_attainment)
    assert not scores.meets(Slo(latency_s=1))
    assert scores.to_dict()["slo_attainment"] is None


@given(
    counts=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=40),
    interval_s=st.sampled_from([5.0, 7.0, 15.0, 60.0, 90.0]),
)
def test_minutes_without_traffic_do_not_count(counts: list[tuple[int, float]], interval_s: float) -> None:
    arrived = np.array([count for count, _ in counts])
    met = np.array([int(count * share) for count, share in counts])
    share = minutes_within(arrived, met, interval_s, 0.9)
    if not arrived.any():
        assert math.isnan(share)
    else:
        assert 0 <= share <= 1
        # A silent stretch before or after, of whole minutes, changes nothing.
        silence = np.zeros(math.ceil(60 / interval_s) * 3, np.int64)
        longer = minutes_within(np.concatenate((silence, arrived)), np.concatenate((silence, met)), interval_s, 0.9)
        assert longer == share
