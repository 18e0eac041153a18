"""What a scaling activity does to the next one: cooldowns of Application Auto Scaling, warm-up of EC2 Auto Scaling.

After scaling out, the service goes on scaling out only if that asks for more than it already added: the
next size is computed from the capacity before. After scaling in, it waits; but scaling out may come at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = [
    "Activity",
    "Warmup",
    "complete",
    "scale_in_is_blocked",
    "scale_out_base",
    "track_warmup",
    "warming_replicas",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The latest scaling activity.

    Attributes:
        direction: 1 for out, -1 for in, 0 for none yet.
        base: The capacity before it; for a scale-out that extends another in its cooldown, before that one.
        completed_at_s: When it was complete; None while it is in progress.
    """

    direction: int = 0
    base: int = 0
    completed_at_s: float | None = None


def complete(activity: Activity, *, now_s: float, is_settled: bool) -> Activity:
    """The activity, complete if the fleet has reached the size it asked for.

    The cooldown begins here: a slow start of replicas makes it begin that much later.

    Source: Application Auto Scaling user guide, "Define cooldown periods".
    """
    if activity.direction == 0 or activity.completed_at_s is not None or not is_settled:
        return activity
    return replace(activity, completed_at_s=now_s)


def _is_in_effect(activity: Activity, direction: int, now_s: float, cooldown_s: float) -> bool:
    if activity.direction != direction:
        return False
    return activity.completed_at_s is None or now_s < activity.completed_at_s + cooldown_s


def scale_out_base(activity: Activity, *, capacity: int, now_s: float, cooldown_s: float) -> int:
    """The capacity from which the next scale-out is computed.

    While an earlier one is in progress or in its cooldown, that is the capacity before it: what it added
    counts as part of what is wanted now.

    Source: Application Auto Scaling, API reference, StepScalingPolicyConfiguration, Cooldown.

    >>> added_two = Activity(direction=1, base=4, completed_at_s=100.0)
    >>> scale_out_base(added_two, capacity=6, now_s=160.0, cooldown_s=300.0)  # +3 would come to 7: one more
    4
    >>> scale_out_base(added_two, capacity=6, now_s=400.0, cooldown_s=300.0)
    6
    """
    return activity.base if _is_in_effect(activity, 1, now_s, cooldown_s) else capacity


def scale_in_is_blocked(activity: Activity, *, now_s: float, cooldown_s: float) -> str:
    """Why nothing may be removed now; empty if it may.

    Source: Application Auto Scaling user guide, "Define cooldown periods". That a scale-out in progress
    holds scaling in is the documented rule of EC2 Auto Scaling, taken over here.
    """
    if activity.direction > 0 and activity.completed_at_s is None:
        return "a scale-out is in progress"
    if _is_in_effect(activity, -1, now_s, cooldown_s):
        ends_s = math.inf if activity.completed_at_s is None else activity.completed_at_s + cooldown_s
        return f"scale-in cooldown until {ends_s:g} s"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """Which replicas are too new to count.

    Attributes:
        ready: How many were ready at the last look.
        batches: When some became ready, and how many.
    """

    ready: int | None = None
    batches: tuple[tuple[float, int], ...] = ()


def track_warmup(warmup: Warmup, *, ready: int, now_s: float, warmup_s: float) -> Warmup:
    """Remember who became ready, and forget who has warmed up. Those at the first look count as warm."""
    batches = tuple(batch for batch in warmup.batches if now_s < batch[0] + warmup_s)
    if warmup.ready is not None and ready > warmup.ready:
        batches = (*batches, (now_s, ready - warmup.ready))
    return Warmup(ready=ready, batches=batches)


def warming_replicas(warmup: Warmup, *, unready: int) -> int:
    """Replicas that are not counted as capacity yet: not ready, or ready for less than the warm-up time.

    Source: Amazon EC2 Auto Scaling user guide, "Set the default instance warmup".

    >>> warming_replicas(Warmup(ready=6, batches=((100.0, 2),)), unready=1)
    3
    """
    newly_ready = sum(count for _, count in warmup.batches)
    return unready + min(newly_ready, warmup.ready or 0)
