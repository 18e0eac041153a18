"""Files of others, as they are: uPlot, which draws the charts of reports and of the dashboard (MIT licence)."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["vendored"]


def vendored(name: str) -> str:
    """The text of a file, such as uPlot.iife.min.js."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
