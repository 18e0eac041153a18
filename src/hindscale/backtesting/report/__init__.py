"""The comparison as one HTML page: no network, light and dark, readable on a phone."""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.backtesting.report.foresight import regret_data, regret_table
from hindscale.backtesting.result import BacktestResult, Row, TraceResult, describe_scale
from hindscale.backtesting.series import Action, RunSeries
from hindscale.backtesting.table import lost_share, money
from hindscale.core.files import atomic_writer
from hindscale.core.units import format_duration, percent
from hindscale.vendor import vendored

__all__ = ["MOST_BYTES", "asset", "packed", "report_html", "rounded", "template", "write_report"]

MOST_BYTES = 2_000_000
FIRST_ACTION_LIMIT = 20_000


def write_report(result: BacktestResult, path: str | Path) -> None:
    """Write the page.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_writer(path) as file:
        file.write(report_html(result).encode())


def report_html(result: BacktestResult) -> str:
    """The page as text, below `MOST_BYTES`: where scaling actions are too many, the largest are kept."""
    limit = FIRST_ACTION_LIMIT
    page = _page(result, limit)
    while len(page.encode()) > MOST_BYTES and limit > 100:
        limit //= 2
        page = _page(result, limit)
    return page


def _page(result: BacktestResult, action_limit: int) -> str:
    backtest = result.backtest
    names = ", ".join(trace.name for trace in backtest.traces)
    return template("template.html").substitute(
        title=html.escape(f"Which policy should {backtest.service.name} run?"),
        subtitle=html.escape(
            f"{names} · SLO {backtest.slo} · decision every {format_duration(backtest.control_interval_s)}"
            f" · {backtest.seeds} seed{'s' * (backtest.seeds > 1)}"
        ),
        traces="\n".join(_trace_section(result, i) for i in range(len(result.traces))),
        footer=_footer(result),
        data=packed(_data(result, action_limit)),
        css=asset("report.css"),
        js=asset("report.js"),
        vendor_css=vendored("uPlot.min.css"),
        vendor_js=vendored("uPlot.iife.min.js"),
    )


def asset(name: str) -> str:
    """A file that goes into pages."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def template(name: str) -> Template:
    """A page or a part of one, with places to fill in."""
    return Template(asset(name))


# -- tables: they say everything, also without JavaScript --------------------------------------------

_HEADINGS = (
    "policy",
    "in SLO",
    "minutes",
    "p50",
    "p95",
    "p99",
    "lost",
    "cost",
    "×best",
    "mean",
    "max",
    "actions",
    "reversals",
)


def _trace_section(result: BacktestResult, index: int) -> str:
    trace_result = result.traces[index]
    best_cost = trace_result.best.mean("cost") if trace_result.best else math.nan
    return (
        template("trace.html")
        .substitute(
            index=index,
            name=html.escape(trace_result.trace),
            scale=html.escape(describe_scale(result, trace_result.trace).partition(": ")[2]),
            verdict=html.escape(trace_result.verdict()),
            headings="".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS),
            rows="".join(_table_row(row, best_cost) for row in trace_result.rows),
            regret=regret_table(trace_result),
        )
        .replace('class="verdict"', 'class="verdict none"' if trace_result.best is None else 'class="verdict"')
    )


def _table_row(row: Row, best_cost: float) -> str:
    ratio = row.mean("cost") / best_cost if best_cost > 0 else math.nan
    mark = "✓" if row.meets_slo else "✗"
    said = "meets the SLO" if row.meets_slo else "misses the SLO"
    cells = (
        percent(row.mean("slo_attainment")),
        percent(row.mean("minutes_attainment")),
        format_duration(row.mean("p50_s")),
        format_duration(row.mean("p95_s")),
        format_duration(row.mean("p99_s")),
        percent(row.mean(lost_share)),
        money(row.over_seeds("cost")),
        "–" if math.isnan(ratio) else f"{ratio:.2f}",
        f"{row.mean('mean_replicas'):.2f}",
        f"{row.mean('most_replicas'):.0f}",
        f"{row.mean('scaling_actions'):,.0f}",
        f"{row.mean('reversals'):,.0f}",
    )
    kind = "" if row.meets_slo else ' class="misses"'
    first = f'<td><span class="mark" role="img" aria-label="{said}">{mark}</span>{html.escape(row.label)}</td>'
    return f"<tr{kind}>{first}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _footer(result: BacktestResult) -> str:
    service, cluster = result.backtest.service, result.backtest.settings.cluster
    vertical = result.backtest.settings.vertical
    price = f"{service.price_per_replica_hour:g} an hour"
    if cluster is not None:
        price = f"requests {service.resource_request}; nodes: {'; '.join(map(str, cluster.pools))}"
    if vertical is not None:
        price += f"; vertical autoscaler: {vertical}"
    done = f"{result.finished_runs} of {len(result.backtest.runs)} runs"
    facts = (
        (
            f"{service.name}: {service.slots} slots, service time {service.service_time}, cold start"
            f" {service.cold_start}, {service.balancer}, {price}"
        ),
        f"{done}; costs with 95 % confidence intervals over seeds; charts show the first seed",
        "made by hindscale",
    )
    return "".join(f"<p>{html.escape(fact)}</p>" for fact in facts)


