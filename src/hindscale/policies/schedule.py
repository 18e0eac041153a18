"""A timetable, as cron-based scalers keep it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hindscale.core.checks import require_finite
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.core.values import Decision, Observation

__all__ = ["Schedule"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_S = 86400.0
WEEK_S = 7 * DAY_S
_ENTRY = re.compile(r"(?:(?P<days>[a-z,-]+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})\s*=\s*(?P<replicas>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """So many replicas from a time of day on, until the next entry.

    An entry is `08:00=10`, every day, or `mon-fri 08:00=10`, on those days. What holds at the beginning of
    the week is what the week's last entry says.

    Attributes:
        entries: The timetable; on the command line separated by semicolons.
        begins_at_s: Seconds from Monday 00:00 to the beginning of the run; by default from the trace's
            own start, and Monday 00:00 where that is not known.
    """

    name: ClassVar[str] = "schedule"
    no_manifest: ClassVar[str] = "KEDA's cron trigger keeps timetables, but is not emulated and cannot be read back"
    entries: tuple[str, ...]
    begins_at_s: float = 0.0

    def __post_init__(self) -> None:
        require_finite(begins_at_s=self.begins_at_s)
        if not self.entries:
            raise ParameterError("entries must hold at least one, such as '08:00=10', was empty")
        _week(self.entries)

    @classmethod
    def for_service(cls, spec: ServiceSpec, **given: Any) -> Self:
        if "entries" not in given:
            raise ParameterError("schedule needs a timetable, such as 'schedule:entries=08:00=10;20:00=2'")
        if "begins_at_s" not in given and spec.start is not None:
            midnight = spec.start.replace(hour=0, minute=0, second=0, microsecond=0)
            given["begins_at_s"] = spec.start.weekday() * DAY_S + (spec.start - midnight).total_seconds()
        return cls(**given)

    @property
    def reads(self) -> tuple[str, ...]:
        return ()

    def initial_state(self) -> None:
        return None

    def decide(self, observation: Observation, state: None) -> tuple[Decision, None]:
        now_s = (self.begins_at_s + observation.time_s) % WEEK_S
        week = _week(self.entries)
        since_s, replicas = week[bisect_right(week, (now_s, 2**62)) - 1]  # before the first: the last one
        day, second = divmod(since_s, DAY_S)
        stamp = f"{DAYS[int(day)]} {int(second // 3600):02}:{int(second % 3600 // 60):02}"
        return Decision(desired_replicas=replicas, reason=f"{replicas} since {stamp}"), None


_weeks: dict[tuple[str, ...], list[tuple[float, int]]] = {}


def _week(entries: tuple[str, ...]) -> list[tuple[float, int]]:
    """All switching times of a week in order, with the size from then on."""
    if entries not in _weeks:
        _weeks[entries] = sorted(switch for entry in entries for switch in _switches(entry))
    return _weeks[entries]


def _switches(entry: str) -> list[tuple[float, int]]:
    match = _ENTRY.fullmatch(entry.strip().lower())
    if match is None or int(match["hour"]) > 23 or int(match["minute"]) > 59:
        raise ParameterError(f"an entry must look like '08:00=10' or 'mon-fri 08:00=10', was {entry!r}")
    second = int(match["hour"]) * 3600 + int(match["minute"]) * 60
    return [(day * DAY_S + second, int(match["replicas"])) for day in _days(match["days"], entry)]


def _days(text: str | None, entry: str) -> list[int]:
    if text is None:
        return list(range(7))
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ParameterError(f"days must be among {', '.join(DAYS)}, was {part!r} in {entry!r}")
        begin = DAYS.index(first)
        span = (DAYS.index(last) - begin) % 7 if last else 0
        days += [(begin + step) % 7 for step in range(span + 1)]
    return days
