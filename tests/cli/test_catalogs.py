from __future__ import annotations

import pytest

from hindscale.cli.main import main
from hindscale.core.catalog import parameters_of
from hindscale.forecasting import FORECASTERS
from hindscale.guardrails import GUARDRAILS
from hindscale.policies import POLICIES
from hindscale.traces import applications

CATALOGS = [("policies", POLICIES), ("guardrails", GUARDRAILS), ("forecasters", FORECASTERS)]


@pytest.mark.parametrize(("command", "catalog"), CATALOGS)
def test_everything_there_is_is_listed_and_shown(
    command: str, catalog: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == 0
    listing = capsys.readouterr().out
    assert max(map(len, listing.splitlines())) <= 80
    for name, cls in catalog.classes.items():  # type: ignore[attr-defined]
        assert name in listing
        assert main([command, name]) == 0
        shown = capsys.readouterr().out
        for parameter in parameters_of(cls):
            assert f"{parameter.name}: " in shown


def test_applications_say_why_they_are_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["applications"]) == 0
    listing = capsys.readouterr().out
    for name, application in applications().items():
        assert name in listing
        assert main(["applications", name]) == 0
        assert application.why.split(maxsplit=1)[0] in capsys.readouterr().out


@pytest.mark.parametrize("command", ["policies", "guardrails", "forecasters", "applications"])
def test_unknown_names_are_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "nosuch"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
