"""The report's part on regret: what each policy paid above perfect foresight, by cause, over time, and where most."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from hindscale.backtesting.regret import PARTS, Regret
from hindscale.backtesting.result import Row, TraceResult

__all__ = ["regret_data", "regret_table"]

POINTS = 480
DIGITS = 4


def regret_table(result: TraceResult) -> str:
    """A table with a row a policy, as shares of what perfect foresight paid; empty where that is not known."""
    rows = [row for row in result.rows if row.regret is not None]
    if not rows:
        return ""
    headings = "".join(f'<th scope="col">{heading}</th>' for heading in ("policy", "above the least", *PARTS))
    return (
        '<h3>What was paid above the least that anybody could, by cause</h3><p class="scale">In percent of what perfect'
        " foresight paid. Short is what was saved by too few replicas, at the users' expense.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Regret by cause">'
        f'<table class="regret"><thead><tr>{headings}</tr></thead>'
        f"<tbody>{''.join(map(_row, rows))}</tbody></table></div>"
    )


def _row(row: Row) -> str:
    assert row.regret is not None
    shares = row.regret.shares()
    cells = "".join(f"<td>{round(shares[name] * 100, 1) + 0.0:+.1f}</td>" for name in ("total", *PARTS))
    return f"<tr><td>{html.escape(row.policy)}</td>{cells}</tr>"


def regret_data(row: Row, epoch_s: float) -> dict[str, Any] | None:
    """The parts over time, in replicas, and the worst stretches."""
    if row.regret is None:
        return None
    episodes = [
        {**episode.to_dict(), "from_s": episode.from_s + epoch_s, "to_s": episode.to_s + epoch_s}
        for episode in row.episodes
    ]
    return {**_over_time(row.regret, epoch_s), "episodes": episodes}


def _over_time(regret: Regret, epoch_s: float) -> dict[str, list[float]]:
    series = regret.series
    width = -(-len(series.early) // POINTS)
    begins = np.arange(0, len(series.early), width)
    counts = np.diff(np.r_[begins, len(series.early)])
    parts = {
        name: np.add.reduceat(getattr(series, name), begins) / counts for name in ("early", "late", "excess", "short")
    }
    ends_s = (begins + counts) * series.interval_s + epoch_s
    return {
        "time": [round(value, 3) for value in ends_s.tolist()],
        **{name: [float(f"{value:.{DIGITS}g}") for value in values.tolist()] for name, values in parts.items()},
    }
