from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from hindscale.cli.main import main
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, read_trace, write_trace


def call(*arguments: object) -> int:
    return main(["traces", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_trace(RequestTrace(name="r", arrival_s=np.arange(0.0, 300.0, 0.5)), tmp_path / "requests.parquet")
    write_trace(UtilizationTrace(name="u", window_s=60.0, utilization=np.array([0.5, 0.25])), tmp_path / "cpu.csv")
    (tmp_path / "access.log.gz").write_bytes(
        gzip.compress(b'1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 23\n' * 3)
    )
    return tmp_path


def test_describe_says_what_a_trace_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("describe", folder / "requests.parquet", folder / "access.log.gz") == 0
    printed = capsys.readouterr().out
    assert "requests in windows of 1min" in printed
    assert "access-log" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_describe_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("describe", folder / "cpu.csv", "--format", "json") == 0
    values = json.loads(capsys.readouterr().out)[str(folder / "cpu.csv")]
    assert (values["kind"], values["mean"], values["requests"]) == ("utilization", 0.375, None)


def test_convert_changes_windows_length_scale_and_kind(folder: Path) -> None:
    assert call("convert", folder / "requests.parquet", folder / "rates.csv", "--window", "1min", "--scale", "2") == 0
    rates = read_trace(folder / "rates.csv")
    assert isinstance(rates, RateTrace)
    assert rates.mean_rate_rps == pytest.approx(4.0, rel=0.05)
    assert call("convert", folder / "cpu.csv", folder / "load.parquet", "--full-load-rps", "10") == 0
    load = read_trace(folder / "load.parquet")
    assert isinstance(load, RateTrace)
    assert load.requests.tolist() == [300.0, 150.0]
    assert call("convert", folder / "requests.parquet", folder / "part.csv.gz", "--from", "1min", "--for", "30s") == 0
    part = read_trace(folder / "part.csv.gz")
    assert isinstance(part, RequestTrace)
    assert (len(part.arrival_s), part.arrival_s[0]) == (60, 0.0)


def test_generate_writes_an_applications_traffic(folder: Path) -> None:
    assert call("generate", "driving", folder / "d.parquet", "--days", "2", "--seed", "3", "--mean-rate", "7") == 0
    made = read_trace(folder / "d.parquet")
    assert isinstance(made, RateTrace)
    assert (made.duration_s, made.mean_rate_rps) == (172800, pytest.approx(7.0))
    assert made.start is not None
    assert made.start.weekday() == 0


def test_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("formats") == 0
    printed = capsys.readouterr().out
    assert "access-log" in printed
    assert "prometheus" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("describe", "nosuch.csv"), 1, "nosuch.csv: no such file"),
        (("describe", "{folder}"), 1, "expected a file, is a directory"),
        (("convert", "{folder}/cpu.csv", "{folder}/x.csv"), 2, "holds utilization; give --full-load-rps"),
        (("convert", "{folder}/requests.parquet", "{folder}/x.csv", "--full-load-rps", "3"), 2, "leave out"),
        (("convert", "{folder}/requests.parquet", "{folder}/x.xls"), 2, "written as .parquet, .csv or .csv.gz"),
        (("convert", "{folder}/requests.parquet", "{folder}/no/x.csv"), 1, "cannot be written"),
        (("convert", "{folder}/requests.parquet", "{folder}/x.csv", "--window", "0s"), 2, "window_s"),
        (("generate", "chatbt", "{folder}/x.csv"), 2, "did you mean 'chatbot'"),
        (("generate", "chatbot", "{folder}/x.csv", "--days", "-1"), 2, "days must be a number > 0"),
        (("describe", "{folder}/cpu.csv", "--fill", "x"), 2, "fill must be zero or interpolate"),
        (("frobnicate",), 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: tuple[str, ...], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name for path in folder.iterdir()}
    assert call(*(argument.format(folder=folder) for argument in arguments)) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert message in said
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize(("window", "total"), [("120s", 3600), ("10min", 3600)])
def test_windows_keep_every_request(window: str, total: int, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    write_trace(RateTrace(name="in", window_s=60.0, requests=np.full(36, 100.0)), source)
    assert main(["traces", "convert", str(source), str(target), "--window", window]) == 0
    assert read_trace(target).total_requests == total


def test_a_window_that_is_no_multiple_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.csv"
    write_trace(RateTrace(name="in", window_s=60.0, requests=np.full(36, 100.0)), source)
    assert main(["traces", "convert", str(source), str(tmp_path / "out.csv"), "--window", "90s"]) == 2
    assert "window_s must be a multiple of the trace's window, 1min, was 1.5min" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
