from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting import backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.sweep import expanded, pareto_front
from hindscale.core import ParameterError
from hindscale.traces import RateTrace


def test_a_range_becomes_an_entry_a_value() -> None:
    labels = [entry.label for entry in policy_entries(("fixed:replicas=1..3/3", "utilization"))]
    assert labels == ["fixed:replicas=1", "fixed:replicas=2", "fixed:replicas=3", "utilization"]
    assert expanded("hpa:target=50..90")[1] == "hpa:target=60"  # five by default
    assert len(expanded("utilization:upper=0.6..0.8/3,lower=0.2..0.4/2")) == 6
    assert expanded("stabilization:down_s=1..3min/2") == ("stabilization:down_s=1min", "stabilization:down_s=3min")


@pytest.mark.parametrize(
    "text", ["fixed", "fixed:replicas=3", "predictive:forecaster=trend(beta=0.1)", "hpa:manifest=../hpa.yaml"]
)
def test_what_is_no_range_stays_as_it_is(text: str) -> None:
    assert expanded(text) == (text,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("predictive:alpha=0.7..0.9/1", "alpha: values in a range must be a whole number >= 2, was 1"),
        ("predictive:alpha=0.7.1..0.9/3", "alpha: a range must look like"),
        ("hpa:target=1..99/50,tolerance=0..1/50", "at most 1,000 combinations"),
    ],
)
def test_bad_ranges_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        expanded(text)


@given(points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_nothing_on_the_front_is_beaten_and_everything_else_is(points: list[tuple[int, int]]) -> None:
    costs, attained = [cost for cost, _ in points], [share for _, share in points]
    front = pareto_front(range(len(points)), costs, attained)
    for index, (cost, share) in enumerate(points):
        # Strictly better in one and at least as good in the other, or the same and earlier.
        beaten = any(
            (other < cost and more >= share)
            or (other == cost and more > share)
            or ((other, more) == (cost, share) and i < index)
            for i, (other, more) in enumerate(points)
        )
        assert (index in front) == (not beaten)
    assert [costs[index] for index in front] == sorted(costs[index] for index in front)


def test_a_sweep_shows_its_front_in_verdict_and_data(rising: RateTrace) -> None:
    result = backtest(rising, ["fixed:replicas=1..5/3", "target-tracking"], slo="p90 < 3s", seeds=1, jobs=1)
    swept = result.traces[0]
    assert {row.name for row in swept.rows} == {"fixed", "target-tracking"}
    front = [row.policy for row in swept.front]
    assert swept.verdict().endswith(f"nothing beats {', '.join(front)} in both cost and attainment")
    on_front = [each["policy"] for each in result.to_dict()["traces"][0]["policies"] if each["on_front"]]
    assert sorted(on_front) == sorted(front)


def test_without_a_sweep_nothing_is_said_of_a_front(rising: RateTrace) -> None:
    result = backtest(rising, ["fixed:replicas=2", "target-tracking"], slo="p90 < 3s", seeds=1, jobs=1)
    assert "nothing beats" not in result.traces[0].verdict()
