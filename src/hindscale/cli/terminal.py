"""What all commands do on a terminal alike: remarks, width, the choice of a format, a progress bar."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hindscale.core.errors import ParameterError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["progress_bar", "require_format", "say", "terminal_width"]


def say(message: str) -> None:
    """A remark, beside the results; at once, also where nobody sits."""
    print(message, file=sys.stderr, flush=True)


def terminal_width() -> int:
    """Columns to print to: those of the terminal, within reason."""
    return max(80, min(shutil.get_terminal_size((80, 24)).columns, 140))


def require_format(given: str, known: Sequence[str] = ("table", "json")) -> None:
    """Refuse a `--format` that a command does not have.

    Raises:
        ParameterError: With those that it has.
    """
    if given not in known:
        expected = " or ".join(known) if len(known) == 2 else f"one of {', '.join(known)}"
        raise ParameterError(f"--format must be {expected}, was {given!r}")


@contextmanager
def progress_bar(*, shows_count: bool = True) -> Iterator[Progress | None]:
    """A progress bar on a terminal, with words beside it; None where nobody looks.

    Args:
        shows_count: Whether it says `3/20`, or a share in percent.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    done: Any = MofNCompleteColumn() if shows_count else TaskProgressColumn()
    columns = (BarColumn(20), done, TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
