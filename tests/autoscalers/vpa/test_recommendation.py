"""Recommendations over time: they stay ordered, within caps, and ignore the number of replicas."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.vpa.amounts import MIB, Amounts
from hindscale.autoscalers.vpa.config import DEFAULTS, RecommenderConfig
from hindscale.autoscalers.vpa.policy import ContainerPolicy
from hindscale.autoscalers.vpa.recommendation import recommend
from hindscale.autoscalers.vpa.samples import (
    AggregateState,
    AggregationConfig,
    ContainerState,
    add_cpu_sample,
    add_memory_sample,
    merge_aggregates,
    record_oom,
)
from hindscale.core.errors import ParameterError
from hindscale.core.state import from_plain, to_plain

USAGE = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 64_000 * MIB)), min_size=1, max_size=30)


def observed(usage: list[tuple[int, int]], *, step_s: float = 3600.0) -> AggregateState:
    container, aggregate = ContainerState(), AggregateState()
    for tick, (cpu, memory) in enumerate(usage):
        sampled = add_cpu_sample(container, aggregate, usage_millicores=cpu, time_s=tick * step_s)
        sampled = add_memory_sample(sampled.container, sampled.aggregate, usage_bytes=memory, time_s=tick * step_s)
        container, aggregate = sampled.container, sampled.aggregate
    return aggregate


@given(USAGE)
def test_target_lies_between_the_bounds(usage: list[tuple[int, int]]) -> None:
    (found,) = recommend({"a": observed(usage)})
    for resource in ("cpu", "memory"):
        low, target, high = (each.of(resource) for each in (found.lower_bound, found.target, found.upper_bound))
        assert low is not None and target is not None and high is not None  # noqa: PT018 - for the type checker
        assert low <= target <= high


@given(USAGE, st.integers(1, 20_000), st.integers(1, 20_000))
def test_caps_hold(usage: list[tuple[int, int]], one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    policy = ContainerPolicy(min_allowed=Amounts(cpu_millicores=low), max_allowed=Amounts(cpu_millicores=high))
    (found,) = recommend({"a": observed(usage)}, policies=[policy])
    for amounts in (found.target, found.lower_bound, found.upper_bound):
        assert amounts.cpu_millicores is not None
        assert low <= amounts.cpu_millicores <= high


@given(USAGE)
def test_defaults_written_out_are_the_defaults(usage: list[tuple[int, int]]) -> None:
    aggregates = {"a": observed(usage)}
    written = RecommenderConfig(**{field.name: getattr(DEFAULTS, field.name) for field in fields(DEFAULTS)})
    assert recommend(aggregates, config=written) == recommend(aggregates)


@given(USAGE)
def test_states_survive_a_restart(usage: list[tuple[int, int]]) -> None:
    aggregate = observed(usage)
    assert from_plain(to_plain(aggregate)) == aggregate
    assert from_plain(to_plain(ContainerState())) == ContainerState()


def test_two_replicas_that_do_the_same_are_recommended_the_same() -> None:
    usage = [(500 + tick % 7 * 50, 900 * MIB) for tick in range(100)]
    one = observed(usage)
    (alone,) = recommend({"a": one})
    (both,) = recommend({"a": merge_aggregates(one, one)})
    assert both.target == alone.target
    assert merge_aggregates(one, one).cpu_samples == 200


def test_running_out_of_memory_raises_the_target() -> None:
    before = observed([(100, 900 * MIB)] * 24)
    (low,) = recommend({"a": before})
    after = record_oom(ContainerState(), before, requested_bytes=2000 * MIB, time_s=86_400.0)
    assert after.accepted
    (high,) = recommend({"a": after.aggregate})
    assert low.target.memory_bytes is not None
    assert high.target.memory_bytes is not None
    assert high.target.memory_bytes > 2000 * MIB * 1.2 > low.target.memory_bytes


def test_merging_with_a_new_state_keeps_what_is_known() -> None:
    one = observed([(100, MIB)] * 3)
    assert merge_aggregates(AggregateState(), one) == one
    assert replace(one) == merge_aggregates(one, AggregateState())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecommenderConfig(target_cpu_percentile=90), r"target_cpu_percentile must be in \[0, 1\], was 90"),
        (lambda: RecommenderConfig(round_cpu_millicores=0), "round_cpu_millicores must be a whole number >= 1"),
        (lambda: AggregationConfig(oom_bump_up_ratio=0.9), "oom_bump_up_ratio must be a number >= 1"),
        (lambda: recommend({"a": observed([(1, 1)])}, containers_per_pod=-1), "containers_per_pod must be"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make()  # type: ignore[operator]


def test_flags_are_plain_values() -> None:
    assert asdict(DEFAULTS)["recommendation_margin_fraction"] == 0.15