# -- data for the charts -----------------------------------------------------------------------------


def _data(result: BacktestResult, action_limit: int) -> dict[str, Any]:
    runs = sum(row.series is not None for each in result.traces for row in each.rows)
    reasons = _Dictionary()
    traces = [_trace_data(result, each, reasons, max(action_limit // max(runs, 1), 20)) for each in result.traces]
    return {"traces": traces, "reasons": reasons.texts}


def _trace_data(
    result: BacktestResult, trace_result: TraceResult, reasons: _Dictionary, action_limit: int
) -> dict[str, Any]:
    start = next(trace.start for trace in result.backtest.traces if trace.name == trace_result.trace)
    epoch_s = 0.0 if start is None else start.timestamp()
    axes = _Axes(epoch_s)
    slo = result.backtest.slo
    front = trace_result.front
    policies = [
        {**_policy_data(row, reasons, axes, action_limit), "front": any(row is each for each in front)}
        for row in trace_result.rows
    ]
    return {
        "start": None if start is None else epoch_s,
        "slo": {"latency_s": slo.latency_s, "percentile": slo.percentile},
        "least_cost": next((row.least_cost for row in trace_result.rows if row.least_cost is not None), None),
        "axes": axes.drawn,
        "policies": policies,
    }


class _Axes:
    """Times and traffic by number: policies that decide at the same pace share theirs."""

    def __init__(self, epoch_s: float) -> None:
        self.epoch_s = epoch_s
        self.drawn: list[dict[str, list[float | None]]] = []

    def number(self, series: RunSeries) -> int:
        axis = {"time": rounded(series.time_s + self.epoch_s, 12), "rate": rounded(series.rate_rps)}
        times = [known["time"] for known in self.drawn]
        if axis["time"] not in times:
            self.drawn.append(axis)
            return len(self.drawn) - 1
        return times.index(axis["time"])


def _policy_data(row: Row, reasons: _Dictionary, axes: _Axes, action_limit: int) -> dict[str, Any]:
    actions = () if row.series is None else row.series.actions
    return {
        "label": row.label,
        "name": row.name,
        "hindsight": row.hindsight,
        "cost": row.mean("cost"),
        "attainment": row.mean("slo_attainment"),
        "half_widths": [_known(row.over_seeds(name).half_width) for name in ("cost", "slo_attainment")],
        "runs": [[each.cost, each.slo_attainment] for each in row.scores],
        "regret": regret_data(row, axes.epoch_s),
        "series": None if row.series is None else {"axis": axes.number(row.series), **_series_data(row.series)},
        "actions_total": len(actions),
        "actions": [
            [
                round(action.time_s + axes.epoch_s, 3),
                action.before,
                action.after,
                action.desired,
                reasons.number(action.limited_by),
                reasons.number(action.reason),
            ]
            for action in _largest(actions, action_limit)
        ],
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _series_data(series: RunSeries) -> dict[str, list[float | None]]:
    columns = {
        "billed": series.billed,
        "ready": series.ready,
        "target": series.target,
        "p50": series.p50_s,
        "p95": series.p95_s,
        "p99": series.p99_s,
        "queued": series.queued,
    }
    return {name: rounded(values) for name, values in columns.items()} | {"attainment": rounded(series.attainment, 6)}


def _largest(actions: Iterable[Action], limit: int) -> list[Action]:
    """The actions that change the fleet most, in order of time."""
    ranked = sorted(actions, key=lambda action: -abs(action.after - action.before))[:limit]
    return sorted(ranked, key=lambda action: action.time_s)


def rounded(values: NDArray[np.float64], digits: int = 4) -> list[float | None]:
    """Numbers to some significant digits, whole ones as integers; NaN becomes null."""
    return [None if math.isnan(value) else _short(float(f"{value:.{digits}g}")) for value in values.tolist()]


def _short(value: float) -> float:
    return int(value) if value == int(value) else value


class _Dictionary:
    """Texts by number, each stored once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


def packed(data: dict[str, Any]) -> str:
    """What a page's script draws, as gzipped JSON in base64."""
    # mtime=0: the same comparison gives the same page.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
