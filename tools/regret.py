"""Put regret and frontier on recorded traffic into the docs, from the folders of finished runs with the optimum.

hindscale backtest RECORDING --policy optimum --policy hpa:target=50..90/5 ... --out RUN
python tools/regret.py RUN...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hindscale.backtesting.regret import PARTS
from hindscale.core.catalog import parse_entry
from hindscale.core.units import format_amount, percent

PAGE = Path(__file__).resolve().parents[1] / "docs" / "regret.md"
BEGIN, END = "<!-- regret: begin -->", "<!-- regret: end -->"


def section(trace: dict[str, Any]) -> str:
    """One recording: what perfect foresight did, each policy's best setting by cause, and all of its settings."""
    policies = trace["policies"]
    foresight = next(each for each in policies if "least_cost" in each)
    families: dict[str, list[dict[str, Any]]] = {}
    for each in policies:
        if each is not foresight:
            families.setdefault(parse_entry(each["policy"])[0], []).append(each)
    paid = cost(foresight)
    said = (
        f"Perfect foresight pays {format_amount(paid)} and keeps {percent(attained(foresight))}; nobody can do it for"
        f" less than {format_amount(foresight['least_cost'])}."
    )
    causes = table(
        ("best setting", "in SLO", "cost", "× foresight", *PARTS), [best_row(each, paid) for each in families.values()]
    )
    frontier = table(
        ("policy", "its settings: in SLO · × foresight"),
        [(name, ", ".join(point(each, paid) for each in by_setting(family))) for name, family in families.items()],
    )
    return f"### {trace['trace']}\n\n{said}\n\n{causes}\n\n{frontier}"


def best_row(family: list[dict[str, Any]], paid: float) -> tuple[str, ...]:
    """The cheapest setting that keeps the SLO, or else the one that comes nearest, with its regret by cause."""
    best = min(family, key=lambda each: (not each["meets_slo"], cost(each) if each["meets_slo"] else -attained(each)))
    lost = best["regret"]
    whole = paid / 100
    mark = "" if best["meets_slo"] else "✗ "
    return (
        f"`{best['policy']}`",
        f"{mark}{percent(attained(best))}",
        format_amount(cost(best)),
        f"{cost(best) / paid:.2f}",
        *(f"{round(lost[part] / whole, 1) + 0.0:+.1f}" for part in PARTS),
    )


def by_setting(family: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings of a policy by cost."""
    return sorted(family, key=cost)


def point(each: dict[str, Any], paid: float) -> str:
    """One setting: what was varied, and where that led; what nothing beats in both is in bold."""
    value = list(parse_entry(each["policy"])[1].values())[-1]
    text = f"{value}: {percent(attained(each))} · {cost(each) / paid:.2f}"
    text = text if each["meets_slo"] else f"✗ {text}"
    return f"**{text}**" if each["on_front"] else text


def cost(each: dict[str, Any]) -> float:
    """Mean over seeds."""
    return float(each["over_seeds"]["cost"]["mean"])


def attained(each: dict[str, Any]) -> float:
    """Mean over seeds."""
    return float(each["over_seeds"]["slo_attainment"]["mean"])


def table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(heading) + " |", "| --- |" + " ---: |" * (len(heading) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    """Rewrite what stands between the marks."""
    runs = [json.loads((Path(run) / "scores.json").read_text()) for run in sys.argv[1:]]
    text = "\n\n".join(section(trace) for run in runs for trace in run["traces"])
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
