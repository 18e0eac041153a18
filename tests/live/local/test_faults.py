"""What goes wrong with processes, and what is left of the service then."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hindscale.live.local import LocalService
from live_helpers import Visitors, active_requests, client, members, processes, scaled, until

MakeService = Callable[..., LocalService]
SERVER = r"\S*python\S* -S"
ENVOY = r"\S*envoy --config-path"


def pids(command: str, mark: str) -> list[int]:
    """Processes whose command begins so; their launchers' do not."""
    return sorted(pid for pid, words in processes(mark).items() if re.match(command, words))


def test_a_replica_that_crashes_is_replaced(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(), 2)
    (one, other) = pids(SERVER, mark)
    os.kill(one, signal.SIGKILL)
    until(lambda: service.counts().ready == 2 and one not in pids(SERVER, mark))
    assert other in pids(SERVER, mark)


def test_a_crash_loop_is_slowed_down_and_said(make_service: MakeService, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        service = make_service("--crash")
        service.scale_to(2)
        until(lambda: "the next start waits 2 s" in caplog.text)
    assert "ended with code 1: out of memory: the model does not fit" in caplog.text
    until(lambda: service.counts().provisioning == 2)  # not paid for while nothing runs
    starts = len([record for record in caplog.records if "ended with code" in record.message])
    assert starts <= 6  # two replicas, three rounds


def test_scale_up_stuck_behind_a_start_that_never_ends(
    make_service: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """dynamo 14251: a replica that never became ready kept everything waiting. It is given up and replaced."""
    with caplog.at_level(logging.WARNING):
        service = make_service("--never-ready", start_timeout_s=0.5)
        service.scale_to(1)
        until(lambda: "replica 1 was not ready within 0.5 s and is given up" in caplog.text)
        until(lambda: "replica 2 was not ready" in caplog.text)
    assert service.counts().ready == 0
    assert service.cold_starts_s() == ()


def test_a_replica_that_hangs_gets_no_requests_until_it_answers_again(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(probe_timeout_s=0.2, unready_after=2), 2)
    frozen, other = pids(SERVER, mark)
    os.kill(frozen, signal.SIGSTOP)
    until(lambda: service.counts().ready == 1)
    assert service.counts().starting == 1
    until(lambda: members(service) == 2)  # the other one, and the activator
    assert {client.get(service.url).text for _ in range(10)} == {str(other)}
    os.kill(frozen, signal.SIGCONT)
    until(lambda: service.counts().ready == 2)
    assert len(service.cold_starts_s()) == 2  # it was ill, not cold


def test_requests_wait_when_all_replicas_are_lost(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(), 3)
    with Visitors(f"{service.url}/?s=0.01") as visitors:
        lost = pids(SERVER, mark)
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        until(lambda: service.counts().ready == 3 and not set(lost) & set(pids(SERVER, mark)))
    assert set(visitors.statuses) == {200}  # GETs may be asked again, and were


def test_a_gateway_that_is_restarted_takes_up_its_replicas(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(), 2)
    before = pids(SERVER, mark)
    (envoy,) = pids(ENVOY, mark)
    os.kill(envoy, signal.SIGKILL)
    until(lambda: pids(ENVOY, mark) not in ([], [envoy]))

    def answers() -> bool:
        try:
            return client.get(service.url).is_success
        except httpx.TransportError:
            return False

    until(answers)
    assert pids(SERVER, mark) == before
    scaled(service, 1)


def test_a_gateway_that_cannot_be_restarted_is_tried_again(
    make_service: MakeService, mark: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = scaled(make_service(), 1)
    aside = (tmp_path / "service-0").rename(tmp_path / "aside")  # its log cannot be opened any more
    (envoy,) = pids(ENVOY, mark)
    with caplog.at_level(logging.WARNING):
        os.kill(envoy, signal.SIGKILL)
        until(lambda: "gateway: Envoy cannot be started" in caplog.text)
    aside.rename(tmp_path / "service-0")
    until(lambda: pids(ENVOY, mark))
    until(lambda: service.counts().ready == 1)


def test_a_disk_that_is_full_cuts_nobody(
    make_service: MakeService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The endpoints' file cannot be written: Envoy goes on with what it has, and nobody is stopped behind its back."""
    service = scaled(make_service(), 2)
    until(lambda: members(service) == 3)
    endpoints = tmp_path / "service-0" / "endpoints"
    aside = endpoints.rename(tmp_path / "aside")
    with Visitors(f"{service.url}/?s=0.01", body=b"x") as visitors, caplog.at_level(logging.WARNING):
        service.scale_to(1)
        until(lambda: "the gateway does not know of the latest replicas" in caplog.text)
        until(lambda: visitors.statuses[200] > 200)
        assert service.counts().draining == 1
        aside.rename(endpoints)
        until(lambda: service.counts().draining == 0)
    assert set(visitors.statuses) == {200}


def test_a_process_that_ignores_term_is_killed(make_service: MakeService) -> None:
    scaled(scaled(make_service("--deaf", stop_grace_s=0.1), 1), 0)


def test_closing_ends_what_will_not_end(make_service: MakeService) -> None:
    service = scaled(make_service("--deaf", drain_timeout_s=0.2, stop_grace_s=0.1), 1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.post, f"{service.url}/?s=60")
        until(lambda: active_requests(service) == 1)
        service.close()
        assert isinstance(answer.exception(), httpx.HTTPError) or answer.result().status_code == 503


def test_a_command_that_is_not_there(make_service: MakeService, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        service = make_service(command=("no-such-server",))
        service.scale_to(1)
        until(lambda: "ended with code 127: no-such-server: No such file or directory" in caplog.text)


def test_logs_are_kept_one_a_replica(make_service: MakeService, tmp_path: Path) -> None:
    command = (sys.executable, "-c", "print('loading weights'); raise SystemExit('no weights')")
    service = make_service(command=command)
    service.scale_to(1)
    log = tmp_path / "service-0" / "replica-00001.log"
    until(lambda: log.exists() and log.read_text() == "loading weights\nno weights\n")
