"""Ray Serve's replica decision, stage by stage, in the order in which its controller applies them.

Arithmetic keeps the original's order of operations: sizes come out of ceilings of floating-point products,
so that another order would differ by a replica now and then.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from hindscale.autoscalers.ray_serve.config import AutoscalingConfig
from hindscale.core.checks import require_at_least, require_positive

__all__ = [
    "CONTROL_LOOP_INTERVAL_S",
    "apply_bounds",
    "apply_delays",
    "apply_scaling_factors",
    "capacity_adjusted_replicas",
    "cold_start_replicas",
    "decision_replicas",
    "desired_replicas",
]

CONTROL_LOOP_INTERVAL_S = 0.1
"""Seconds between two passes of the controller; delays are counted in passes, not in seconds."""


def desired_replicas(total_requests: float, *, running_replicas: int, target_ongoing_requests: float) -> float:
    """Replicas that bring the requests per replica to the target: running · (total / (target · running)).

    Args:
        total_requests: Running and queued, over all replicas and handles; >= 0.
        running_replicas: Replicas that run now, >= 1; it cancels, but for the last bit.
        target_ongoing_requests: Wanted requests per replica; > 0.

    Returns:
        Not yet rounded.

    Raises:
        ParameterError: Without running replicas, or if the target is not positive.

    Source: Ray Serve `autoscaling_policy.py`.

    >>> desired_replicas(9.0, running_replicas=3, target_ongoing_requests=2.0)
    4.5
    """
    require_at_least(1, running_replicas=running_replicas)
    require_positive(target_ongoing_requests=target_ongoing_requests)
    error_ratio = total_requests / (target_ongoing_requests * running_replicas)
    return running_replicas * error_ratio


def apply_scaling_factors(desired: float, *, running_replicas: int, config: AutoscalingConfig) -> int:
    """⌈running + factor · (desired − running)⌉, and one fewer where shrinking would be rounded away.

    Source: Ray Serve `autoscaling_policy.py`.

    >>> config = AutoscalingConfig(max_replicas=20, upscaling_factor=0.5, downscaling_factor=0.1)
    >>> apply_scaling_factors(9.0, running_replicas=4, config=config)  # 4 + 0.5 * 5 = 6.5
    7
    >>> apply_scaling_factors(3.0, running_replicas=4, config=config)  # 4 - 0.1 = 3.9, back to 4, so 3
    3
    """
    delta = desired - running_replicas
    factor = config.gain_up if delta > 0 else config.gain_down
    scaled = math.ceil(running_replicas + factor * delta)
    if math.ceil(desired) < running_replicas and scaled == running_replicas:
        scaled -= 1
    return scaled


def apply_bounds(replicas: int, *, lower: int, upper: int) -> int:
    """Clip to [lower, upper]; where they contradict each other, the lower bound holds.

    Source: Ray Serve `autoscaling_policy.py`.
    """
    return max(lower, min(upper, replicas))


def capacity_adjusted_replicas(replicas: int, target_capacity: float | None) -> int:
    """A bound in percent of the cluster's `target_capacity`, halves up, at least 1 unless it was 0.

    Args:
        replicas: The bound of the configuration; >= 0.
        target_capacity: In percent, [0, 100]; None for all of it.

    Source: Ray Serve `_private/utils.py`.

    >>> [capacity_adjusted_replicas(5, percent) for percent in (None, 50.0, 1.0, 0.0)]
    [5, 3, 1, 0]
    """
    if target_capacity is None or target_capacity == 100:
        return replicas
    if target_capacity == 0 or replicas == 0:
        return 0
    adjusted = Decimal(replicas * target_capacity) / Decimal(100)
    return max(1, int(adjusted.to_integral_value(rounding=ROUND_HALF_UP)))


def apply_delays(
    desired: int, *, target_replicas: int, counter: int, config: AutoscalingConfig, passes: int = 1
) -> tuple[int, int]:
    """Act only once the same direction was wanted in more than ⌊delay / 0.1 s⌋ passes in a row.

    The counter is positive while growth is wanted, negative while shrinking is; the other direction, or
    contentment, resets it. The last replica goes after its own delay, and only from 1 to 0: from more, a
    wish for none stops at 1.

    Args:
        desired: After factors and bounds.
        target_replicas: What the deployment was last asked for.
        counter: From the pass before; 0 at first.
        config: The delays.
        passes: How many passes of the controller see these same numbers; >= 1.

    Returns:
        The new target and the counter for the next pass.

    Source: Ray Serve `autoscaling_policy.py`.

    >>> config = AutoscalingConfig(max_replicas=9, upscale_delay_s=0.2)
    >>> apply_delays(5, target_replicas=2, counter=1, config=config)  # 2 passes so far, more than 2 are needed
    (2, 2)
    >>> apply_delays(5, target_replicas=2, counter=2, config=config)
    (5, 0)
    """
    require_at_least(1, passes=passes)
    if desired == target_replicas:
        return target_replicas, 0
    if desired > target_replicas:
        needed, counter = _passes(config.upscale_delay_s), max(counter, 0) + passes
        reached = desired
    else:
        needed, counter = _passes(_downscale_delay_s(target_replicas, config)), min(counter, 0) - passes
        reached = desired if target_replicas == 1 else max(1, desired)
    if abs(counter) <= needed:
        return target_replicas, counter
    left = abs(counter) - needed - 1  # passes that come after the one that acted
    return (
        apply_delays(desired, target_replicas=reached, counter=0, config=config, passes=left) if left else (reached, 0)
    )


def _passes(delay_s: float) -> int:
    # Truncated as in the original: 0.3 / 0.1 is 2.9999999999999996, so 2 passes.
    return int(delay_s / CONTROL_LOOP_INTERVAL_S)


def _downscale_delay_s(target_replicas: int, config: AutoscalingConfig) -> float:
    if target_replicas == 1 and config.downscale_to_zero_delay_s is not None:
        return config.downscale_to_zero_delay_s
    return config.downscale_delay_s


def cold_start_replicas(
    *, running_replicas: int, total_requests: float, target_replicas: int, config: AutoscalingConfig
) -> int | None:
    """The target without any running replica, at once and past all delays; None if some are running.

    With a request waiting at a handle it is ⌈upscaling factor⌉, unless more were already asked for.

    Source: Ray Serve `autoscaling_policy.py`.

    >>> config = AutoscalingConfig(min_replicas=0, max_replicas=9)
    >>> cold_start_replicas(running_replicas=0, total_requests=1.0, target_replicas=0, config=config)
    1
    """
    if running_replicas:
        return None
    if total_requests > 0:
        return max(math.ceil(config.gain_up), target_replicas)
    return target_replicas


def decision_replicas(
    *,
    total_requests: float,
    running_replicas: int,
    target_replicas: int,
    counter: int,
    config: AutoscalingConfig,
    target_capacity: float | None = None,
    passes: int = 1,
) -> tuple[int, int]:
    """One decision of the controller: cold start, or factors, bounds and delays; then bounds once more.

    Args:
        total_requests: Running and queued, averaged over the look-back.
        running_replicas: Replicas that run now; those that still start do not count.
        target_replicas: What the deployment was last asked for.
        counter: From the decision before; 0 at first.
        config: The deployment's autoscaling_config.
        target_capacity: Percent of the bounds that apply; None for all.
        passes: How many passes of the controller see these same numbers.

    Returns:
        The new target and the counter.

    Source: Ray Serve `autoscaling_policy.py`, `_private/autoscaling_state.py`.
    """
    lower = capacity_adjusted_replicas(config.min_replicas, target_capacity)
    upper = capacity_adjusted_replicas(config.max_replicas, target_capacity)
    started = cold_start_replicas(
        running_replicas=running_replicas,
        total_requests=total_requests,
        target_replicas=target_replicas,
        config=config,
    )
    if started is not None:
        return apply_bounds(started, lower=lower, upper=upper), counter
    desired = desired_replicas(
        total_requests,
        running_replicas=running_replicas,
        target_ongoing_requests=config.target_ongoing_requests,
    )
    scaled = apply_scaling_factors(desired, running_replicas=running_replicas, config=config)
    bounded = apply_bounds(scaled, lower=lower, upper=upper)
    replicas, counter = apply_delays(
        bounded, target_replicas=target_replicas, counter=counter, config=config, passes=passes
    )
    return apply_bounds(replicas, lower=lower, upper=upper), counter
