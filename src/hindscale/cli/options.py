"""Options of all commands look alike: a placeholder that says what belongs there, one sentence, no noise.

Every option can also be set by an environment variable, HINDSCALE_<COMMAND>_<OPTION>; the docs say so once
instead of each help page in each line.
"""

from __future__ import annotations

from typing import Any

import typer

__all__ = ["option"]


def option(*names: str, text: str, metavar: str | None = None, env: str | None = None) -> Any:
    """A command-line option.

    Args:
        names: `--from`, where it differs from the parameter's own name.
        text: What it does.
        metavar: What belongs in its place, such as TIME.
        env: Its environment variable, where the one that follows from the parameter's name would be odd.
    """
    return typer.Option(*names, help=text, metavar=metavar, envvar=env, show_envvar=False)
