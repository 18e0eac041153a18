"""Counts what becomes of requests as it happens, in memory that does not grow with their number."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from hindscale.core.slo import Slo
from hindscale.live.load_http import Question
from hindscale.live.load_report import Latency, LoadReport
from hindscale.scoring.histogram import BUCKETS, bucket_of, quantile_s

__all__ = ["LatencyCounts", "Tally"]

PERCENTILES = {"p50_s": 0.5, "p90_s": 0.9, "p95_s": 0.95, "p99_s": 0.99, "p999_s": 0.999}
MINUTE_S = 60.0
FIRST_ERROR = 400


class LatencyCounts:
    """A latency's histogram, and what a histogram cannot tell."""

    def __init__(self) -> None:
        self._counts = np.zeros(BUCKETS, np.int64)
        self._sum_s = 0.0
        self._max_s = 0.0
        self._count = 0

    def add(self, latency_s: float) -> None:
        self._counts[bucket_of(round(latency_s * 1e9))] += 1
        self._sum_s += latency_s
        self._count += 1
        self._max_s = max(self._max_s, latency_s)

    def told(self) -> Latency:
        """Percentiles are within 1.6 %; none is above the maximum."""
        if not self._count:
            return Latency()
        # A bucket's middle may lie above the longest that was measured.
        quantiles = {name: min(quantile_s(self._counts, share), self._max_s) for name, share in PERCENTILES.items()}
        return Latency(**quantiles, mean_s=self._sum_s / self._count, max_s=self._max_s)


class Tally:
    """Counts what happens to requests.

    Args:
        slo: What they are held to.
        service_speed: Latencies count this many times.
    """

    def __init__(self, slo: Slo | None, service_speed: float) -> None:
        self._slo = slo
        self._scale = service_speed
        self._requests: Counter[int] = Counter()  # by minute of the trace
        self._good: Counter[int] = Counter()
        self._statuses: Counter[int] = Counter()
        self._failures: Counter[str] = Counter()
        self._latency, self._first_byte = LatencyCounts(), LatencyCounts()
        self._per_token, self._lag = LatencyCounts(), LatencyCounts()

    @property
    def ended(self) -> int:
        """Requests that have their end."""
        return self._statuses.total() + self._failures.total()

    @property
    def p99_s(self) -> float:
        """Of the latencies so far."""
        return self._latency.told().p99_s

    def sent(self, lag_s: float) -> None:
        """A request was sent, so late."""
        self._lag.add(max(lag_s, 0.0))

    def end(self, question: Question, arrival_s: float, now_s: float) -> None:
        """A request has its end."""
        minute = int(arrival_s // MINUTE_S)
        self._requests[minute] += 1
        if question.failure:
            self._failures[question.failure] += 1
            return
        self._statuses[question.status] += 1
        if question.status >= FIRST_ERROR:
            return
        latency_s = (now_s - question.due_s) * self._scale
        self._latency.add(latency_s)
        if self._slo is not None and latency_s <= self._slo.latency_s:
            self._good[minute] += 1
        if question.first_s is not None:
            self._first_byte.add((question.first_s - question.due_s) * self._scale)
            if question.output_tokens > 1:
                self._per_token.add((now_s - question.first_s) * self._scale / (question.output_tokens - 1))

    def report(self, **known: Any) -> LoadReport:
        """The report, with what else is known."""
        requests = self._requests.total()
        return LoadReport(
            slo=self._slo,
            service_speed=self._scale,
            requests=requests,
            answered=sum(count for status, count in self._statuses.items() if status < FIRST_ERROR),
            statuses=dict(sorted(self._statuses.items())),
            failures=dict(sorted(self._failures.items())),
            slo_attainment=self._good.total() / requests if self._slo and requests else math.nan,
            minutes_attainment=self._minutes_attainment(),
            latency=self._latency.told(),
            first_byte=self._first_byte.told(),
            per_token=self._per_token.told(),
            lag=self._lag.told(),
            **known,
        )

    def _minutes_attainment(self) -> float:
        if self._slo is None or not self._requests:
            return math.nan
        kept = [self._good[minute] >= self._slo.percentile * count for minute, count in self._requests.items()]
        return sum(kept) / len(kept)
