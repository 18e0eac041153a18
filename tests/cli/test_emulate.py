"""That it serves is tested with the emulator itself; here is what it refuses."""

from __future__ import annotations

import socket

import pytest

from hindscale.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--speed", "0"), "speed must be a number > 0, was 0.0"),
        (("--cold-start", "soon"), "--cold-start must be a number with a unit"),
        (("--overhead", "0ms"), "overhead_s must be a number > 0, was 0.0"),
        (("--max-sequences", "0"), "max_sequences must be a whole number >= 1, was 0"),
    ],
)
def test_what_cannot_be_emulated_is_said(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emulate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["emulate", "--port", str(port)]) == 1
    assert f"hindscale: emulator: cannot listen on 127.0.0.1:{port}: " in capsys.readouterr().err
