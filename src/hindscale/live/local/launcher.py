"""Runs one command, and sees to it that nothing of it outlives whoever asked for it.

    python -I -S launcher.py LIFELINE GRACE_S COMMAND...

LIFELINE is the reading end of a pipe; whoever asked holds the other end and never writes. When that end
closes, by will or because its holder was killed, however suddenly, the command is told to end and after
GRACE_S is killed; on SIGUSR1 it is killed at once. Three things make sure of it:

- the launcher leads a session, and so a process group, of its own: a signal reaches every process of it;
- it adopts what its descendants leave behind (PR_SET_CHILD_SUBREAPER), so that a daemon that left the
  group is found too;
- should the launcher itself be killed, the kernel kills the command (PR_SET_PDEATHSIG).

It needs nothing but the standard library and starts in 30 ms; that is why it is a script. On systems
other than Linux the process group alone has to do.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # what a shell says
KILLED_BY = 128  # plus the signal's number: what a shell says, too
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class KillAsked(BaseException):
    """Whoever asked for the command has no patience left."""


def main(lifeline: int, grace_s: float, command: list[str]) -> int:
    """Run the command until it ends or the lifeline does; returns its exit code as a shell would."""
    # Signals to the group are meant for the command; the launcher stays to see them obeyed.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _ask_kernel(PR_SET_CHILD_SUBREAPER, 1)
    deaths = _deaths()
    child = _start(command)
    code = None
    try:
        signal.signal(signal.SIGUSR1, _raise_kill_asked)
        code = _code_at_end(child, deaths, lifeline)
        if code is None:
            os.killpg(0, signal.SIGTERM)
            code = _code_at_end(child, deaths, None, grace_s)
    except KillAsked:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _end_descendants()
    return KILLED_BY + signal.SIGKILL if code is None else code


def _raise_kill_asked(*_: object) -> None:
    raise KillAsked


def _deaths() -> int:
    """A file descriptor that can be read whenever a child has died."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _start(command: list[str]) -> int:
    """The command as a child that dies with us."""
    launcher = os.getpid()
    child = os.fork()
    if child:
        return child
    _ask_kernel(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:  # killed before the kernel knew
        os._exit(KILLED_BY + signal.SIGKILL)
    for number in (*SIGNALS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(sys.stderr.fileno(), f"{command[0]}: {error.strerror}\n".encode())
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _code_at_end(child: int, deaths: int, lifeline: int | None, for_s: float | None = None) -> int | None:
    """The child's exit code; None if the lifeline or the time ended first."""
    watched = [deaths] if lifeline is None else [deaths, lifeline]
    until_s = None if for_s is None else time.monotonic() + for_s
    while True:
        left_s = None if until_s is None else max(until_s - time.monotonic(), 0.0)
        readable, _, _ = select.select(watched, [], [], left_s)
        if deaths in readable:
            os.read(deaths, 4096)
            code = _reaped(child)
            if code is not None:
                return code
        if not readable or lifeline in readable:
            return None


def _reaped(child: int) -> int | None:
    """The child's exit code if it is among those that died; the others are strangers that were adopted."""
    code = None
    try:
        while (died := os.waitpid(-1, os.WNOHANG))[0]:
            if died[0] == child:
                code = os.waitstatus_to_exitcode(died[1])
    except ChildProcessError:
        pass
    return code if code is None or code >= 0 else KILLED_BY - code


def _end_descendants() -> None:
    """Kill what is left, generation after generation: what a child leaves behind becomes our child."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our children, from the process table; nobody is found where there is none to look at."""
    me = os.getpid()
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may hold blanks and brackets: state, parent, ...
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # gone meanwhile
        if parent == me:
            found.append(int(stat.parent.name))
    return found


def _ask_kernel(option: int, value: int) -> None:
    """Linux's prctl(2); elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
