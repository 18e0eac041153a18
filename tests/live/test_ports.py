from __future__ import annotations

import socket

import pytest

from hindscale.core.errors import RunError
from hindscale.live.ports import free_port, require_free


@pytest.fixture
def taken() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_passed_over(taken: int) -> None:
    assert free_port((taken, taken + 50)) != taken


def test_a_range_without_a_free_port_is_an_error(taken: int) -> None:
    with pytest.raises(RunError, match=rf"ports {taken} to {taken}: all 1 are taken; widen the range"):
        free_port((taken, taken))


def test_ports_that_are_spoken_for_are_passed_over() -> None:
    first = free_port()
    assert free_port((first, first + 50), taken=(first,)) != first


def test_a_port_must_be_free_to_listen_on(taken: int) -> None:
    require_free("127.0.0.1", free_port(), what="gateway")
    with pytest.raises(RunError, match=r"gateway: cannot listen on 127\.0\.0\.1:"):
        require_free("127.0.0.1", taken, what="gateway")
    with pytest.raises(RunError, match=r"gateway: cannot listen on 192\.0\.2\.1:1234"):
        require_free("192.0.2.1", 1234, what="gateway")
