"""What goes into the histograms: CPU samples, the memory peak of each day, and running out of memory.

Per container of a pod the recommender remembers the current interval's memory peak (`ContainerState`); what
containers of one name leave behind over all pods is one `AggregateState`. How many replicas there are plays
no part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hindscale.autoscalers.vpa.amounts import MAX_AMOUNT, MIB, scaled
from hindscale.autoscalers.vpa.buckets import CPU_BUCKETS, MEMORY_BUCKETS
from hindscale.autoscalers.vpa.histogram import (
    Histogram,
    add_sample,
    add_samples,
    empty_histogram,
    merge_histograms,
    subtract_sample,
)
from hindscale.core.checks import require_at_least, require_positive
from hindscale.core.errors import ParameterError

__all__ = [
    "CPU_SAMPLE_WEIGHT",
    "AggregateState",
    "AggregationConfig",
    "ContainerState",
    "Sampled",
    "add_cpu_sample",
    "add_cpu_samples",
    "add_memory_sample",
    "is_expired",
    "merge_aggregates",
    "oom_memory_bytes",
    "record_oom",
]

CPU_SAMPLE_WEIGHT = 0.1
MEMORY_SAMPLE_WEIGHT = 1.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationConfig:
    """How samples are gathered.

    Attributes:
        memory_aggregation_interval_s: Each interval of this length gives one memory peak.
        memory_aggregation_interval_count: So many intervals without a sample, and the state is dropped.
        oom_bump_up_ratio: An OOM stands for this multiple of what was used; >= 1.
        oom_min_bump_up_bytes: And for at least so much more.
    """

    memory_aggregation_interval_s: float = _DAY_S
    memory_aggregation_interval_count: int = 8
    oom_bump_up_ratio: float = 1.2
    oom_min_bump_up_bytes: int = 100 * MIB

    def __post_init__(self) -> None:
        require_positive(memory_aggregation_interval_s=self.memory_aggregation_interval_s)
        require_at_least(1, memory_aggregation_interval_count=self.memory_aggregation_interval_count)
        require_at_least(0, oom_min_bump_up_bytes=self.oom_min_bump_up_bytes)
        if not self.oom_bump_up_ratio >= 1:
            raise ParameterError(f"oom_bump_up_ratio must be a number >= 1, was {self.oom_bump_up_ratio!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """What is remembered of one container of one pod; a new one starts with the defaults."""

    last_cpu_sample_s: float = -math.inf
    last_memory_sample_s: float = -math.inf
    memory_peak_bytes: int = 0  # highest sample of the current interval
    oom_peak_bytes: int = 0  # highest amount an OOM stood for in the current interval
    window_end_s: float | None = None  # end of the current interval; None before the first sample

    @property
    def peak_bytes(self) -> int:
        return max(self.memory_peak_bytes, self.oom_peak_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateState:
    """What is remembered of all containers of one name.

    Attributes:
        cpu: CPU samples, in cores.
        memory: Memory peaks, in bytes.
        first_sample_s: Of the earliest CPU sample; None before it.
        last_sample_s: Of the latest CPU sample.
        cpu_samples: How many there were; memory samples are not counted.
        created_s: When this was begun.
    """

    cpu: Histogram = field(default_factory=lambda: empty_histogram(CPU_BUCKETS, _DAY_S))
    memory: Histogram = field(default_factory=lambda: empty_histogram(MEMORY_BUCKETS, _DAY_S))
    first_sample_s: float | None = None
    last_sample_s: float | None = None
    cpu_samples: int = 0
    created_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Both states after a sample, and whether it was taken."""

    container: ContainerState
    aggregate: AggregateState
    accepted: bool


