"""The interface over a real wire: what it shows, what it refuses, and what it lets nobody do."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hindscale.cli.main import main
from hindscale.core.errors import ParameterError, RunError
from hindscale.live.command import Command
from hindscale.live.dashboard import Address, DashboardServer
from hindscale.live.dashboard.openapi import document
from live.doubles import a_plan, steady
from live.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A run of two minutes with an outage and a change of bounds."""

    def load(now_s: float) -> dict[str, float] | None:
        return None if 50 < now_s < 70 else steady(40.0)(now_s)

    rig = Rig(tmp_path, a_plan(act=True), load, ticks=120)
    rig.after(90, lambda controller: controller.submit(Command(kind="bounds", min_replicas=1, max_replicas=3)))
    return rig


@pytest.fixture
def server(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DashboardServer]:
    rig.run()
    monkeypatch.setattr("hindscale.live.dashboard.views.time.time", lambda: 1_700_000_000 + rig.time.now_s)
    server = DashboardServer(rig.controller, tmp_path, Address(port=0))
    server.start()
    yield server
    server.close()


@pytest.fixture
def client(server: DashboardServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10.0) as client:
        yield client


@pytest.fixture
def token(server: DashboardServer, tmp_path: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}


def test_status_says_how_the_run_stands(client: httpx.Client) -> None:
    status = client.get("api/v1/status").json()
    assert (status["name"], status["mode"], status["bounds"]["max_replicas"]) == ("chat", "acting", 3)
    assert status["ticks"] == 120
    assert 10 < status["held_ticks"] < 20
    assert (status["tick"]["target"], status["tick"]["desired"], status["tick"]["limited_by"]) == (3, 5, ["bounds"])
    assert status["measured"]["cost"] > 0


def test_series_have_as_many_points_as_are_asked_for(client: httpx.Client) -> None:
    series = client.get("api/v1/series", params={"since": 120, "points": 20}).json()
    assert 19 <= len(series["time_s"]) <= 21
    assert {len(column) for column in series.values() if isinstance(column, list)} == {len(series["time_s"])}
    assert series["time_s"] == sorted(series["time_s"])
    assert series["rate_rps"][0] == 40


def test_only_what_changed_is_listed_as_a_decision(client: httpx.Client) -> None:
    rows = client.get("api/v1/decisions").json()
    assert [(row["before"], row["target"]) for row in rows] == [(5, 3), (5, 5), (5, 5), (None, 5)]
    assert rows[0]["limited_by"] == "bounds"
    assert "hold:" in rows[2]["reason"]


def test_scores_compare_what_was_measured_with_every_policy_and_the_least(client: httpx.Client) -> None:
    scores = client.get("api/v1/scores", params={"since": 300}).json()
    roles = {row["policy"]: row["role"] for row in scores["policies"]}
    assert roles == {
        "measured": "measured",
        "target-tracking:target_per_replica=4": "decides",
        "fixed:replicas=3": "shadow",
    }
    least = client.get("api/v1/hindsight", params={"since": 300}).json()["least_cost"]
    # 40 requests a second of half a second each keep five replicas busy for two minutes.
    assert least == pytest.approx(5 * 120 / 3600, rel=0.05)


def test_the_forecast_has_a_band_that_holds_what_comes(client: httpx.Client) -> None:
    forecast = client.get("api/v1/forecast", params={"since": 120}).json()
    assert forecast["forecaster"] == "trend"
    assert len(forecast["time_s"]) == len(forecast["mean_rps"]) == 12
    assert forecast["mean_rps"][0] == pytest.approx(40, rel=0.2)


def test_an_explanation_is_made_again_for_the_page(client: httpx.Client) -> None:
    found = client.get("api/v1/explain", params={"at": 1_700_000_000 + 100 + 95}).json()
    assert found["agrees"]
    assert "limited by  bounds: 5 → 3" in found["text"]


def test_events_come_after_ticks(client: httpx.Client) -> None:
    with client.stream("GET", "api/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == "event: tick"
        assert json.loads(next(lines).removeprefix("data: "))["tick"]["number"] == 120


def test_its_own_metrics_are_a_page_that_prometheus_reads(client: httpx.Client) -> None:
    page = client.get("metrics").text
    assert 'hindscale_target_replicas{service="chat"} 3.0' in page
    assert 'hindscale_ticks_total{service="chat"} 120.0' in page
    assert 'hindscale_replicas{service="chat",state="ready"} 3.0' in page


def test_health_and_readiness(client: httpx.Client, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("healthz").json() == {"status": "alive"}
    monkeypatch.setattr("hindscale.live.dashboard.app.time.time", lambda: 1_700_000_000 + rig.time.now_s)
    assert client.get("readyz").json() == {"status": "ready"}
    rig.controller.board.show(store_failure="disk is full")
    assert client.get("readyz").status_code == 503
    monkeypatch.setattr("hindscale.live.dashboard.app.time.time", lambda: 1_700_000_000 + rig.time.now_s + 60)
    assert client.get("readyz").json() == {"status": "the last tick was 60 s ago"}


# -- acting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["pause", "resume", "promote", "rollback", "bounds"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_nobody_acts_without_the_token(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    answer = client.post(f"api/v1/{path}", headers=headers, json={})
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]


def test_what_is_asked_for_with_the_token_is_done(client: httpx.Client, token: dict[str, str], rig: Rig) -> None:
    assert client.post("api/v1/pause", headers=token).json() == {"accepted": "pause"}
    assert client.post("api/v1/bounds", headers=token, json={"min_replicas": 2, "max_replicas": 4}).status_code == 202
    assert client.post("api/v1/promote", headers=token, json={"policy": "fixed:replicas=3"}).status_code == 202
    rig.controller._obey()
    plan = rig.controller.board.state.plan
    assert (plan.is_paused, plan.max_replicas, plan.policy) == (True, 4, "fixed:replicas=3")
    assert client.post("api/v1/rollback", headers=token).status_code == 202


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("promote", {"policy": "hpa"}, "'hpa' is not a shadow policy"),
        ("promote", {}, "policy must be a text"),
        ("bounds", {"min_replicas": 5, "max_replicas": 1}, "min_replicas must be <= max_replicas"),
        ("bounds", {"min_replicas": 1, "max_replicas": True}, "max_replicas must be a whole number"),
        ("bounds", [1, 2], "the body must hold named values"),
        ("rollback", {}, "no policy was promoted"),
    ],
)
def test_what_does_not_fit_is_one_line(
    client: httpx.Client, token: dict[str, str], path: str, body: Any, message: str
) -> None:
    answer = client.post(f"api/v1/{path}", headers=token, json=body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]


