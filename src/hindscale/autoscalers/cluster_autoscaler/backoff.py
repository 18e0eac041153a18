"""Leaving a group alone after its nodes failed to come: 5 min, doubling to 30 min, forgotten after 3 h."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hindscale.core.checks import require_ordered, require_positive

__all__ = ["BACKOFF_DEFAULTS", "Backoff", "BackoffConfig", "back_off", "drop_stale", "is_backed_off", "remove_backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffConfig:
    """The autoscaler's flags.

    Attributes:
        initial_node_group_backoff_duration_s: After the first failure.
        max_node_group_backoff_duration_s: At most.
        node_group_backoff_reset_timeout_s: Since the last failure, after which the next is a first one.
    """

    initial_node_group_backoff_duration_s: float = 300.0
    max_node_group_backoff_duration_s: float = 1800.0
    node_group_backoff_reset_timeout_s: float = 3 * 3600.0

    def __post_init__(self) -> None:
        require_positive(
            initial_node_group_backoff_duration_s=self.initial_node_group_backoff_duration_s,
            node_group_backoff_reset_timeout_s=self.node_group_backoff_reset_timeout_s,
        )
        require_ordered(
            initial_node_group_backoff_duration_s=self.initial_node_group_backoff_duration_s,
            max_node_group_backoff_duration_s=self.max_node_group_backoff_duration_s,
        )


BACKOFF_DEFAULTS = BackoffConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """One group's: how long it was, until when, and when the group last failed."""

    group: str
    duration_s: float
    until_s: float
    last_failed_s: float


def back_off(
    backoffs: Iterable[Backoff], group: str, now_s: float, config: BackoffConfig = BACKOFF_DEFAULTS
) -> tuple[Backoff, ...]:
    """The backoffs after a group failed: from now, for the first duration, or twice the last one if that is over.

    A failure while the group is backed off begins the same duration anew: several nodes that fail together do
    not double it.

    Source: Cluster Autoscaler `utils/backoff/exponential_backoff.go`.

    >>> first = back_off((), "gpu", 0.0)
    >>> again = back_off(first, "gpu", 301.0)
    >>> first[0].until_s, again[0].duration_s
    (300.0, 600.0)
    """
    others = tuple(each for each in backoffs if each.group != group)
    last = next((each for each in backoffs if each.group == group), None)
    if last is None:
        duration_s = config.initial_node_group_backoff_duration_s
    elif last.until_s < now_s:
        duration_s = min(2 * last.duration_s, config.max_node_group_backoff_duration_s)
    else:
        duration_s = last.duration_s
    return (*others, Backoff(group=group, duration_s=duration_s, until_s=now_s + duration_s, last_failed_s=now_s))


def is_backed_off(backoffs: Iterable[Backoff], group: str, now_s: float) -> bool:
    """Whether the group is left alone now; at the very end it is not."""
    return any(each.group == group and each.until_s > now_s for each in backoffs)


def remove_backoff(backoffs: Iterable[Backoff], group: str) -> tuple[Backoff, ...]:
    """The backoffs after a group's nodes came."""
    return tuple(each for each in backoffs if each.group != group)


def drop_stale(
    backoffs: Iterable[Backoff], now_s: float, config: BackoffConfig = BACKOFF_DEFAULTS
) -> tuple[Backoff, ...]:
    """The backoffs without those whose last failure is more than 3 h ago."""
    timeout_s = config.node_group_backoff_reset_timeout_s
    return tuple(each for each in backoffs if each.last_failed_s + timeout_s >= now_s)
