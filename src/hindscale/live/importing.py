"""A trace and a first service profile out of a running system, from what its Prometheus remembers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hindscale.core.distributions import Constant, Distribution, Empirical, Lognormal
from hindscale.core.errors import MetricsUnavailable, ParameterError
from hindscale.core.units import format_duration
from hindscale.live.sources.counters import quantile_of_buckets
from hindscale.live.sources.presets import Metric, Preset
from hindscale.live.sources.prometheus import PrometheusServer, RangeResult, queries_of
from hindscale.traces.types import RateTrace

__all__ = ["Imported", "import_profile", "import_trace"]

MOST_MISSING = 0.5
"""A history that has more holes than this says too little."""

P90_OF_NORMAL = 1.2815515655446004
FEWEST_STARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A first profile, as far as a history gives it, and what was guessed.

    Attributes:
        slots: The most requests that one replica had in service; None if nobody says.
        service_time: How long a request takes, queueing included where the server does not tell them apart.
        cold_start: From a process's start to its first scrape.
        remarks: What a reader must know of these.
    """

    slots: int | None = None
    service_time: Distribution | None = None
    cold_start: Distribution | None = None
    remarks: Sequence[str] = ()

    def entries(self) -> dict[str, Any]:
        """The entries of a backtest's `service`, those that are known."""
        known: dict[str, Any] = {}
        if self.slots is not None:
            known["slots"] = self.slots
        for name in ("service_time", "cold_start"):
            value: Distribution | None = getattr(self, name)
            if value is not None:
                known[name] = value.to_dict()
        return known


def import_trace(
    server: PrometheusServer, query: str, *, name: str, from_s: float, to_s: float, step_s: float
) -> tuple[RateTrace, list[str]]:
    """Arrivals in windows, from a query for a rate; and remarks on what was missing.

    Windows before the first value are left out; holes are interpolated.

    Raises:
        MetricsUnavailable: If the server does not answer.
        ParameterError: If the query gives no rates, or more than half of them are missing.
    """
    found = server.range(query, from_s=from_s, to_s=to_s, step_s=step_s)
    values = np.array(found.values)
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        raise ParameterError(f"query {query!r} has no value in this time; try it in Prometheus, or a shorter --since")
    values, first_s = values[known[0] :], found.time_s[known[0]]
    holes = ~np.isfinite(values)
    if holes.mean() > MOST_MISSING:
        raise ParameterError(f"query {query!r} has values for only {1 - holes.mean():.0%} of this time; choose another")
    if (values[~holes] < 0).any():
        raise ParameterError(f"query {query!r} is negative in places, so it is no rate; use rate(...) of a counter")
    remarks = [f"{int(holes.sum())} of {len(values)} windows were missing and are interpolated"] if holes.any() else []
    times = np.arange(len(values))
    values[holes] = np.interp(times[holes], times[~holes], values[~holes])
    trace = RateTrace(
        name=name,
        window_s=step_s,
        requests=values * step_s,
        start=datetime.fromtimestamp(first_s - step_s, UTC),
        details={"source": server.address, "query": query},
    )
    return trace, remarks


