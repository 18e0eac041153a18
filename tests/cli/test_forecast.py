from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hindscale.cli.main import main
from hindscale.traces import RateTrace, write_trace


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("forecast") / "saw.csv"
    teeth = np.tile(np.linspace(60, 600, 12), 20)
    write_trace(RateTrace(name="saw", window_s=60.0, requests=teeth), path)
    return str(path)


def test_a_table_and_a_page(recording: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    season = "seasonal-naive(season_windows=12)"
    code = main(["forecast", recording, "--forecaster", season, "--forecaster", "last-value", "--out", str(page)])
    said = capsys.readouterr()
    # The reference is a day, and there is none in this recording.
    assert code == 2
    assert "knows too little" in said.err
    arguments = ["forecast", recording, "--forecaster", season, "--horizon", "3", "--out", str(page)]
    assert main([*arguments, "--season", "12min"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("saw: 240 windows of 1min, 3min ahead")
    assert str(page) in said.err
    assert "saw" in page.read_text()


def test_json(recording: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--season", "12min", "--forecaster", "kalman", "--for", "3h", "--format", "json"]
    assert main(["forecast", recording, *arguments]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["forecasters"][0]["forecaster"] == "kalman"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "xml"), "--format must be table or json"),
        (("--horizon", "0"), "horizon must be a whole number >= 1"),
        (("--forecaster", "oracle"), "unknown forecaster 'oracle'"),
        (("--window", "soon"), "--window"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: tuple[str, ...], message: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forecast", recording, *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
