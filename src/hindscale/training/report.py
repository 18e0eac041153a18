"""The page of a training: how it learned, what it does, and how it does beside others. One file, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from hindscale.training.action_map import ActionMap

__all__ = ["ComparedRow", "TrainingPage", "render"]

WIDTH, HEIGHT, MARGIN = 640, 260, 44


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One line of the table, its figures as they are printed."""

    policy: str
    meets_slo: bool
    attained: str
    cost: str
    ratio: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPage:
    """What the page shows.

    Attributes:
        title: Its heading.
        subtitle: What was trained on what.
        round_steps: Environment steps in a round.
        curves: Mean validation reward after each round, by seed.
        best_seed: The seed whose network was kept.
        actions: What that network does.
        rows: The comparison; empty for none.
        remark: What the comparison is of.
    """

    title: str
    subtitle: str
    round_steps: int
    curves: dict[int, Sequence[float]]
    best_seed: int
    actions: ActionMap
    rows: Sequence[ComparedRow]
    remark: str


def render(page: TrainingPage) -> str:
    """The page as HTML."""
    return _template("report.html").substitute(
        title=html.escape(page.title),
        subtitle=html.escape(page.subtitle),
        css=_text("report.css"),
        comparison=_comparison(page),
        curve=_curve_figure(page),
        map=_map_figure(page.actions),
    )


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_text(name))


def _comparison(page: TrainingPage) -> str:
    if not page.rows:
        return f"<p>{html.escape(page.remark)}</p>"
    headings = "".join(f'<th scope="col">{each}</th>' for each in ("policy", "in SLO", "cost", "× optimum"))
    rows = "".join(_table_row(row) for row in page.rows)
    table = f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<p>{html.escape(page.remark)}</p><div class="scroll" tabindex="0">{table}</div>'


def _table_row(row: ComparedRow) -> str:
    mark = "✓" if row.meets_slo else "✗"
    cells = (f"{mark} {row.policy}", row.attained, row.cost, row.ratio)
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _curve_figure(page: TrainingPage) -> str:
    values = [value for curve in page.curves.values() for value in curve]
    low, high = min(values), max(values)
    rounds = max(len(curve) for curve in page.curves.values())

    def at(number: int, value: float) -> str:
        x = MARGIN + (WIDTH - MARGIN - 8) * (number + 1) / rounds
        y = 8 + (HEIGHT - MARGIN - 8) * (high - value) / max(high - low, 1e-12)
        return f"{x:.1f},{y:.1f}"

    lines = "".join(
        f'<polyline class="curve{" best" * (seed == page.best_seed)}"'
        f' points="{" ".join(at(number, value) for number, value in enumerate(curve))}"/>'
        for seed, curve in sorted(page.curves.items(), key=lambda pair: pair[0] == page.best_seed)
    )
    labels = _labels(f"{high:.3g}", f"{low:.3g}", f"{rounds * page.round_steps:,} environment steps")
    text = (
        f"Mean validation reward by environment steps, one line a seed; kept was the network of seed {page.best_seed}."
    )
    return f"<figure>{_svg(lines + labels, text)}<figcaption>{text} Higher is better.</figcaption></figure>"


def _map_figure(actions: ActionMap) -> str:
    rows, columns = actions.allowed.shape
    width, height = (WIDTH - MARGIN - 8) / columns, (HEIGHT - MARGIN - 8) / rows
    cells = []
    for row in range(rows):
        for column in range(columns):
            size, fleet = int(actions.allowed[row, column]), int(actions.fleets[row])
            x, y = MARGIN + column * width, 8 + (rows - 1 - row) * height
            cells.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width + 0.3:.1f}" height="{height + 0.3:.1f}"'
                f" {_color(size, fleet)}/>"
            )
    labels = _labels(f"{actions.fleets[-1]}", f"{actions.fleets[0]}", f"load, up to {actions.loads[-1]:.3g} replicas")
    text = (
        "Steps by steady load (to the right) and fleet (upwards), at noon, behind the shield: green adds, red removes,"
        " the stronger the more; grey stays; nothing is drawn where training has not been."
        f" Of neighbouring loads {actions.violations:.2%} ask for fewer replicas at the higher load"
        f" ({actions.violations_behind_shield:.2%} behind the shield)."
    )
    return f"<figure>{_svg(''.join(cells) + labels, text)}<figcaption>{text}</figcaption></figure>"


def _color(size: int, fleet: int) -> str:
    if size < 0:
        return 'fill="none"'
    if size == fleet:
        return 'style="fill:var(--same)"'
    strength = min(0.25 + 1.5 * abs(size - fleet) / max(fleet, 1), 1.0)
    return f'style="fill:var(--{"more" if size > fleet else "fewer"});fill-opacity:{strength:.2f}"'


def _labels(top: str, bottom: str, across: str) -> str:
    base = HEIGHT - MARGIN
    return (
        f'<line class="axis" x1="{MARGIN}" y1="{base}" x2="{WIDTH - 8}" y2="{base}"/>'
        f'<line class="axis" x1="{MARGIN}" y1="8" x2="{MARGIN}" y2="{base}"/>'
        f'<text x="{MARGIN - 4}" y="18" text-anchor="end">{html.escape(top)}</text>'
        f'<text x="{MARGIN - 4}" y="{base}" text-anchor="end">{html.escape(bottom)}</text>'
        f'<text x="{WIDTH - 8}" y="{base + 18}" text-anchor="end">{html.escape(across)}</text>'
    )


def _svg(inside: str, label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">{inside}</svg>'
