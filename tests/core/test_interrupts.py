from __future__ import annotations

import signal
import threading

import pytest

from hindscale.core.interrupts import interrupts_deferred


def test_an_interruption_waits_for_the_end_of_the_block() -> None:
    done = []

    def block() -> None:
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["all of it"]


def test_afterwards_interruptions_come_at_once_again() -> None:
    with interrupts_deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_in_the_block_is_not_lost() -> None:
    with pytest.raises(ValueError, match="mine"), interrupts_deferred():
        raise ValueError("mine")


def test_other_threads_are_left_alone() -> None:
    ran = []

    def work() -> None:
        with interrupts_deferred():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [True]
