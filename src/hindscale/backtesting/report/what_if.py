"""What alternatives are worth, as one HTML page: no network, light and dark, readable on a phone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from hindscale.backtesting.report import asset, template
from hindscale.backtesting.result import Row, describe_scale
from hindscale.backtesting.table import money
from hindscale.backtesting.what_if import Answer, Effect, WhatIfResult, signed
from hindscale.core.files import atomic_writer
from hindscale.core.units import format_duration, percent

__all__ = ["what_if_html", "write_what_if"]

_HEADINGS = ("policy", "in SLO", "minutes", "p99", "cost", "difference", "a month", "mean", "actions")


def write_what_if(result: WhatIfResult, path: str | Path) -> None:
    """Write the page.

    Raises:
        OutputError: If it cannot be written.
    """
    with atomic_writer(path) as file:
        file.write(what_if_html(result).encode())


def what_if_html(result: WhatIfResult) -> str:
    """The page as text."""
    base = result.question.base
    names = ", ".join(trace.name for trace in base.traces)
    return template("what_if.html").substitute(
        title=html.escape(f"What would it be worth to {base.service.name}?"),
        subtitle=html.escape(f"{names} · SLO {base.slo} · {base.seeds} seeds · a month is 30 days of this traffic"),
        traces="\n".join(_trace_section(result, number) for number in range(len(result.base.traces))),
        footer=_footer(result),
        css=asset("report.css"),
    )


def _trace_section(result: WhatIfResult, number: int) -> str:
    before, answers = result.base.traces[number], result.answers(number)
    largest = max((_reach(effect) for answer in answers for effect in answer.effects), default=0.0)
    return template("what_if_trace.html").substitute(
        index=number,
        name=html.escape(before.trace),
        scale=html.escape(describe_scale(result.base, before.trace).partition(": ")[2]),
        verdict=html.escape(f"As it is: {before.verdict()}"),
        alternatives="\n".join(_alternative(answer, largest) for answer in answers),
        headings="".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS),
        rows=_rows(before.rows, answers),
    )


# -- the chart: a bar a policy, to the left for what is saved, to the right for what is paid more ------


def _alternative(answer: Answer, largest: float) -> str:
    bars = "".join(_bar(effect, largest) for effect in answer.effects)
    changes = answer.alternative.text.removeprefix(answer.name).removeprefix(":")
    meaning = f'<p class="scale">{html.escape(answer.name)}: {html.escape(changes)}</p>' if changes else ""
    return (
        f'<section class="alternative"><h3>{html.escape(answer.verdict())}</h3>{meaning}'
        f'<div class="worth">{bars}</div></section>'
    )


def _bar(effect: Effect, largest: float) -> str:
    """Name, amount and bar; the line across the bar is the interval. The text says all that the bar shows."""
    mean, half_width = effect.monthly_cost.mean, effect.monthly_cost.half_width
    kind = ' class="more"' if mean > 0 else ""
    bar = f"<i{kind} {_span(min(mean, 0.0), max(mean, 0.0), largest)}></i>"
    if half_width > 0:
        bar += f"<b {_span(mean - half_width, mean + half_width, largest)}></b>"
    return (
        f"<span>{_mark(effect.after)}{html.escape(effect.after.label)}</span>"
        f'<span class="amount">{html.escape(signed(effect.monthly_cost))}</span>'
        f'<div class="bar" aria-hidden="true">{bar}</div>'
    )


def _span(low: float, high: float, largest: float) -> str:
    """Where something from `low` to `high` lies on an axis from -largest to largest."""
    scale = 50 / largest if largest else 0.0
    return f'style="left: {50 + low * scale:.2f}%; width: {(high - low) * scale:.2f}%"'


def _reach(effect: Effect) -> float:
    """How far a bar and its interval go from zero."""
    half_width = effect.monthly_cost.half_width
    return abs(effect.monthly_cost.mean) + (half_width if half_width > 0 else 0.0)


# -- the table ---------------------------------------------------------------------------------------


def _rows(before: Sequence[Row], answers: Sequence[Answer]) -> str:
    parts = [_group("as it is"), *(_row(row, "", "") for row in before)]
    for answer in answers:
        parts.append(_group(answer.alternative.text))
        parts += [_row(each.after, signed(each.cost), signed(each.monthly_cost)) for each in answer.effects]
    return "".join(parts)


def _group(name: str) -> str:
    return f'<tr class="group"><td colspan="{len(_HEADINGS)}">{html.escape(name)}</td></tr>'


def _row(row: Row, difference: str, monthly: str) -> str:
    cells = (
        percent(row.mean("slo_attainment")),
        percent(row.mean("minutes_attainment")),
        format_duration(row.mean("p99_s")),
        money(row.over_seeds("cost")),
        difference,
        monthly,
        f"{row.mean('mean_replicas'):.2f}",
        f"{row.mean('scaling_actions'):,.0f}",
    )
    kind = "" if row.meets_slo else ' class="misses"'
    first = f"<td>{_mark(row)}{html.escape(row.label)}</td>"
    return f"<tr{kind}>{first}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _mark(row: Row) -> str:
    said, mark = ("meets the SLO", "✓") if row.meets_slo else ("misses the SLO", "✗")
    return f'<span class="mark" role="img" aria-label="{said}">{mark}</span>'


def _footer(result: WhatIfResult) -> str:
    service = result.question.base.service
    facts = (
        (
            f"As it is, {service.name}: {service.slots} slots, service time {service.service_time}, cold start"
            f" {service.cold_start}, {service.price_per_replica_hour:g} an hour"
        ),
        (
            f"{result.finished_runs} of {result.question.asked_runs} runs; differences are taken seed by seed, with"
            " 95 % confidence intervals of what chance adds in the simulation, not of what next month brings"
        ),
        "made by hindscale",
    )
    return "".join(f"<p>{html.escape(fact)}</p>" for fact in facts)
