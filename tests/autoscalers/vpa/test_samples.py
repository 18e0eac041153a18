"""CPU samples of many containers at once are the same as one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.vpa.samples import AggregateState, ContainerState, add_cpu_sample, add_cpu_samples

MINUTES = st.lists(
    st.tuples(st.sampled_from([0.0, 60.0, 86_400.0, 1e7]), st.lists(st.integers(-1, 10_000), min_size=3, max_size=3)),
    max_size=8,
)


@given(MINUTES)
def test_cpu_samples_at_once_are_those_one_by_one(minutes: list[tuple[float, list[int]]]) -> None:
    together: tuple[ContainerState, ...] = (ContainerState(),) * 3
    aggregate = AggregateState()
    single, lone = list(together), aggregate
    for time_s, usages in minutes:
        together, aggregate = add_cpu_samples(together, aggregate, usage_millicores=usages, time_s=time_s)
        for index, usage in enumerate(usages):
            sampled = add_cpu_sample(single[index], lone, usage_millicores=usage, time_s=time_s)
            single[index], lone = sampled.container, sampled.aggregate
    assert (list(together), aggregate) == (single, lone)
