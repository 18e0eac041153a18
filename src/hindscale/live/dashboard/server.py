"""A web server beside the controller, in a thread of its own."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hindscale.core.errors import InputError, OutputError, ParameterError, RunError
from hindscale.core.files import atomic_writer

if TYPE_CHECKING:
    from hindscale.live.controller import Controller

__all__ = ["Address", "DashboardServer", "Running", "running_in"]

FILE = "dashboard.json"

START_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the dashboard is served.

    Attributes:
        host: An address of this machine; loopback unless others shall reach it.
        port: 0 takes any that is free.
        certificate, key: Files for TLS; without them it is plain HTTP.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ParameterError("dashboard: certificate and key come together, only one was given")
        if not 0 <= self.port <= 65535:
            raise ParameterError(f"dashboard: port must be in 0..65535, was {self.port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A dashboard that somebody serves, as it is written in a state folder.

    Attributes:
        url: Where it is.
        certificate: What it shows that it is, with TLS.
    """

    url: str
    certificate: str | None = None


def running_in(folder: Path) -> Running:
    """The dashboard of a state folder's run.

    Raises:
        InputError: If none is written there.
    """
    try:
        return Running(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{folder}: no run serves a dashboard here; start one with `hindscale run`") from error


class DashboardServer:
    """Serves the dashboard of a controller until closed.

    Attributes:
        url: Where it is.
    """

    def __init__(self, controller: Controller, folder: Path, address: Address) -> None:
        import uvicorn

        from hindscale.live.dashboard.app import dashboard_app
        from hindscale.live.dashboard.security import MOST_HEADER_BYTES, Guard, is_loopback, token_in

        self._closing = threading.Event()
        is_open = is_loopback(address.host)
        guarded = Guard(
            dashboard_app(controller, folder, self._closing),
            token=token_in(folder),
            is_open=is_open,
            hosts=("localhost", "127.0.0.1", "::1", address.host) if is_open else (),
        )
        self._socket = _listen(address)
        self._server = uvicorn.Server(
            uvicorn.Config(
                guarded,
                log_config=None,
                access_log=False,
                server_header=False,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                limit_concurrency=200,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
                ssl_certfile=address.certificate,
                ssl_keyfile=address.key,
                http="h11",
                ws="none",
                lifespan="off",
            )
        )
        self._thread = threading.Thread(target=self._run, name="hindscale-dashboard", daemon=True)
        host, port = self._socket.getsockname()[:2]
        self._file = folder / FILE
        self._certificate = None if address.certificate is None else str(address.certificate)
        scheme = "http" if address.certificate is None else "https"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    def start(self) -> None:
        """Begin to serve; returns when it answers.

        Raises:
            RunError: If it does not come up.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(START_S / 0.02)):
            if self._server.started:
                self._write_down()
                return
            if not self._thread.is_alive():
                break
            waited.wait(0.02)
        raise RunError(f"the dashboard did not come up on {self.url}; see that certificate and key can be read")

    def close(self) -> None:
        """Stop serving."""
        self._file.unlink(missing_ok=True)
        self._closing.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5.0)
        self._socket.close()

    def _write_down(self) -> None:
        """Where commands on this machine find it; on a full disk they do not."""
        with suppress(OutputError), atomic_writer(self._file) as file:
            file.write(json.dumps({"url": self.url, "certificate": self._certificate}).encode())

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address.host, address.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise RunError(
            f"dashboard: cannot listen on {address.host} port {address.port}: {error.strerror or error};"
            " choose another with --port, or none with --no-dashboard"
        ) from error
    return listening
