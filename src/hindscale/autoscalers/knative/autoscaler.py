"""One evaluation of the KPA: from two averages and the ready pods to a desired number of pods. Pure.

```
stable average ─▶ ds = ⌈stable / target⌉ ─▶ rate limits ─▶ activation scale ─▶ S ─┐
panic average ──▶ dp = ⌈panic / target⌉ ──▶ rate limits ─▶ activation scale ─▶ P ─┤
                        └▶ dp / ready >= threshold: panic begins or is extended ──┤
                                  in panic: max(S, P, most so far); else: S ◀─────┘ ─▶ scale-down delay
```
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.core.checks import require_finite, require_nonnegative, require_positive

__all__ = [
    "INVALID",
    "TICK_INTERVAL_S",
    "AutoscalerState",
    "DeciderSpec",
    "ScaleResult",
    "delayed",
    "evaluate",
    "excess_burst_capacity",
    "initial_autoscaler_state",
    "limited",
    "panic_after",
]

TICK_INTERVAL_S = 2.0
MAX_INT32 = 2**31 - 1

DelayWindow = tuple[tuple[int, int], ...]
"""(tick number, desired pods), falling in pods: what may still be the maximum of the delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeciderSpec:
    """What an evaluation is told of its revision.

    Attributes:
        target_value: Wanted concurrency, or requests per second, of a pod; > 0.
        total_value: The most a pod can take, for the burst capacity only.
        target_burst_capacity: Requests that must find room at once; 0 for none, -1 for any number.
        panic_threshold: Panic begins when desired / ready pods reach it; 2.0 is 200 %.
        max_scale_up_rate: At most this multiple of the ready pods in one evaluation; > 1.
        max_scale_down_rate: At least the ready pods divided by this; > 1.
        stable_window_s: Panic ends this long after the last breach, in seconds.
        activation_scale: The least but 0; 0 and 1 have no effect.
        scale_down_delay_s: A lower number must last this long, in seconds; 0 for no delay.
        reachable: Whether a route leads to the revision; others fall without a rate limit or a delay.
    """

    target_value: float
    total_value: float = 100.0
    target_burst_capacity: float = 211.0
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    stable_window_s: float = 60.0
    activation_scale: int = 0
    scale_down_delay_s: float = 0.0
    reachable: bool = True

    def __post_init__(self) -> None:
        require_positive(
            target_value=self.target_value,
            panic_threshold=self.panic_threshold,
            max_scale_up_rate=self.max_scale_up_rate,
            max_scale_down_rate=self.max_scale_down_rate,
            stable_window_s=self.stable_window_s,
        )
        require_nonnegative(scale_down_delay_s=self.scale_down_delay_s)
        require_finite(total_value=self.total_value, target_burst_capacity=self.target_burst_capacity)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerState:
    """All that an autoscaler remembers.

    Attributes:
        panic_time_s: When the threshold was last reached; None outside panic.
        max_panic_pods: The most pods wanted in this panic.
        delay: The desired numbers of the scale-down delay that may still be its maximum.
    """

    panic_time_s: float | None = None
    max_panic_pods: int = 0
    delay: DelayWindow = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleResult:
    """What an evaluation came to.

    Attributes:
        desired_pods: Before bounds, initial scale and scale to zero.
        excess_burst_capacity: Requests that would still find room; negative puts the activator in the path.
        valid: False if nothing could be decided: the last decision stands.
    """

    desired_pods: int
    excess_burst_capacity: int
    valid: bool = True


INVALID = ScaleResult(desired_pods=0, excess_burst_capacity=0, valid=False)


def initial_autoscaler_state(ready_pods: int, now_s: float) -> AutoscalerState:
    """Where an autoscaler begins: in panic if more than one pod is ready, so that a restart shrinks nothing.

    >>> initial_autoscaler_state(3, now_s=10.0)
    AutoscalerState(panic_time_s=10.0, max_panic_pods=3, delay=())
    >>> initial_autoscaler_state(1, now_s=10.0).panic_time_s is None
    True
    """
    return AutoscalerState(panic_time_s=now_s if ready_pods > 1 else None, max_panic_pods=ready_pods)


