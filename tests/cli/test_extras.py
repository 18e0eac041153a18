"""Commands whose libraries are an extra say so in one line, and begin nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hindscale.cli.extras import LIVE, TRAIN, require_extra
from hindscale.cli.main import main
from hindscale.core import ParameterError


@pytest.mark.parametrize(
    "command",
    [
        ["run", "service.yaml"],
        ["demo", "--for", "5s"],
        ["emulate", "--port", "0"],
        ["import", "prometheus", "http://localhost:9", "--query", "x", "--out", "here"],
        ["promote", "hpa", "--state", "somewhere"],
        ["rollback", "--state", "somewhere"],
    ],
    ids=lambda command: command[0],
)
def test_a_live_command_says_what_to_install(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "httpx" else found(name, *more)
    )
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.endswith(" needs httpx, not installed here; pip install 'hindscale[live]'\n")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_where_everything_is_there() -> None:
    require_extra("none", ("json",), what="this")
    with pytest.raises(ParameterError, match="this needs no_such_module, not installed here"):
        require_extra("none", ("json", "no_such_module"), what="this")


def test_the_extras_are_those_of_the_package() -> None:
    import tomllib

    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for modules, extra in ((LIVE, "live"), (TRAIN, "train")):
        named = " ".join(extras[extra]).replace("-", "_")
        assert all(module in named for module in modules)
