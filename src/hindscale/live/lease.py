"""One controller at a time: whoever holds the lease acts, the next one waits.

The lease is a lock that the system gives to a process and takes back when the process ends, however it ends. So it
needs no clock, never runs out under a controller that is slow, and is free at once after a crash.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from hindscale.core.errors import OutputError
from hindscale.core.files import make_folder

__all__ = ["Lease"]

FILE = "lease"
RETRY_S = 0.5


class Lease:
    """The right to control the fleet of one state folder.

    Args:
        folder: The run's state folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self._path = make_folder(folder) / FILE
        self._file: int | None = None

    @property
    def holder(self) -> str:
        """Who has it, as far as is written down."""
        try:
            return self._path.read_text(encoding="utf-8").strip() or "another process"
        except OSError:
            return "another process"

    def try_acquire(self) -> bool:
        """Take it if it is free."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds without a name on it
        return True

    def acquire(self, *, wait: Callable[[float], bool], say: Callable[[str], None]) -> bool:
        """Take it, or wait until it is free.

        Args:
            wait: Waits for so many seconds; true when there is no more need.
            say: Told once whom we wait for.

        Returns:
            Whether it was taken.
        """
        told = False
        while not self.try_acquire():
            if not told:
                say(f"{self.holder} controls this fleet; waiting until it ends")
                told = True
            if wait(RETRY_S):
                return False
        return True

    def release(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