def evaluate(
    spec: DeciderSpec,
    state: AutoscalerState,
    *,
    now_s: float,
    ready_pods: int | None,
    averages: tuple[float, float] | None,
) -> tuple[ScaleResult, AutoscalerState]:
    """One evaluation.

    Args:
        spec: The revision's settings.
        state: What the last evaluation left.
        now_s: The time, in seconds.
        ready_pods: Pods that are ready; None if that is not known.
        averages: The metric over the stable and the panic window, summed over pods; None without data.

    Returns:
        The result and what to remember. An invalid one remembers nothing new.

    Source: `pkg/autoscaler/scaling/autoscaler.go`, Scale.

    >>> spec = DeciderSpec(target_value=10.0)
    >>> result, state = evaluate(spec, AutoscalerState(), now_s=0.0, ready_pods=1, averages=(15.0, 15.0))
    >>> result.desired_pods, state.panic_time_s
    (2, 0.0)
    """
    if ready_pods is None or averages is None:
        return INVALID, state
    ready = max(1, ready_pods)
    wanted_stable, wanted_panic = (math.ceil(value / spec.target_value) for value in averages)
    stable_pods, panic_pods = limited(wanted_stable, ready, spec), limited(wanted_panic, ready, spec)
    # On the count before the rate limits: a slow rate must not hide a surge.
    state = panic_after(state, spec, is_over=wanted_panic / ready >= spec.panic_threshold, now_s=now_s)
    desired = stable_pods
    if state.panic_time_s is not None:
        desired = max(state.max_panic_pods, stable_pods, panic_pods)
        state = replace(state, max_panic_pods=desired)
    if spec.reachable and spec.scale_down_delay_s > 0:
        desired, delay = delayed(state.delay, desired, spec.scale_down_delay_s, now_s)
        state = replace(state, delay=delay)
    room = excess_burst_capacity(
        ready_pods, total_value=spec.total_value, target_burst_capacity=spec.target_burst_capacity, panic=averages[1]
    )
    return ScaleResult(desired_pods=desired, excess_burst_capacity=room), state


def limited(wanted: int, ready: int, spec: DeciderSpec) -> int:
    """min(max(wanted, ⌊ready / down⌋), ⌈up · ready⌉), raised to the activation scale if anything is wanted.

    Args:
        wanted: ⌈average / target⌉.
        ready: Ready pods, at least 1.
        spec: The rates, the activation scale, and whether the revision is reachable: others have no lower limit.

    >>> spec = DeciderSpec(target_value=1.0, max_scale_up_rate=1.1, max_scale_down_rate=2.0)
    >>> limited(9, 2, spec), limited(0, 7, spec)
    (3, 3)
    """
    most = math.ceil(spec.max_scale_up_rate * ready)
    least = math.floor(ready / spec.max_scale_down_rate) if spec.reachable else 0
    pods = min(max(wanted, least), most, MAX_INT32)
    if spec.activation_scale > 1 and wanted > 0:
        return max(pods, spec.activation_scale)
    return pods


def panic_after(state: AutoscalerState, spec: DeciderSpec, *, is_over: bool, now_s: float) -> AutoscalerState:
    """Panic begins or is extended at the threshold, and ends strictly after a stable window without it."""
    if is_over:
        return replace(state, panic_time_s=now_s)
    if state.panic_time_s is not None and state.panic_time_s + spec.stable_window_s < now_s:
        return replace(state, panic_time_s=None, max_panic_pods=0)
    return state


def delayed(
    delay: DelayWindow, desired: int, delay_s: float, now_s: float, tick_s: float = TICK_INTERVAL_S
) -> tuple[int, DelayWindow]:
    """The maximum of the last ⌈delay / tick⌉ ticks, this one included.

    Args:
        delay: What may still be the maximum, as this function left it.
        desired: What is wanted now.
        delay_s: The scale-down delay, in seconds; > 0.
        now_s: The time, in seconds; its tick is ⌊now / tick⌋.
        tick_s: Length of a tick.

    Source: `pkg/autoscaler/aggregation/max/{timewindow,window}.go`.

    >>> seen, delay = [], ()
    >>> for tick, desired in enumerate([5, 3, 4, 1, 1]):
    ...     pods, delay = delayed(delay, desired, 6.0, 2.0 * tick)
    ...     seen.append(pods)
    >>> seen
    [5, 5, 5, 4, 4]
    """
    tick, length = math.floor(now_s / tick_s), math.ceil(delay_s / tick_s)
    # One that is neither newer nor larger than this one can never be the maximum again.
    larger = tuple(entry for entry in delay if entry[1] > desired and tick - entry[0] < length)
    kept = larger if larger and larger[-1][0] == tick else (*larger, (tick, desired))
    return kept[0][1], kept


def excess_burst_capacity(ready_pods: int, *, total_value: float, target_burst_capacity: float, panic: float) -> int:
    """⌊ready · total - burst capacity - panic average⌋; 0 without a burst capacity, -1 if it is unlimited.

    Args:
        ready_pods: As counted, 0 included.
        total_value: The most a pod can take.
        target_burst_capacity: Requests that must find room at once.
        panic: The average over the panic window.

    >>> excess_burst_capacity(3, total_value=100.0, target_burst_capacity=211.0, panic=40.5)
    48
    """
    if target_burst_capacity == 0:
        return 0
    if target_burst_capacity < 0:
        return -1
    return math.floor(ready_pods * total_value - target_burst_capacity - panic)
