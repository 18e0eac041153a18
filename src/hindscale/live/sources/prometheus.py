"""Measurements from a Prometheus server, by any PromQL."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hindscale.core.errors import MetricsUnavailable, ParameterError, did_you_mean
from hindscale.live.sources._http import Fetcher, require_address
from hindscale.live.sources.counters import quantile_of_buckets, share_within
from hindscale.live.sources.measured import LATENCY_SHARES, READINGS, Measured, Totals, nothing_measured
from hindscale.live.sources.presets import Preset

__all__ = ["PrometheusServer", "PrometheusSource", "Query", "RangeResult", "latency_query", "queries_of"]

REPLICAS_QUERY = "ready_replicas"
_LATENCY, _CLOCK, _NEWEST = "latency", "server clock", "newest "
MOST_POINTS = 11_000
"""Prometheus refuses ranges with more points a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """How one reading is asked for.

    Attributes:
        value: PromQL whose result, summed over its series, is the reading.
        newest: PromQL for the time of the newest raw sample behind it. An instant query answers with what it finds in
            the last five minutes and says nothing of its age; this does. None trusts the answer.
    """

    value: str
    newest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeResult:
    """A query over time, summed over its series.

    Attributes:
        time_s: Unix time of each point.
        values: The value there; NaN where the server has none.
    """

    time_s: tuple[float, ...]
    values: tuple[float, ...]


