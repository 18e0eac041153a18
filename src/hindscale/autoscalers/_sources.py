"""Where a configuration comes from: a file, or its text."""

from __future__ import annotations

from pathlib import Path

from hindscale.core.errors import ParameterError

__all__ = ["text_of"]


def text_of(source: str | Path, *, what: str) -> tuple[str, str]:
    """The text of a source, and the file's name; empty where the text itself was given, known by its line breaks.

    Args:
        source: A path, or the text.
        what: What messages call it.

    Raises:
        ParameterError: If the file cannot be read.
    """
    if isinstance(source, str) and "\n" in source:
        return source, ""
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ParameterError(f"{what} {path} cannot be read: {reason}") from error
