"""`hindscale explain`: why the fleet was asked for what it was asked for."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hindscale.cli.options import option
from hindscale.cli.terminal import require_format

__all__ = ["EXAMPLES", "explain", "moment"]

EXAMPLES = """\b
Examples:
  hindscale explain now --state .hindscale/chat
  hindscale explain "2026-03-01 09:00" --state .hindscale/chat
  hindscale explain 5min --state .hindscale/chat          (five minutes ago)
"""


def explain(
    when: Annotated[str, typer.Argument(metavar="TIME", help="now, a date and time, or how long ago.")],
    state: Annotated[Path, option(text="Where `hindscale run` keeps decisions.", metavar="FOLDER")],
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="text|json", env="HINDSCALE_EXPLAIN_FORMAT")
    ] = "text",
) -> int:
    """Make a decision of a live run again, and say in words why it was made."""
    from hindscale.live.explain import explain as explained
    from hindscale.live.store import StoreReader

    require_format(format_, ("text", "json"))
    reader = StoreReader(state)
    try:
        found = explained(reader, moment(when))
    finally:
        reader.close()
    print(found.text if format_ == "text" else json.dumps(found.to_dict(), indent=2, ensure_ascii=False), end="")
    return 0 if found.replayed.agrees else 1


def moment(text: str) -> float:
    """Unix time of `now`, of a date and time, of a time of today, or of so long ago.

    Raises:
        ParameterError: If it is none of them.
    """
    from hindscale.core.errors import ParameterError
    from hindscale.core.units import parse_duration

    if text == "now":
        return time.time()
    for form in (text, f"{datetime.now().date().isoformat()} {text}"):
        try:
            return datetime.fromisoformat(form).astimezone().timestamp()
        except ValueError:
            continue
    try:
        return time.time() - parse_duration(text.removeprefix("-"))
    except ParameterError:
        raise ParameterError(
            f"TIME must be now, a date and time (2026-03-01 09:00:30), a time of today (09:00),"
            f" or how long ago (5min), was {text!r}"
        ) from None