class PrometheusServer:
    """The HTTP interface of a Prometheus server, or of what speaks like one.

    Args:
        address: Such as http://localhost:9090.
        timeout_s: Longest time for one answer.
        headers: Sent along, such as an authorization.
    """

    def __init__(self, address: str, *, timeout_s: float = 5.0, headers: Mapping[str, str] | None = None) -> None:
        require_address(prometheus=address)
        self.address = address.rstrip("/")
        self._fetcher = Fetcher(timeout_s=timeout_s, headers=headers)

    def instant(self, query: str) -> float | None:
        """A query's value now, summed over its series; None if it has none.

        Raises:
            MetricsUnavailable: If the server does not answer, or the query is wrong.
        """
        return _total(self._data(self._fetcher.fetch(self._url("query", {"query": query}))))

    def instants(self, queries: Mapping[str, str]) -> dict[str, Any]:
        """The data of several queries, asked for at once, or why it did not come."""
        urls = {name: self._url("query", {"query": query}) for name, query in queries.items()}
        pages = self._fetcher.fetch_all(set(urls.values()))
        return {name: self._data_or_trouble(pages[url]) for name, url in urls.items()}

    def range(self, query: str, *, from_s: float, to_s: float, step_s: float) -> RangeResult:
        """A query's values over time, from one Unix time to another, summed over its series.

        Raises:
            MetricsUnavailable: If the server does not answer, or the query is wrong.
        """
        sums: dict[float, float] = {}
        for _, samples in self.series(query, from_s=from_s, to_s=to_s, step_s=step_s):
            for time_s, value in samples:
                sums[round(time_s, 3)] = sums.get(round(time_s, 3), 0.0) + value
        count = math.floor((to_s - from_s) / step_s + 1e-9) + 1
        times = tuple(round(from_s + i * step_s, 3) for i in range(count))
        return RangeResult(time_s=times, values=tuple(sums.get(time_s, math.nan) for time_s in times))

    def series(
        self, query: str, *, from_s: float, to_s: float, step_s: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """A query's series over time: labels, and values by Unix time.

        Raises:
            MetricsUnavailable: If the server does not answer, or the query is wrong.
        """
        found: dict[str, tuple[dict[str, str], list[tuple[float, float]]]] = {}
        begin_s = from_s
        while begin_s <= to_s:
            # In pieces: a server gives no more than so many points at once.
            end_s = min(to_s, begin_s + (MOST_POINTS - 1) * step_s)
            params = {"query": query, "start": repr(begin_s), "end": repr(end_s), "step": repr(step_s)}
            for each in _series(self._data(self._fetcher.fetch(self._url("query_range", params)))):
                key = json.dumps(each["metric"], sort_keys=True)
                samples = found.setdefault(key, (each["metric"], []))[1]
                samples += [(float(time_s), float(value)) for time_s, value in each["values"]]
            begin_s = end_s + step_s
        return list(found.values())

    def close(self) -> None:
        """Give back connections."""
        self._fetcher.close()

    def _url(self, what: str, params: Mapping[str, str]) -> str:
        return f"{self.address}/api/v1/{what}?{urlencode(params)}"

    def _data(self, text: str) -> Any:
        try:
            answer = json.loads(text)
            if answer["status"] != "success":
                raise MetricsUnavailable(f"{self.address}: {answer.get('error', answer['status'])}")
            return answer["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise MetricsUnavailable(f"{self.address}: does not answer like Prometheus: {error!r}") from error

    def _data_or_trouble(self, page: str | MetricsUnavailable) -> Any:
        try:
            return page if isinstance(page, MetricsUnavailable) else self._data(page)
        except MetricsUnavailable as error:
            return error


def _series(data: Any) -> list[dict[str, Any]]:
    if data.get("resultType") == "matrix":
        return list(data["result"])
    raise MetricsUnavailable(f"expected a range of values, Prometheus gave a {data.get('resultType')}")


def _total(data: Any) -> float | None:
    """The sum over the series of an instant result."""
    if data.get("resultType") == "scalar":
        return float(data["result"][1])
    if data.get("resultType") != "vector":
        return None  # a range or a text is no reading
    values = [float(series["value"][1]) for series in data["result"]]
    return math.fsum(values) if values else None


def queries_of(preset: Preset, *, window_s: float) -> dict[str, Query]:
    """The queries for a preset's readings.

    Counters go through `rate`, which knows their resets; a window holds at least four scrapes of 15 s by custom.

    >>> from hindscale.live.sources.presets import preset
    >>> queries_of(preset("vllm"), window_s=60.0)["queued_requests"].value
    'sum(vllm:num_requests_waiting)'
    """
    window = f"[{max(round(window_s * 1000), 1)}ms]"

    def summed(metric: Any, suffix: str = "") -> str:
        return f"sum(rate({metric.selector(suffix)}{window}))"

    def newest(metric: Any, suffix: str = "") -> str:
        return f"max(timestamp({metric.selector(suffix)}))"

    completed, ongoing = preset.completed, preset.ongoing
    queries = {
        "completion_rate_rps": Query(value=summed(completed), newest=newest(completed)),
        "ongoing_requests": Query(value=f"sum({ongoing.selector()})", newest=newest(ongoing)),
    }
    if preset.arrived is not None:
        queries["arrival_rate_rps"] = Query(value=summed(preset.arrived), newest=newest(preset.arrived))
    else:
        inside = " + ".join(f"sum({each.selector()})" for each in (ongoing, preset.queued) if each is not None)
        # Ten looks a window: a server's own step would be a minute, and one look has no slope.
        grew = f"deriv(({inside}){window[:-1]}:{max(round(window_s * 100), 1)}ms])"
        rate = f"clamp_min({summed(completed)} + {grew}, 0)"
        queries["arrival_rate_rps"] = Query(value=rate, newest=newest(completed))
    if preset.queued is not None:
        queries["queued_requests"] = Query(value=f"sum({preset.queued.selector()})", newest=newest(preset.queued))
    elif preset.ongoing_includes_queued:
        queries["queued_requests"] = queries["ongoing_requests"]
    if preset.accelerator_utilization is not None:
        metric = preset.accelerator_utilization
        queries["accelerator_utilization"] = Query(value=f"avg({metric.selector()})", newest=newest(metric))
    return queries


def latency_query(preset: Preset, *, window_s: float) -> Query | None:
    """The query for the latencies of a window, as a cumulative histogram; None where nobody measures them."""
    if preset.latency is None:
        return None
    window = f"[{max(round(window_s * 1000), 1)}ms]"
    return Query(
        value=f"sum by (le) (increase({preset.latency.selector('_bucket')}{window}))",
        newest=f"max(timestamp({preset.latency.selector('_count')}))",
    )


class PrometheusSource:
    """Instant queries, one for each reading, at every tick.

    Args:
        server: Whom to ask.
        queries: By reading, as in `Observation`, and `ready_replicas` where nobody else knows the fleet.
        latency: The latencies of a window as a cumulative histogram, a series for each `le`.
        latency_unit_s: Seconds in one unit of its bounds.
        bound_s: The SLO's latency bound.
        ongoing_includes_queued: `ongoing_requests` counts those that wait as well.
        max_age_s: A reading whose newest raw sample is older than this is stale.
    """

    def __init__(
        self,
        server: PrometheusServer,
        queries: Mapping[str, Query],
        *,
        latency: Query | None = None,
        latency_unit_s: float = 1.0,
        bound_s: float = math.inf,
        ongoing_includes_queued: bool = False,
        max_age_s: float,
    ) -> None:
        known = (*READINGS, REPLICAS_QUERY)
        for name in queries:
            if name not in known:
                raise ParameterError(f"queries: nobody reads {name!r}; {did_you_mean(name, known)}")
        self._server = server
        self._queries = dict(queries) if latency is None else {**queries, _LATENCY: latency}
        self._unit_s = latency_unit_s
        self._bound_s = bound_s
        self._includes_queued = ongoing_includes_queued
        self._max_age_s = max_age_s
        self._totals = Totals()
        self._before_s: float | None = None
        self.ready_replicas: int | None = None
        self._asked = {_CLOCK: "time()"}
        for name, query in self._queries.items():
            self._asked[name] = query.value
            if query.newest is not None:
                self._asked[_NEWEST + name] = query.newest

    def measure(self, now_s: float) -> Measured:
        answers = self._server.instants(self._asked)
        server_s = answers[_CLOCK]
        if isinstance(server_s, MetricsUnavailable):
            return nothing_measured(now_s, str(server_s), self._totals)
        clock_s = _total(server_s)
        assert clock_s is not None
        ages_s = {name: self._age_s(name, answers, clock_s) for name in self._queries}
        old = frozenset(name for name, age_s in ages_s.items() if age_s > self._max_age_s)
        troubles = [f"{name}: {answer}" for name, answer in answers.items() if isinstance(answer, MetricsUnavailable)]
        troubles += [f"{name}: newest sample is {ages_s[name]:.3g} s old" for name in sorted(old)]
        values = self._values(answers)
        buckets = {} if _LATENCY in old else self._buckets(answers.get(_LATENCY))
        if buckets:
            values["slo_attainment"] = share_within(buckets, self._bound_s)
        self._count(now_s, values, old)
        ready = values.pop(REPLICAS_QUERY, math.nan)
        self.ready_replicas = round(ready) if math.isfinite(ready) and REPLICAS_QUERY not in old else None
        return Measured(
            at_s=now_s - max((age_s for name, age_s in ages_s.items() if name not in old), default=0.0),
            readings=values,
            missing=frozenset(READINGS) - values.keys(),
            stale=old & set(READINGS),
            totals=self._totals,
            latency_s={share: quantile_of_buckets(buckets, share) for share in LATENCY_SHARES} if buckets else {},
            ongoing_includes_queued=self._includes_queued,
            trouble="; ".join(troubles),
        )

    def close(self) -> None:
        self._server.close()

    def _values(self, answers: Mapping[str, Any]) -> dict[str, float]:
        """What was answered with a number, by reading."""
        values = {}
        for name in self._queries.keys() - {_LATENCY}:
            total = None if isinstance(answers[name], MetricsUnavailable) else _total(answers[name])
            if total is not None:
                values[name] = total
        return values

    def _buckets(self, answer: Any) -> dict[float, float]:
        if answer is None or isinstance(answer, MetricsUnavailable):
            return {}
        return {
            float(series["metric"]["le"]) * self._unit_s: float(series["value"][1])
            for series in answer["result"]
            if "le" in series["metric"]
        }

    def _age_s(self, name: str, answers: Mapping[str, Any], clock_s: float) -> float:
        """How old a reading is by the server's own clock; what ours says does not matter."""
        newest = answers.get(_NEWEST + name)
        if newest is None or isinstance(newest, MetricsUnavailable):
            return 0.0
        newest_s = _total(newest)
        # No raw sample at all: the reading is missing, which is another thing than old.
        return 0.0 if newest_s is None or not math.isfinite(newest_s) else max(clock_s - newest_s, 0.0)

    def _count(self, now_s: float, values: Mapping[str, float], old: frozenset[str]) -> None:
        """Requests since the last tick, from rates: what is not known adds nothing."""
        seconds = 0.0 if self._before_s is None else now_s - self._before_s
        self._before_s = now_s

        def requests(name: str) -> float:
            rate_rps = values.get(name, math.nan)
            return 0.0 if name in old or not math.isfinite(rate_rps) else max(rate_rps, 0.0) * seconds

        left, share = requests("completion_rate_rps"), values.get("slo_attainment", math.nan)
        self._totals = Totals(
            arrived=self._totals.arrived + requests("arrival_rate_rps"),
            left=self._totals.left + left,
            met=self._totals.met + left * (share if math.isfinite(share) else 1.0),
        )
