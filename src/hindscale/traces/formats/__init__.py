"""The formats that traffic is recorded in, one a file, each recognised by its content.

A format module holds one `FORMAT`. Adding a file here is all it takes to read another format:
`known_formats` finds it, and `hindscale traces describe` uses it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from hindscale.traces.source import TraceSource
from hindscale.traces.types import Trace
from hindscale.traces.windows import Fill, as_fill

__all__ = ["ReadOptions", "TraceFormat", "known_formats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the caller allows a reader to mend.

    Attributes:
        sort: Put rows in order of time instead of refusing a file that is not.
        fill: What stands in for missing windows; None leaves it to the format.
    """

    sort: bool = False
    fill: Fill | None = None

    def __post_init__(self) -> None:
        as_fill(self.fill)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFormat:
    """One way to write traffic down.

    Attributes:
        name: Short name, shown by `hindscale traces describe`.
        expects: What identifies the format, for the message when a file is none of them.
        matches: Whether a file is in this format, judged by its first lines; the first format to claim a file reads it.
        read: The trace in it.
    """

    name: str
    expects: str
    matches: Callable[[TraceSource], bool]
    read: Callable[[TraceSource, ReadOptions], Trace]


@cache
def known_formats() -> tuple[TraceFormat, ...]:
    """Every format, in alphabetical order of their modules but for hindscale's own columns, which come first.

    Whoever adds them to another format's table means them.
    """
    modules = sorted(
        (module.name for module in pkgutil.iter_modules(__path__)), key=lambda name: (name != "canonical", name)
    )
    return tuple(importlib.import_module(f"{__name__}.{module}").FORMAT for module in modules)
