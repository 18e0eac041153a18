"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hindscale.core.errors import OutputError

__all__ = ["atomic_writer", "make_folder"]


@contextmanager
def atomic_writer(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the name `path` only when the block ends without an error.

    It is written beside its destination, flushed to disk, and renamed, so that a reader, a crash or a
    full disk never sees a half-written file; what stood there before stays until the rename.

    Raises:
        OutputError: If it cannot be written.
    """
    path = Path(path)
    aside: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        aside = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def _umask() -> int:
    """Mkstemp makes private files; the result should be as readable as any other new file."""
    current = os.umask(0)
    os.umask(current)
    return current


def make_folder(path: str | Path) -> Path:
    """The folder `path`, made if it is not there.

    Raises:
        OutputError: If it cannot be made, or is a file.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made a folder: {error.strerror or error}") from error
    return path
