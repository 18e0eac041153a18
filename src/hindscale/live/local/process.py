"""A process that ends with us, whatever happens to us."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hindscale.core.errors import OutputError

__all__ = ["GuardedProcess", "last_words"]

LAUNCHER = Path(__file__).with_name("launcher.py")
GRACE_AFTER_US_S = 5.0
"""How long a command may take to end after this process is gone."""
LAUNCHER_GRACE_S = 5.0
"""How long the launcher may take to kill a command."""
LAST_LINES, LAST_BYTES = 3, 4096


class GuardedProcess:
    """One command under a launcher: it has a process group of its own, and its output goes to a file.

    Attributes:
        log: Where its output goes.
    """

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int, log: Path) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self.log = log

    @classmethod
    async def start(
        cls, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> GuardedProcess:
        """Start a command; arguments reach it as they are, no shell reads them.

        Raises:
            OutputError: If its log cannot be written.
        """
        reading, writing = os.pipe()
        launcher = (sys.executable, "-I", "-S", str(LAUNCHER), str(reading), str(GRACE_AFTER_US_S))
        try:
            with log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *launcher,
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    pass_fds=(reading,),
                    start_new_session=True,
                )
        except BaseException as error:
            os.close(writing)  # whatever has started ends with it
            if isinstance(error, OSError):
                raise OutputError(f"{log}: cannot be written: {error.strerror or error}") from error
            raise
        finally:
            os.close(reading)
        return cls(process, writing, log)

    @property
    def exit_code(self) -> int | None:
        """As a shell says it; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Its exit code, when it has ended and nothing is left of it."""
        code = await self._process.wait()
        if code < 0:  # the launcher itself was killed, and could not look after the rest of its group
            self._signal_group(signal.SIGKILL)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        return code

    async def end(self, grace_s: float) -> None:
        """Ask it to end (TERM), and kill it if it has not after `grace_s`."""
        if self.exit_code is None:
            self._signal_group(signal.SIGTERM)
        for further in (self.kill, lambda: self._signal_group(signal.SIGKILL)):
            try:
                await asyncio.wait_for(self.wait(), grace_s)
            except TimeoutError:
                further()
                grace_s = LAUNCHER_GRACE_S
            else:
                return
        await self.wait()

    def kill(self) -> None:
        """End all of it at once."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGUSR1)

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)  # the launcher's id is that of its group


def last_words(log: Path) -> str:
    """The end of a log in one line, for a message that says why its process ended."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - LAST_BYTES, 0))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return " / ".join(line.strip() for line in lines[-LAST_LINES:]) or "it said nothing"
