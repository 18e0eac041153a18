"""What all commands do on a terminal alike."""

from __future__ import annotations

import sys

import pytest

from hindscale.cli.terminal import progress_bar, require_format, say, terminal_width
from hindscale.core import ParameterError


def test_remarks_stay_apart_from_results(capsys: pytest.CaptureFixture[str]) -> None:
    say("a remark")
    assert capsys.readouterr() == ("", "a remark\n")


@pytest.mark.parametrize(("columns", "width"), [("40", 80), ("100", 100), ("400", 140)])
def test_a_table_is_never_narrower_than_80_columns_nor_too_wide(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == width


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    require_format("json")
    require_format("policy", ("table", "json", "policy"))
    with pytest.raises(ParameterError, match=r"^--format must be table or json, was 'xml'$"):
        require_format("xml")
    with pytest.raises(ParameterError, match=r"^--format must be one of table, json, policy, was 'xml'$"):
        require_format("xml", ("table", "json", "policy"))


def test_there_is_a_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_bar() as nothing:
        assert nothing is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    for shows_count in (True, False):
        with progress_bar(shows_count=shows_count) as bar:
            assert bar is not None
            bar.update(bar.add_task("begun", total=2), advance=1)
            assert [task.completed for task in bar.tasks] == [1]
