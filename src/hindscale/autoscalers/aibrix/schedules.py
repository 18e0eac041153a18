"""Bounds by the time of day: `spec.schedules` of a PodAutoscaler."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from hindscale.autoscalers.kubernetes.errors import invalid
from hindscale.autoscalers.kubernetes.fields import Fields

__all__ = ["DAYS", "ScheduledBounds", "bounds_at", "schedules_from"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledBounds:
    """Bounds that hold on some days from one minute of the day to another.

    Attributes:
        name: Of the schedule.
        days: Numbers from 0, Monday.
        start_minute: First minute of the day.
        end_minute: The minute after the last; > `start_minute`.
        min_replicas: The bound; None keeps the ordinary one.
        max_replicas: The bound; None keeps the ordinary one.
    """

    name: str
    days: tuple[int, ...] = tuple(range(7))
    start_minute: int
    end_minute: int
    min_replicas: int | None = None
    max_replicas: int | None = None


def bounds_at(
    week_s: float, schedules: Sequence[ScheduledBounds], *, min_replicas: int, max_replicas: int
) -> tuple[int, int, str]:
    """The bounds at a time, and the schedule they come from; empty for the ordinary ones.

    Args:
        week_s: Seconds since Monday 00:00; more than a week wraps around.
        schedules: At most one of them holds at a time.
        min_replicas: The ordinary bound.
        max_replicas: The ordinary bound.

    Source: AIBrix `pkg/utils/paschedules`.

    >>> office = ScheduledBounds(name="office", start_minute=480, end_minute=1080, min_replicas=4)
    >>> bounds_at(8 * 3600.0, (office,), min_replicas=1, max_replicas=9)
    (4, 9, 'office')
    """
    day, minute = int(week_s // DAY_S) % 7, int(week_s % DAY_S // 60)
    for one in schedules:
        if day in one.days and one.start_minute <= minute < one.end_minute:
            low = min_replicas if one.min_replicas is None else one.min_replicas
            high = max_replicas if one.max_replicas is None else one.max_replicas
            return low, high, one.name
    return min_replicas, max_replicas, ""


def schedules_from(spec: Fields, *, min_replicas: int, max_replicas: int) -> tuple[tuple[ScheduledBounds, ...], str]:
    """`spec.schedules`, checked, and their common time zone.

    Raises:
        ParameterError: With the field's path.
    """
    items = spec.items("schedules")
    if spec.has("schedules") and not items:
        raise spec.invalid("schedules", "must not be empty")
    read = tuple(_schedule(item, min_replicas, max_replicas) for item in items)
    zones = [item.text("timezone", default="UTC") for item in items]
    for item, zone in zip(items, zones, strict=True):
        if zone != zones[0]:
            raise item.invalid("timezone", "mixed timezone values are not supported")
    for (one, _), (other, item) in combinations(zip(read, items, strict=True), 2):
        if one.name == other.name:
            raise item.invalid("name", "duplicate name")
        overlaps = one.start_minute < other.end_minute and other.start_minute < one.end_minute
        if overlaps and set(one.days) & set(other.days):
            raise item.invalid("startTime", f'overlaps schedule "{one.name}"')
    return read, zones[0] if zones else "UTC"


def _schedule(item: Fields, min_replicas: int, max_replicas: int) -> ScheduledBounds:
    item.only("name", "timezone", "daysOfWeek", "startTime", "endTime", "minReplicas", "maxReplicas")
    name = item.text("name")
    if not _NAME.fullmatch(name):
        raise item.invalid("name", "must use Kubernetes DNS label style")
    start, end = _minute(item, "startTime"), _minute(item, "endTime")
    if start >= end:
        raise item.invalid("startTime", "must be earlier than endTime")
    low = item.integer("minReplicas", default=None, minimum=0)
    high = item.integer("maxReplicas", default=None, minimum=1)
    if low is None and high is None:
        raise item.required("minReplicas", "at least one of minReplicas or maxReplicas must be set")
    if (min_replicas if low is None else low) > (max_replicas if high is None else high):
        raise item.invalid("minReplicas", "must not be greater than the maxReplicas that holds with it")
    return ScheduledBounds(
        name=name,
        days=_days(item),
        start_minute=start,
        end_minute=end,
        min_replicas=low,
        max_replicas=high,
    )


def _minute(item: Fields, name: str) -> int:
    match = _TIME.fullmatch(item.text(name))
    if match is None:
        raise item.invalid(name, "must use HH:MM")
    return 60 * int(match[1]) + int(match[2])


def _days(item: Fields) -> tuple[int, ...]:
    if not item.has("daysOfWeek"):
        return tuple(range(7))
    days = []
    for index, text in enumerate(item.texts("daysOfWeek")):
        if text.lower() not in DAYS:
            raise invalid(f"{item.where('daysOfWeek')}[{index}]", text, "unsupported weekday; write Mon, Tue, ...")
        days.append(DAYS.index(text.lower()))
    if not days:
        raise item.invalid("daysOfWeek", "must not be empty")
    return tuple(sorted(set(days)))