def add_cpu_sample(
    container: ContainerState,
    aggregate: AggregateState,
    *,
    usage_millicores: int,
    time_s: float,
    weight: float = CPU_SAMPLE_WEIGHT,
) -> Sampled:
    """Count a CPU sample, unless it is negative or not later than the container's last one.

    Args:
        container: The container's state.
        aggregate: The state of all containers of its name.
        usage_millicores: Mean usage over the measured interval.
        time_s: Start of the measured interval.
        weight: 0.1; older releases used max(request in cores, 0.1).

    Source: VPA `pkg/recommender/model/container.go`, `aggregate_container_state.go`.
    """
    if usage_millicores < 0 or time_s <= container.last_cpu_sample_s:
        return Sampled(container=container, aggregate=aggregate, accepted=False)
    aggregate = _add_cpu(aggregate, (usage_millicores,), time_s, weight)
    return Sampled(container=replace(container, last_cpu_sample_s=time_s), aggregate=aggregate, accepted=True)


def add_cpu_samples(
    containers: Sequence[ContainerState],
    aggregate: AggregateState,
    *,
    usage_millicores: Sequence[int],
    time_s: float,
    weight: float = CPU_SAMPLE_WEIGHT,
) -> tuple[tuple[ContainerState, ...], AggregateState]:
    """The states after a CPU sample of each container at one time: the same as one by one, in one pass.

    Args:
        containers: The containers' states.
        aggregate: The state of all containers of their name.
        usage_millicores: Of each; as in `add_cpu_sample`.
        time_s: Of all; as in `add_cpu_sample`.
        weight: Of each sample.
    """
    after, taken = [], []
    for container, usage in zip(containers, usage_millicores, strict=True):
        is_taken = usage >= 0 and time_s > container.last_cpu_sample_s
        after.append(replace(container, last_cpu_sample_s=time_s) if is_taken else container)
        taken += [usage] if is_taken else []
    return tuple(after), _add_cpu(aggregate, taken, time_s, weight) if taken else aggregate


def add_memory_sample(
    container: ContainerState,
    aggregate: AggregateState,
    *,
    usage_bytes: int,
    time_s: float,
    config: AggregationConfig = AggregationConfig(),
) -> Sampled:
    """Count a memory sample: the histogram holds the peak of each interval, dated at the interval's end.

    The first sample opens the first interval; one at or after the end opens the next on the same grid. Within
    an interval a higher sample takes the old peak's place; a lower one changes nothing.

    Args:
        container: The container's state.
        aggregate: The state of all containers of its name.
        usage_bytes: Working set.
        time_s: Start of the measured interval; samples older than the last one are refused.
        config: Length of an interval.

    Source: VPA `pkg/recommender/model/container.go`.
    """
    if usage_bytes < 0 or time_s < container.last_memory_sample_s:
        return Sampled(container=container, aggregate=aggregate, accepted=False)
    return _add_memory(container, aggregate, usage_bytes, time_s, is_oom=False, config=config)


def record_oom(
    container: ContainerState,
    aggregate: AggregateState,
    *,
    requested_bytes: int,
    time_s: float,
    max_memory_bytes: int = 0,
    config: AggregationConfig = AggregationConfig(),
) -> Sampled:
    """Count running out of memory as a sample of `oom_memory_bytes(max(request, memory peak))`.

    What earlier OOMs of the interval stood for is left out, so that repeated ones do not compound. An OOM
    before the current interval began is refused.

    Args:
        container: The container's state.
        aggregate: The state of all containers of its name.
        requested_bytes: The memory request when it happened.
        time_s: When it happened.
        max_memory_bytes: Neither what was used nor what was needed counts as more; 0 for no such limit.
        config: Length of an interval, and what an OOM stands for.

    Source: VPA `pkg/recommender/model/container.go`.
    """
    if container.window_end_s is not None and time_s < container.window_end_s - config.memory_aggregation_interval_s:
        return Sampled(container=container, aggregate=aggregate, accepted=False)
    limit_bytes = max_memory_bytes or MAX_AMOUNT
    used = min(max(requested_bytes, container.memory_peak_bytes), limit_bytes)
    needed = min(oom_memory_bytes(used, config=config), limit_bytes)
    return _add_memory(container, aggregate, needed, time_s, is_oom=True, config=config)


