"""Put what recorded traffic says into the README and the findings: one table from the folders of finished runs.

hindscale backtest RECORDING... --out RUN
python tools/findings.py RUN...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hindscale.core.units import percent

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/findings.md")
POLICIES = ("fixed", "utilization", "normal-model", "target-tracking", "predictive")
BEGIN, END = "<!-- findings: begin -->", "<!-- findings: end -->"


def rows(scores: dict[str, Any]) -> list[str]:
    """One row a recording of a run's `scores.json`, one column a policy."""
    return [_row(trace["trace"], {each["policy"]: each for each in trace["policies"]}) for trace in scores["traces"]]


def _row(recording: str, policies: dict[str, Any]) -> str:
    """Attainment and relative cost of each policy; in bold the cheapest that meets the SLO without hindsight."""
    costs = {name: each["over_seeds"]["cost"]["mean"] for name, each in policies.items()}
    choices = [name for name, each in policies.items() if each["meets_slo"] and not each["hindsight"]]
    cells = []
    for name in POLICIES:
        attained = policies[name]["over_seeds"]["slo_attainment"]["mean"]
        text = f"{percent(attained)} · {costs[name] / costs['fixed']:.2f}"
        text = text if policies[name]["meets_slo"] else f"✗ {text}"
        cells.append(f"**{text}**" if choices and name == min(choices, key=lambda choice: costs[choice]) else text)
    return f"| {recording} | " + " | ".join(cells) + " |"


def table(rows_of_all: list[str]) -> str:
    """The rows under their heading, as Markdown."""
    head = ["fixed, hindsight", *POLICIES[1:]]
    return "\n".join(["| recording | " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(head), *rows_of_all])


def main() -> None:
    """Rewrite what stands between the marks."""
    found = [row for run in sys.argv[1:] for row in rows(json.loads((Path(run) / "scores.json").read_text()))]
    for page in PAGES:
        path = ROOT / page
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
