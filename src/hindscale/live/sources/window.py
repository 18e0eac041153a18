"""From pages to readings: what was counted over the last while, and what follows from it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from hindscale.live.sources.counters import quantile_of_buckets, share_within
from hindscale.live.sources.measured import LATENCY_SHARES, READINGS, Measured, Totals, nothing_measured
from hindscale.live.sources.page import PageReading
from hindscale.live.sources.presets import Preset

__all__ = ["Snapshot", "Window", "next_snapshot"]

Grown = Mapping[Hashable, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything counted up to one moment, and the gauges then, summed over all pages.

    Attributes:
        at_s: The run's time.
        arrived, completed, failed: Requests since the first snapshot.
        ongoing: Requests in service; where a preset counts both together, those that wait as well.
        queued: Requests waiting; likewise.
        accelerator_utilization: Mean over the pages.
        absent: What the preset names and a page did not have.
        buckets: Latencies at or under each bound since the first snapshot.
    """

    at_s: float
    arrived: float = 0.0
    completed: float = 0.0
    failed: float = 0.0
    ongoing: float = 0.0
    queued: float = 0.0
    accelerator_utilization: float = math.nan
    absent: frozenset[str] = frozenset()
    buckets: Mapping[float, float] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Requests that are gone, answered or not."""
        return self.completed + self.failed


def next_snapshot(
    before: Snapshot | None, at_s: float, pages: Sequence[PageReading], grown: Grown, preset: Preset
) -> Snapshot:
    """What was counted before, and what has come since.

    Args:
        before: The snapshot before; None for the first.
        at_s: The run's time.
        pages: All pages, as they are now.
        grown: What their counters have grown by since the snapshot before, by key, summed over pages.
        preset: What is on the pages.
    """
    ongoing, queued = _sum_gauge("ongoing", pages), _sum_gauge("queued", pages)
    if preset.ongoing_includes_queued:
        queued = ongoing
    earlier = before or Snapshot(at_s=at_s, ongoing=ongoing, queued=queued)
    left = {role: _sum_grown(role, grown) for role in ("completed", "failed")}
    arrived = _sum_grown("arrived", grown)
    if preset.arrived is None:
        # Only departures are counted: those that came have left, or are among those that are more inside than before.
        inside = ongoing - earlier.ongoing
        waiting = 0.0 if preset.ongoing_includes_queued else queued - earlier.queued
        arrived = max(left["completed"] + left["failed"] + inside + waiting, 0.0)
    return Snapshot(
        at_s=at_s,
        arrived=earlier.arrived + arrived,
        completed=earlier.completed + left["completed"],
        failed=earlier.failed + left["failed"],
        ongoing=ongoing,
        queued=queued,
        accelerator_utilization=_sum_gauge("accelerator_utilization", pages) / max(len(pages), 1),
        absent=frozenset().union(*(page.absent for page in pages)),
        buckets=_grown_buckets(earlier.buckets, grown),
    )


def _sum_grown(role: str, grown: Grown) -> float:
    return math.fsum(value for key, value in grown.items() if isinstance(key, tuple) and key[0] == role)


def _sum_gauge(role: str, pages: Sequence[PageReading]) -> float:
    return sum(page.gauges.get(role, 0.0) for page in pages)


def _grown_buckets(before: Mapping[float, float], grown: Grown) -> dict[float, float]:
    buckets = dict(before)
    for key, value in grown.items():
        if isinstance(key, tuple) and key[0] == "latency":
            buckets[key[1]] = buckets.get(key[1], 0.0) + value
    return buckets


class Window:
    """The snapshots of the last while, and the readings between the first and the last of them.

    Args:
        preset: What can be measured at all.
        bound_s: The SLO's latency bound.
        window_s: Rates and means are taken over this long.
    """

    def __init__(self, preset: Preset, *, bound_s: float, window_s: float) -> None:
        self._preset = preset
        self._bound_s = bound_s
        self._window_s = window_s
        self._snapshots: deque[Snapshot] = deque()

    @property
    def last(self) -> Snapshot | None:
        """The newest snapshot."""
        return self._snapshots[-1] if self._snapshots else None

    def add(self, snapshot: Snapshot) -> None:
        """Take in the newest snapshot; those that are older than the window go, but for one to count from."""
        self._snapshots.append(snapshot)
        while len(self._snapshots) > 2 and self._snapshots[1].at_s <= snapshot.at_s - self._window_s + 1e-9:
            self._snapshots.popleft()

    def measured(self, now_s: float, trouble: str) -> Measured:
        """The readings; nothing but missing ones until there are two snapshots."""
        if len(self._snapshots) < 2:
            at_s = self._snapshots[0].at_s if self._snapshots else now_s
            return nothing_measured(at_s, trouble or "one measurement so far, and rates need two", Totals())
        first, last = self._snapshots[0], self._snapshots[-1]
        buckets = _between(first, last)
        return Measured(
            at_s=last.at_s,
            readings=self._readings(first, last),
            missing=self._missing(last.absent),
            totals=self._totals(last),
            latency_s={share: quantile_of_buckets(buckets, share) for share in LATENCY_SHARES} if buckets else {},
            ongoing_includes_queued=self._preset.ongoing_includes_queued,
            trouble=trouble,
        )

    def _readings(self, first: Snapshot, last: Snapshot) -> dict[str, float]:
        seconds = last.at_s - first.at_s
        since = self._totals(last).since(self._totals(first))
        answered = (last.completed - first.completed) / since.left if since.left > 0 else math.nan
        # Of the histogram's own entries: a gateway may add up latencies a little later than it counts requests.
        within = share_within(_between(first, last), self._bound_s)
        inside = [each.ongoing for each in list(self._snapshots)[1:]]
        return {
            "arrival_rate_rps": since.arrived / seconds,
            "completion_rate_rps": (last.completed - first.completed) / seconds,
            "ongoing_requests": math.fsum(inside) / len(inside),
            "queued_requests": last.queued,
            "slo_attainment": answered * (1.0 if math.isnan(within) else within),
            "accelerator_utilization": last.accelerator_utilization,
        }

    def _totals(self, snapshot: Snapshot) -> Totals:
        """Counts so far. Where nobody measures latencies, all that were answered count as met."""
        met = snapshot.completed
        if self._preset.latency is not None:
            entries = max(snapshot.buckets.values(), default=0.0)
            within = share_within(snapshot.buckets, self._bound_s) * entries if entries else 0.0
            # A gateway times errors as well: no more can have met the bound than were answered.
            met = min(within, snapshot.completed)
        return Totals(arrived=snapshot.arrived, left=snapshot.left, met=met)

    def _missing(self, absent: frozenset[str]) -> frozenset[str]:
        """The readings that the pages do not give."""
        needs = {
            "arrival_rate_rps": {"arrived"} if self._preset.arrived is not None else {"completed", "ongoing", "queued"},
            "completion_rate_rps": {"completed"},
            "ongoing_requests": {"ongoing"},
            "queued_requests": {"ongoing"} if self._preset.ongoing_includes_queued else {"queued"},
            "slo_attainment": {"completed", "latency"},
            "accelerator_utilization": {"accelerator_utilization"},
        }
        unnamed = {role for role in ("latency", "accelerator_utilization") if getattr(self._preset, role) is None}
        if self._preset.queued is None and not self._preset.ongoing_includes_queued:
            unnamed.add("queued")
        gone = absent | unnamed
        return frozenset(name for name in READINGS if name not in needs or needs[name] & gone)


def _between(first: Snapshot, last: Snapshot) -> dict[float, float]:
    """Latencies at or under each bound that were added between two snapshots."""
    return {bound: count - first.buckets.get(bound, 0.0) for bound, count in last.buckets.items()}
