"""Judgements for those who read them: a table for people, JSON, annotations for GitHub, JUnit XML for other CI."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from xml.etree import ElementTree

from rich import box
from rich.console import Console
from rich.table import Table

from hindscale.backtesting.budget import Judgement

__all__ = ["as_annotations", "as_json", "as_junit", "as_table"]


def as_table(judgements: Sequence[Judgement], *, width: int = 80) -> str:
    """Every promise with its bound and what came, a table a trace, then a line for each that is broken or close.

    Args:
        width: Columns of the terminal; it fits into 80.
    """
    sink = io.StringIO()
    console = Console(file=sink, width=width, color_system=None, highlight=False)
    for trace in dict.fromkeys(each.trace for each in judgements):
        console.print(trace, soft_wrap=True)
        console.print(_table([each for each in judgements if each.trace == trace]))
    lines = [f"{'close' if each.is_kept else 'broken'}: {each.line()}" for each in judgements if _speaks(each)]
    return sink.getvalue() + "".join(f"{line}\n" for line in (*lines, summary(judgements)))


def _table(judgements: Sequence[Judgement]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", width=1)
    table.add_column("policy", overflow="fold", ratio=1)
    table.add_column("figure", overflow="fold")
    for heading in ("budget", "measured ±95%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in judgements:
        sign = "≥" if each.promise.side == "at least" else "≤"
        mark = "✓" if each.is_kept else "✗"
        table.add_row(mark, each.policy, each.promise.figure, f"{sign} {each.bound_text}", each.value_text)
    return table


def summary(judgements: Sequence[Judgement]) -> str:
    """The judgement in one line.

    >>> summary([])
    '0 of 0 promises kept'
    """
    kept = sum(each.is_kept for each in judgements)
    close = sum(each.is_close for each in judgements)
    return f"{kept} of {len(judgements)} promises kept" + (f", {close} close" if close else "")


def _speaks(judgement: Judgement) -> bool:
    return judgement.is_close or not judgement.is_kept


def as_json(judgements: Sequence[Judgement], remarks: Sequence[str]) -> str:
    """Plain values: every judgement, and what was remarked about the traffic and the files."""
    values = {
        "is_kept": all(each.is_kept for each in judgements),
        "summary": summary(judgements),
        "remarks": list(remarks),
        "judgements": [each.to_dict() for each in judgements],
    }
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_annotations(judgements: Sequence[Judgement], remarks: Sequence[str], *, file: str) -> str:
    """Workflow commands that GitHub shows beside a change: errors for what is broken, warnings for what is close.

    Source: GitHub Actions, workflow commands for logging messages: the text escapes %, CR and LF; properties
    escape : and , as well.
    """
    place = _escaped(file).replace(":", "%3A").replace(",", "%2C")
    said = [("warning", remark) for remark in remarks]
    said += [("warning" if each.is_kept else "error", each.line()) for each in judgements if _speaks(each)]
    said.append(("notice", summary(judgements)))
    return "".join(f"::{kind} file={place},title=hindscale check::{_escaped(line)}\n" for kind, line in said)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def as_junit(judgements: Sequence[Judgement]) -> str:
    """JUnit XML, as most CI systems show it: a test case a promise."""
    failures = sum(not each.is_kept for each in judgements)
    suite = ElementTree.Element(
        "testsuite", name="hindscale check", tests=str(len(judgements)), failures=str(failures), errors="0"
    )
    for each in judgements:
        name = f"{each.promise.figure} {each.promise.side} {each.bound_text}"
        case = ElementTree.SubElement(suite, "testcase", classname=f"{each.trace}.{each.policy}", name=name)
        if not each.is_kept:
            ElementTree.SubElement(case, "failure", message=each.line())
        else:
            ElementTree.SubElement(case, "system-out").text = each.line()
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
