"""What became of a replayed trace: a value, and how it is printed."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, fields
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from hindscale.core.slo import Slo
from hindscale.core.units import format_duration, percent

__all__ = ["Latency", "LoadReport", "render"]

LATE_S = 0.010
"""A generator that is later than this, at its 99th percentile, is said to be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles, mean and maximum of a latency, in seconds; NaN where nothing was measured."""

    p50_s: float = math.nan
    p90_s: float = math.nan
    p95_s: float = math.nan
    p99_s: float = math.nan
    p999_s: float = math.nan
    mean_s: float = math.nan
    max_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What became of a replayed trace. Latencies count from the instant a request was due, not from when it was sent.

    Attributes:
        trace: Its name.
        url: Where it was sent.
        speed: How many times faster than recorded.
        service_speed: What latencies were multiplied by.
        slo: The objective; None if there was none.
        duration_s: From the first request's instant to the last answer, on the wall.
        requests: That were due.
        answered: With a status below 400.
        statuses: How often each status came.
        failures: Requests without an answer, by reason.
        slo_attainment: Share of all requests that were answered within the SLO's bound; NaN without an SLO.
        minutes_attainment: Share of the trace's minutes with requests in which at least the SLO's percentile was.
        latency: Of those that were answered, until the last byte.
        first_byte: The same until the first byte of the body: with a stream, time to first token.
        per_token: The mean time per output token after the first, of streams whose length is known.
        lag: How late requests were sent: the generator's own fault.
        held_back: Requests that waited for a free connection.
        is_complete: Whether the whole trace was sent, and every request had its end.
    """

    trace: str
    url: str
    speed: float
    service_speed: float
    slo: Slo | None
    duration_s: float
    requests: int
    answered: int
    statuses: dict[int, int]
    failures: dict[str, int]
    slo_attainment: float
    minutes_attainment: float
    latency: Latency
    first_byte: Latency
    per_token: Latency
    lag: Latency
    held_back: int
    is_complete: bool

    @property
    def offered_rps(self) -> float:
        """Requests a second on the wall."""
        return self.requests / self.duration_s if self.duration_s > 0 else math.nan

    @property
    def remarks(self) -> list[str]:
        """What a reader must know before believing the figures."""
        said = []
        if not self.is_complete:
            said.append("interrupted: these are the requests until then")
        if self.lag.p99_s > LATE_S:
            lag = format_duration(self.lag.p99_s)
            said.append(f"the generator itself was late (p99 {lag}), and latencies include that")
        if self.held_back:
            said.append(f"{self.held_back:,} requests waited for a free connection; raise --connections")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, where NaN has no place and becomes None."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= {"slo": None if self.slo is None else str(self.slo), "offered_rps": self.offered_rps}
        for name, value in values.items():
            if isinstance(value, Latency):
                values[name] = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        return {name: _plain(value) for name, value in values.items()} | {"remarks": self.remarks}


def render(report: LoadReport, *, width: int = 80) -> str:
    """The report as a table."""
    sink = io.StringIO()
    console = Console(file=sink, width=width, highlight=False)
    pace = "" if report.speed == 1 else f", {report.speed:g} times faster than recorded"
    console.print(f"{report.trace} → {report.url}{pace}", soft_wrap=True)
    console.print(
        f"{report.requests:,} requests in {format_duration(report.duration_s)} ({report.offered_rps:,.4g}/s),"
        f" {percent(report.answered / report.requests) if report.requests else '-'} answered",
        soft_wrap=True,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, heading in enumerate(("", "p50", "p90", "p95", "p99", "p99.9", "mean", "max")):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for label, latency in _rows(report).items():
        if not math.isnan(latency.mean_s):
            table.add_row(label, *(format_duration(getattr(latency, each.name)) for each in fields(latency)))
    console.print(table)
    for line in _verdict(report):
        console.print(line, soft_wrap=True)
    return sink.getvalue()


def _rows(report: LoadReport) -> dict[str, Latency]:
    return {
        "latency": report.latency,
        "first byte": report.first_byte,
        "per token": report.per_token,
        "sent late": report.lag,
    }


def _verdict(report: LoadReport) -> list[str]:
    lost = {**{f"status {status}": n for status, n in report.statuses.items() if status >= 400}, **report.failures}
    lines = ["not answered: " + ", ".join(f"{n:,} {reason}" for reason, n in lost.items())] if lost else []
    if report.slo is not None:
        minutes = f", in {percent(report.minutes_attainment)} of the minutes"
        is_met = report.slo_attainment >= report.slo.percentile
        lines.append(f"→ SLO {report.slo} {'met' if is_met else 'missed'}: {percent(report.slo_attainment)}{minutes}")
    return lines + [f"! {remark}" for remark in report.remarks]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
