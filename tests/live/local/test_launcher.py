from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hindscale.live.local import launcher
from live_helpers import processes, until

STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"
FAMILY = "sleep 100 & setsid sleep 100 & sh -c 'sleep 100 & sleep 100' & wait"


@contextmanager
def launched(*command: str, grace_s: float = 5.0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command under a launcher, and our end of its lifeline."""
    reading, lifeline = os.pipe()
    arguments = [sys.executable, "-I", "-S", launcher.__file__, str(reading), str(grace_s), *command]
    process = subprocess.Popen(arguments, pass_fds=(reading,), start_new_session=True, stderr=subprocess.PIPE)
    os.close(reading)
    try:
        with process:
            yield process, lifeline
    finally:
        os.close(lifeline)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(script: str, code: int) -> None:
    with launched("sh", "-c", script) as (process, _):
        assert process.wait() == code


def test_a_command_that_is_not_there_is_said_as_a_shell_says_it() -> None:
    with launched("no-such-command") as (process, _):
        assert process.stderr is not None
        assert process.stderr.read() == b"no-such-command: No such file or directory\n"
        assert process.wait() == 127


@pytest.mark.parametrize("script", [FAMILY, STUBBORN])
def test_nothing_outlives_the_lifeline(script: str, mark: str) -> None:
    reading, lifeline = os.pipe()
    arguments = [sys.executable, "-I", "-S", launcher.__file__, str(reading), "0.2", "sh", "-c", script]
    with subprocess.Popen(arguments, pass_fds=(reading,), start_new_session=True) as process:
        os.close(reading)
        until(lambda: len(processes(mark)) >= 3)  # the launcher, the shell, and what it sleeps with
        os.close(lifeline)
        assert process.wait() in (137, 143)
    assert processes(mark) == {}


def test_nothing_is_left_when_the_command_ends_by_itself(mark: str) -> None:
    with launched("sh", "-c", "setsid sleep 100 & sleep 100 & sleep 0.1") as (process, _):
        assert process.wait() == 0
        assert processes(mark) == {}


def test_the_command_dies_with_a_launcher_that_is_killed(mark: str) -> None:
    with launched("sleep", "100") as (process, _):
        until(lambda: len(processes(mark)) == 2)
        process.kill()
        until(lambda: not processes(mark), what="the end of the command")


def test_usr1_kills_at_once_what_does_not_listen(mark: str) -> None:
    with launched("sh", "-c", STUBBORN) as (process, _):
        until(lambda: len(processes(mark)) >= 3)  # the launcher, the shell, and what it sleeps with
        os.killpg(process.pid, signal.SIGTERM)
        process.send_signal(signal.SIGUSR1)
        assert process.wait() == 137
        assert processes(mark) == {}
