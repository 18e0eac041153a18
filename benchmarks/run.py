"""Runs the benchmarks and prints one table; `--write` keeps it.

Usage: python benchmarks/run.py [--quick] [--write] [NAME...]
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from _measuring import Figure, machine

NAMES = (
    "engines",
    "limits",
    "memory",
    "cores",
    "startup",
    "week",
    "ticks",
    "decisions",
    "forecasts",
    "training",
    "optimum",
    "arrivals",
    "reading",
    "gateway",
    "controller",
    "load",
)
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones; all by default: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="smaller, in about ten seconds; noisier")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} and refresh docs/{PAGE.name}")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark is called {sorted(unknown)[0]!r}; choose from {', '.join(NAMES)}")
    if given.write and (given.quick or given.names):
        parser.error("--write keeps whole measurements only; leave out --quick and names")

    on = machine()
    groups = {}
    for name in given.names or NAMES:
        title, figures = perform(name, quick=given.quick)
        groups[name] = (title, figures)
    text = render(on, groups)
    print(text, end="")
    if given.write:
        write(on, groups, text)


def perform(name: str, *, quick: bool) -> tuple[str, list[Figure]]:
    """Run one benchmark, and say on stderr how it goes."""
    module = importlib.import_module(name)
    print(f"{name} ...", file=sys.stderr)
    figures = []
    for figure in module.measure(quick=quick):
        print(f"  {figure.name}: {shown(figure)}", file=sys.stderr)
        figures.append(figure)
    return module.TITLE, figures


def render(on: dict[str, str], groups: dict[str, tuple[str, list[Figure]]]) -> str:
    """The machine, the table, the remarks and what falls short, in Markdown."""
    notes: list[str] = []
    rows = []
    for title, figures in groups.values():
        rows.append(f"| **{title}** | | | |")
        for figure in figures:
            mark = ""
            if figure.note:
                if figure.note not in notes:
                    notes.append(figure.note)
                mark = f" ({notes.index(figure.note) + 1})"
            met = {None: "", True: "yes", False: "**no**"}[figure.is_met]
            rows.append(f"| {figure.name}{mark} | {shown(figure)} | {figure.bar} | {met} |")
    every = [figure for _, figures in groups.values() for figure in figures]
    missed = [f"- {each.name}: {shown(each)}, wanted {each.bar}" for each in every if each.is_met is False]
    lines = [
        "; ".join(f"{key}: {value}" for key, value in on.items()) + ".",
        "",
        "| measured | figure | bar | met |",
        "| --- | ---: | ---: | --- |",
        *rows,
        "",
        *(f"{number}. {note}" for number, note in enumerate(notes, start=1)),
        "",
        *(("Falls short:", "", *missed) if missed else ("Every bar is met.",)),
    ]
    return "\n".join(lines) + "\n"


def shown(figure: Figure) -> str:
    """Three digits and the unit."""
    if figure.value != figure.value:
        return "–"
    digits = f"{figure.value:,.0f}" if abs(figure.value) >= 100 else f"{figure.value:.3g}"
    return f"{digits} {figure.unit}".strip()


def write(on: dict[str, str], groups: dict[str, tuple[str, list[Figure]]], text: str) -> None:
    """Keep the results as JSON, and put the table between the marks in the documentation."""
    results = {
        "machine": on,
        "benchmarks": {name: [figure.to_dict() for figure in figures] for name, (_, figures) in groups.items()},
    }
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
