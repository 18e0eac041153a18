from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from hindscale.cli.main import main
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, write_trace

asked = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked.set()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_trace(RequestTrace(name="r", arrival_s=np.arange(0.0, 30.0, 0.5)), tmp_path / "requests.parquet")
    write_trace(RateTrace(name="s", window_s=60.0, requests=np.full(60, 600.0)), tmp_path / "hour.parquet")
    write_trace(UtilizationTrace(name="u", window_s=60.0, utilization=np.array([0.5, 0.2])), tmp_path / "cpu.csv")
    (tmp_path / "body.json").write_text("{}")
    return tmp_path


def call(*arguments: object) -> int:
    return main(["load", *map(str, arguments)])


def test_a_replay_is_told_as_a_table(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = folder / "requests.parquet"
    assert call(trace, "--url", url, "--speed", 60, "--for", "10s", "--slo", "p99 < 5s") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"requests → {url}, 60 times faster than recorded\n20 requests in ")
    assert "→ SLO p99 < 5s met: 100%, in 100% of the minutes" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_replay_is_told_as_json_and_kept(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "load.json"
    arguments = (
        folder / "requests.parquet",
        "--url",
        url,
        "--speed",
        200,
        "--scale",
        2,
        "--body",
        folder / "body.json",
    )
    assert call(*arguments, "--header", "Authorization: Bearer x", "--format", "json", "--out", out) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(out.read_text())
    assert (told["requests"], told["statuses"], told["slo_attainment"]) == (120, {"200": 120}, None)


def test_ctrl_c_ends_it_with_what_has_been(url: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hindscale.cli.main", "load", str(folder / "hour.parquet"), "--url", url]
    out = folder / "load.json"
    asked.clear()
    with subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert asked.wait(20)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate()
    assert process.returncode == 130
    assert said == b"hindscale: interrupted\n"
    assert "! interrupted: these are the requests until then" in printed.decode()
    assert json.loads(out.read_text())["is_complete"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{folder}/cpu.csv", "--url", "http://a"), 2, "cpu: holds utilization, not requests"),
        (("{folder}/requests.parquet", "--url", "here"), 2, "url must look like http://127.0.0.1:8080, was 'here'"),
        (("{folder}/requests.parquet", "--url", "http://a", "--api", "rpc"), 2, "api: nobody speaks 'rpc'"),
        (("{folder}/requests.parquet", "--url", "http://a", "--speed", "0"), 2, "speed must be a number > 0, was 0.0"),
        (("{folder}/requests.parquet", "--url", "http://a", "--header", "x"), 2, "--header must be 'NAME: VALUE'"),
        (("{folder}/requests.parquet", "--url", "http://a", "--body", "no"), 1, "no: cannot be read"),
        (("{folder}/requests.parquet", "--url", "http://a", "--format", "xml"), 2, "--format must be table or json"),
        (("chatbt", "--url", "http://a"), 2, "did you mean 'chatbot'?"),
        (("{folder}/requests.parquet",), 2, "Missing option '--url'"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: tuple[str, ...], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*(each.format(folder=folder) for each in arguments)) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
