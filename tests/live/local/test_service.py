"""A whole service: Envoy, activator and replicas, all of them real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from hindscale.core.errors import RunError
from hindscale.live.local import LocalService, LocalServiceSpec
from live_helpers import Visitors, active_requests, client, processes, scaled, until

MakeService = Callable[..., LocalService]
IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


def pid_of(command: str, mark: str) -> int:
    """The one process whose command begins so; its launcher does not."""
    (found,) = [pid for pid, words in processes(mark).items() if re.match(command, words)]
    return found


def test_requests_at_zero_replicas_wait_and_wake_the_fleet(make_service: MakeService) -> None:
    service = make_service("--start-s", "0.2")
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(client.post, service.url, content=b"hello") for _ in range(6)]
        until(lambda: service.waiting_requests() == 6)
        assert service.counts().ready == 0
        service.scale_to(1)
        assert [answer.result().content for answer in answers] == [b"hello"] * 6
    assert service.waiting_requests() == 0


def test_what_waits_too_long_is_told_to_come_again(make_service: MakeService) -> None:
    service = make_service(wait_timeout_s=0.1)
    answer = client.get(service.url)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


def test_a_fleet_counts_what_it_costs_and_how_long_starts_take(make_service: MakeService) -> None:
    service = make_service("--start-s", "0.3")
    service.scale_to(2)
    until(lambda: service.counts().starting == 2)
    scaled(service, 2)
    assert len(service.cold_starts_s()) == 2
    assert min(service.cold_starts_s()) > 0.3
    assert service.replica_seconds() >= sum(service.cold_starts_s())
    scaled(service, 0)
    paid_s = service.replica_seconds()
    assert service.replica_seconds() == paid_s


def test_requests_spread_over_replicas(make_service: MakeService) -> None:
    service = scaled(make_service(), 3)
    assert len({client.get(service.url).text for _ in range(40)}) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_is_lost_over_endpoint_changes(make_service: MakeService, method: str) -> None:
    service = scaled(make_service(), 2)
    with Visitors(f"{service.url}/?s=0.02", body=b"x" if method == "POST" else None) as visitors:
        for change in range(100 if IS_SOAK else 6):
            scaled(service, (1, 3, 2, 4)[change % 4])
    assert set(visitors.statuses) == {200}
    assert visitors.statuses[200] > 100


def test_scale_down_aborts_no_running_request(make_service: MakeService) -> None:
    """dynamo 13565, 12591: scaling down cut what was running."""
    service = scaled(make_service(), 3)
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(client.get, f"{service.url}/?s=1") for _ in range(12)]
        until(lambda: active_requests(service) == 12)
        service.scale_to(0)
        until(lambda: service.counts().draining == 3)
        assert {answer.result().status_code for answer in answers} == {200}
    until(lambda: service.counts().draining == 0)


def test_the_drain_timeout_ends_what_never_ends(make_service: MakeService) -> None:
    service = scaled(make_service("--deaf", drain_timeout_s=0.3, stop_grace_s=0.1), 1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.post, f"{service.url}/?s=60")
        until(lambda: active_requests(service) == 1)
        scaled(service, 0)
        assert answer.result().status_code == 503


def test_scale_down_takes_a_starting_replica_before_a_running_one(make_service: MakeService) -> None:
    """ray 43034: a running replica was stopped while another one was still starting."""
    service = scaled(make_service(), 1)
    serving = client.get(service.url).text
    service.scale_to(2)
    until(lambda: service.counts().starting == 1)
    service.scale_to(1)
    until(lambda: service.counts().starting == 0 and service.counts().draining == 0)
    assert client.get(service.url).text == serving


def test_a_stream_passes_unbuffered_and_outlives_the_order_to_scale_down(make_service: MakeService) -> None:
    service = scaled(make_service(), 1)
    came_s = []
    with client.stream("GET", f"{service.url}/stream?events=8&pause_s=0.1") as answer:
        for line in answer.iter_lines():
            if line:
                came_s.append(time.monotonic())
            if len(came_s) == 2:
                service.scale_to(0)
    assert len(came_s) == 8
    assert came_s[-1] - came_s[0] > 0.5  # buffered, they would have come together


def test_limits_on_what_clients_send(make_service: MakeService) -> None:
    service = scaled(make_service(max_body_bytes=1000, max_header_kib=4), 1)
    assert client.post(service.url, content=b"x" * 1000).status_code == 200
    assert client.post(service.url, content=b"x" * 1001).status_code == 413
    assert client.post(service.url, content=iter([b"x" * 600])).status_code == 200
    assert client.post(service.url, content=iter([b"x" * 600] * 2)).status_code == 413
    assert client.get(service.url, headers={"a": "x" * 5000}).status_code == 431


def test_a_post_that_reached_a_replica_is_not_repeated(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(), 1)
    assert client.post(f"{service.url}/die").status_code == 503
    until(lambda: len(service.cold_starts_s()) == 2)
    assert service.counts().ready == 1  # one replica died of it, not a second one


def test_a_get_whose_replica_died_is_answered_by_another(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(), 2)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(client.get, f"{service.url}/?s=1") for _ in range(8)]
        until(lambda: active_requests(service) == 8)
        os.kill(
            min(pid for pid, words in processes(mark).items() if re.match(r"\S*python\S* -S", words)), signal.SIGKILL
        )
        assert {answer.result().status_code for answer in answers} == {200}


def test_metrics_are_there_and_nothing_else_of_the_admin_interface(make_service: MakeService) -> None:
    service = scaled(make_service(latency_buckets_s=(0.05, 2.0)), 1)
    assert client.get(service.url).is_success
    page = service.metrics_url
    counted = 'envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="service"} 1'
    assert counted in client.get(page).text
    bucket = 'envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="service",le="2000"} 1'
    until(lambda: bucket in client.get(page).text)
    for path in ("/quitquitquit", "/config_dump", "/stats", "/"):
        assert client.post(page.replace("/stats/prometheus", path)).status_code == 404


def test_a_port_that_is_taken_is_one_clear_error(make_service: MakeService) -> None:
    port = int(make_service().url.rpartition(":")[2])
    with pytest.raises(RunError, match=rf"gateway: cannot listen on 127.0.0.1:{port}: .*; choose another port"):
        make_service(gateway_port=port)


def test_replicas_take_ports_of_their_range(make_service: MakeService, mark: str) -> None:
    service = scaled(make_service(ports=(23400, 23409)), 2)
    assert service.counts().ready == 2
    commands = [words for words in processes(mark).values() if re.match(r"\S*python\S* -S", words)]
    assert all(re.search(r"server.py 2340\d", words) for words in commands)


def test_closing_twice_and_scaling_after_it(make_service: MakeService) -> None:
    service = make_service()
    service.close()
    service.close()
    with pytest.raises(RunError, match="the fleet is closed"):
        service.scale_to(1)


def test_a_fleet_that_was_not_started() -> None:
    service = LocalService(LocalServiceSpec(command=("serve",)))
    with pytest.raises(RunError, match=r"the fleet is not started; call start\(\) first"):
        service.scale_to(1)
    service.close()


def test_calls_from_many_threads(make_service: MakeService) -> None:
    service = make_service()
    threads = [threading.Thread(target=lambda n=n: (service.scale_to(n % 3), service.counts())) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scaled(service, 1)


CONTROLLER = """
import sys, time
from hindscale.live.local import LocalService, LocalServiceSpec
service = LocalService(LocalServiceSpec(command=(sys.executable, "-S", {server!r}, "{{port}}"))).start()
service.scale_to(2)
while service.counts().ready < 2:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def controller() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a fleet of two; what it leaves of files, killed as it will be, is removed."""
    code = CONTROLLER.format(server=str(Path(__file__).with_name("server.py")))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as process:
            yield process


@pytest.mark.parametrize("delay_s", [0.05 * step for step in range(6, 30 if IS_SOAK else 12)])
def test_nothing_is_left_of_a_controller_that_is_killed_at_any_moment(delay_s: float, mark: str) -> None:
    with controller() as process:
        time.sleep(delay_s)
        process.kill()
    until(lambda: not processes(mark), what="the end of every process")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_nothing_is_left_of_a_controller_that_is_killed(number: signal.Signals, mark: str) -> None:
    with controller() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(processes(mark)) > 6
        process.send_signal(number)
    until(lambda: not processes(mark), what="the end of every process")