def oom_memory_bytes(used_bytes: int, *, config: AggregationConfig = AggregationConfig()) -> int:
    """What would have been needed: max(used + 100 MiB, trunc(1.2 used)).

    >>> oom_memory_bytes(1000 * 2**20) / 2**20, oom_memory_bytes(100 * 2**20) / 2**20
    (1200.0, 200.0)
    """
    return max(used_bytes + config.oom_min_bump_up_bytes, scaled(used_bytes, config.oom_bump_up_ratio))


def merge_aggregates(one: AggregateState, other: AggregateState) -> AggregateState:
    """Both states in one, as for containers of one name in pods of different labels."""
    return AggregateState(
        cpu=merge_histograms(one.cpu, other.cpu),
        memory=merge_histograms(one.memory, other.memory),
        first_sample_s=min((s for s in (one.first_sample_s, other.first_sample_s) if s is not None), default=None),
        last_sample_s=max((s for s in (one.last_sample_s, other.last_sample_s) if s is not None), default=None),
        cpu_samples=one.cpu_samples + other.cpu_samples,
        created_s=min(one.created_s, other.created_s),
    )


def is_expired(aggregate: AggregateState, now_s: float, *, config: AggregationConfig = AggregationConfig()) -> bool:
    """Whether 8 intervals have gone by since the last CPU sample, or since the state was made if there is none."""
    window_s = config.memory_aggregation_interval_s * config.memory_aggregation_interval_count
    last_s = aggregate.last_sample_s if aggregate.cpu_samples else None
    return now_s - (aggregate.created_s if last_s is None else last_s) >= window_s


def _add_cpu(
    aggregate: AggregateState, usage_millicores: Sequence[int], time_s: float, weight: float
) -> AggregateState:
    first_s = time_s if aggregate.first_sample_s is None else min(aggregate.first_sample_s, time_s)
    last_s = time_s if aggregate.last_sample_s is None else max(aggregate.last_sample_s, time_s)
    count = len(usage_millicores)
    cores = [usage / 1000.0 for usage in usage_millicores]
    return replace(
        aggregate,
        cpu=add_samples(aggregate.cpu, cores, (weight,) * count, (time_s,) * count),
        first_sample_s=first_s,
        last_sample_s=last_s,
        cpu_samples=aggregate.cpu_samples + count,
    )


def _add_memory(
    container: ContainerState,
    aggregate: AggregateState,
    usage_bytes: int,
    time_s: float,
    *,
    is_oom: bool,
    config: AggregationConfig,
) -> Sampled:
    container = replace(container, last_memory_sample_s=time_s)
    histogram = aggregate.memory
    if container.window_end_s is not None and time_s < container.window_end_s:
        peak, end_s = container.peak_bytes, container.window_end_s
        # An interval that opened with 0 bytes keeps that peak: the original takes 0 for "no peak to replace".
        if peak == 0 or usage_bytes <= peak:
            return Sampled(container=container, aggregate=aggregate, accepted=True)
        histogram = subtract_sample(histogram, float(peak), MEMORY_SAMPLE_WEIGHT, end_s)
    else:
        end_s = _next_window_end_s(container.window_end_s, time_s, config.memory_aggregation_interval_s)
        container = replace(container, window_end_s=end_s, memory_peak_bytes=0, oom_peak_bytes=0)
    histogram = add_sample(histogram, float(usage_bytes), MEMORY_SAMPLE_WEIGHT, end_s)
    if is_oom:
        container = replace(container, oom_peak_bytes=usage_bytes)
    else:
        container = replace(container, memory_peak_bytes=usage_bytes)
    return Sampled(container=container, aggregate=replace(aggregate, memory=histogram), accepted=True)


def _next_window_end_s(window_end_s: float | None, time_s: float, interval_s: float) -> float:
    start_s = time_s if window_end_s is None else window_end_s
    return start_s + ((time_s - start_s) // interval_s) * interval_s + interval_s