def arrivals_query(preset: Preset, *, step_s: float) -> str:
    """The query for a preset's arrivals, or for departures where arrivals are not counted: over a window they agree.

    >>> from hindscale.live.sources.presets import preset
    >>> arrivals_query(preset("tgi"), step_s=60.0)
    'sum(rate(tgi_request_count[60000ms]))'
    """
    if preset.arrived is None:
        return queries_of(preset, window_s=step_s)["completion_rate_rps"].value
    return queries_of(preset, window_s=step_s)["arrival_rate_rps"].value


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """A stretch of time of one server."""

    server: PrometheusServer
    from_s: float
    to_s: float
    step_s: float
    remarks: list[str] = field(default_factory=list)

    def range(self, query: str) -> RangeResult:
        return self.server.range(query, from_s=self.from_s, to_s=self.to_s, step_s=self.step_s)

    def series(self, query: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        return self.server.series(query, from_s=self.from_s, to_s=self.to_s, step_s=self.step_s)


def import_profile(server: PrometheusServer, preset: Preset, *, from_s: float, to_s: float, step_s: float) -> Imported:
    """What the history of a preset's metrics says of one replica.

    Raises:
        MetricsUnavailable: If the server does not answer.
    """
    history = _History(server=server, from_s=from_s, to_s=to_s, step_s=step_s)
    slots = _slots(history, preset)
    service_time = _service_time(history, preset)
    cold_start = _cold_start(history, preset)
    return Imported(slots=slots, service_time=service_time, cold_start=cold_start, remarks=tuple(history.remarks))


def _slots(history: _History, preset: Preset) -> int | None:
    """The most requests that one replica was seen to serve at once."""
    values = [value for _, samples in history.series(preset.ongoing.selector()) for _, value in samples]
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    if most < 1:
        history.remarks.append("slots: nothing was ever seen in service; set them")
        return None
    history.remarks.append(f"slots: {most:.0f} is the most that one replica had in service; it may be able to do more")
    return round(most)


def _service_time(history: _History, preset: Preset) -> Distribution | None:
    if preset.latency is None:
        history.remarks.append("service_time: nobody measures latencies; set it")
        return None
    buckets, mean_s = _latencies(history, preset.latency)
    p50, p90 = (quantile_of_buckets(buckets, share) for share in (0.5, 0.9))
    if not (p50 > 0 and math.isfinite(p90)):
        history.remarks.append("service_time: no request was measured in this time; set it")
        return None
    history.remarks.append(
        "service_time: whole latencies, with the queueing of that time in them; lower it if there was"
    )
    sigma = math.log(max(p90 / p50, 1.0)) / P90_OF_NORMAL
    if not mean_s > 0:
        mean_s = p50 * math.exp(sigma**2 / 2)
    cv = math.sqrt(math.expm1(sigma**2))
    return Lognormal(mean_s=mean_s, cv=cv) if cv > 0 else Constant(mean_s)


def _latencies(history: _History, metric: Metric) -> tuple[dict[float, float], float]:
    """The whole time's latencies as a cumulative histogram, and their mean."""
    window = f"[{round((history.to_s - history.from_s) * 1000)}ms]"
    at_end = {"from_s": history.to_s, "to_s": history.to_s, "step_s": 1.0}
    found = history.server.series(f"sum by (le) (increase({metric.selector('_bucket')}{window}))", **at_end)
    buckets = {float(labels["le"]) * metric.unit_s: samples[-1][1] for labels, samples in found if "le" in labels}
    mean = f"sum(increase({metric.selector('_sum')}{window})) / sum(increase({metric.selector('_count')}{window}))"
    means = history.server.range(mean, **at_end).values
    return buckets, means[-1] * metric.unit_s


def _cold_start(history: _History, preset: Preset) -> Distribution | None:
    """From the start of each process to the first time that it was seen."""
    if preset.start_time is None:
        history.remarks.append("cold_start: nobody says when processes were started; set it")
        return None
    starts_s = []
    for _, samples in history.series(preset.start_time.selector()):
        seen: set[float] = set()
        for time_s, started_s in samples:
            # Those that were there when the history begins were seen late, and say nothing.
            if started_s not in seen and time_s > history.from_s + history.step_s and started_s > history.from_s:
                starts_s.append(time_s - started_s)
            seen.add(started_s)
    if not starts_s:
        history.remarks.append("cold_start: no process was started in this time; set it")
        return None
    late = format_duration(history.step_s)
    history.remarks.append(f"cold_start: {len(starts_s)} starts, until the first scrape; up to {late} too long")
    if len(starts_s) < FEWEST_STARTS:
        return Constant(float(np.median(starts_s)))
    return Empirical(tuple(sorted(starts_s)))


def require_answer(server: PrometheusServer) -> float:
    """The server's own time, to see that it answers before anything is asked of it.

    Raises:
        MetricsUnavailable: If it does not.
    """
    now_s = server.instant("time()")
    if now_s is None:
        raise MetricsUnavailable(f"{server.address}: does not say what time it is")
    return now_s