@pytest.mark.parametrize("query", ["since=-1", "since=nan", "since=x", "points=1e9"])
def test_numbers_out_of_range_are_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"api/v1/series?{query}").status_code == 422


# -- security ---------------------------------------------------------------------------------------


def test_the_page_may_load_nothing_but_its_own_files(client: httpx.Client) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    page = answer.text
    assert "<style" not in page
    assert "style=" not in page
    assert not re.findall(r"<script(?![^>]*src=)", page)
    assert not re.findall(r"\son\w+=", page)
    for name in re.findall(r'(?:src|href)="(static/[^"]+)"', page):
        assert client.get(name).status_code == 200
        assert client.get(name).headers["x-content-type-options"] == "nosniff"


def test_only_the_files_of_the_page_are_served(client: httpx.Client) -> None:
    for path in ("static/app.py", "static/../app.py", "static/%2e%2e%2fapp.py", "static/LICENSE.uPlot"):
        assert client.get(path).status_code == 404


def test_other_names_of_this_machine_are_refused(client: httpx.Client) -> None:
    """A foreign page can make its own name point here; it cannot make us answer to it."""
    assert client.get("api/v1/status", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("api/v1/status", headers={"Host": "localhost:1"}).status_code == 200


def test_bodies_and_headers_have_limits(client: httpx.Client, token: dict[str, str]) -> None:
    assert client.post("api/v1/bounds", headers=token, content=b"x" * 20_000).status_code == 413
    endless = client.post("api/v1/bounds", headers=token, content=iter([b"x" * 10_000] * 3))
    assert endless.status_code == 422
    assert client.get("api/v1/status", headers={"X-Long": "x" * 17_000}).status_code in {400, 431}


def test_the_token_is_its_owners_alone_and_stays(rig: Rig, server: DashboardServer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = path.read_text().strip()
    assert len(token) >= 32
    other = DashboardServer(rig.controller, tmp_path, Address(port=0))
    assert path.read_text().strip() == token
    other.close()
    for each in tmp_path.iterdir():
        if each != path:
            assert token.encode() not in each.read_bytes(), each


def test_on_any_other_address_even_looking_needs_the_token(rig: Rig, tmp_path: Path) -> None:
    rig.run()
    server = DashboardServer(rig.controller, tmp_path, Address(host="0.0.0.0", port=0))
    server.start()
    port = server._socket.getsockname()[1]
    token = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/") as client:
            for path in ("api/v1/status", "api/v1/events", "metrics", "openapi.json"):
                assert client.get(path).status_code == 401
            assert client.get("api/v1/status", headers=token).status_code == 200
            assert client.get("healthz").status_code == 200
            assert client.get("/").status_code == 200  # an empty page that asks for the token
    finally:
        server.close()


def test_a_port_that_is_taken_is_said(rig: Rig, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RunError, match=r"cannot listen on 127.0.0.1 port \d+: .*choose another with --port"):
            DashboardServer(rig.controller, tmp_path, Address(port=taken.getsockname()[1]))


def test_certificate_and_key_come_together(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="certificate and key come together"):
        Address(certificate=tmp_path / "cert.pem")


def test_the_document_names_every_path_there_is(client: httpx.Client, rig: Rig, token: dict[str, str]) -> None:
    described = document()
    assert client.get("openapi.json").json() == described
    for path, operations in described["paths"].items():
        if path.endswith("/events"):
            continue
        for method in operations:
            answer = client.request(method, path, headers=token)
            assert answer.status_code not in {404, 405}, path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on PATH to make a certificate with")
def test_it_speaks_tls_when_it_is_given_a_certificate(rig: Rig, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} -out {certificate}"
    subprocess.run([*made.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    rig.run()
    server = DashboardServer(rig.controller, tmp_path, Address(port=0, certificate=certificate, key=key))
    server.start()
    try:
        assert server.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        assert httpx.get(f"{server.url}healthz", verify=trusted).json() == {"status": "alive"}
        # The command on this machine finds it and trusts it.
        assert main(["promote", "fixed:replicas=3", "--state", str(tmp_path)]) == 0
    finally:
        server.close()
