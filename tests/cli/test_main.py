from __future__ import annotations

import subprocess
import sys

import pytest

import hindscale
from hindscale.cli import main as entry
from hindscale.cli.main import main


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hindscale {hindscale.__version__}\n"


def test_help_ends_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    traces = (["traces", each] for each in ("describe", "convert", "generate"))
    live = (["run"], ["demo"], ["promote"], ["explain"], ["import", "prometheus"], ["load"], ["emulate"])
    for command in (["backtest"], ["tune"], *traces, *live, ["policies"]):
        assert main([*command, "--help"]) == 0
        assert "hindscale " + command[0] in capsys.readouterr().out.split("Usage:")[1].split("\n", 1)[1]


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m hindscale.cli.main policies predictive | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("predictive:")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (hindscale.HindscaleError("no"), 1, "no"),
    ],
)
def test_errors_become_one_line_and_a_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(entry, "app", fails)
    assert main(["policies"]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"hindscale: {message}")
    assert said.count("\n") == 1


def test_what_nobody_expected_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(entry, "app", fails)
    with pytest.raises(ZeroDivisionError):
        main(["policies"])
