"""Ports that nobody listens on."""

from __future__ import annotations

import socket
from collections.abc import Collection

from hindscale.core.errors import RunError

__all__ = ["LOOPBACK", "free_port", "require_free"]

LOOPBACK = "127.0.0.1"


def free_port(within: tuple[int, int] | None = None, *, taken: Collection[int] = ()) -> int:
    """A port on loopback that is free now.

    Args:
        within: The first and the last that may be chosen; None leaves it to the system.
        taken: Ports that are spoken for, though nobody may listen on them yet.

    Raises:
        RunError: If none is left.
    """
    if within is None:
        return _port_of_the_system(taken)
    first, last = within
    for port in range(first, last + 1):
        if port not in taken and _is_free(LOOPBACK, port):
            return port
    raise RunError(f"ports {first} to {last}: all {last - first + 1} are taken; widen the range or use fewer replicas")


def require_free(host: str, port: int, *, what: str) -> None:
    """Complain now, in words, rather than from a proxy's log.

    Raises:
        RunError: If somebody listens there, or the address is not this machine's.
    """
    try:
        _bind(host, port).close()
    except OSError as error:
        raise RunError(f"{what}: cannot listen on {host}:{port}: {error.strerror}; choose another port") from error


def _port_of_the_system(taken: Collection[int]) -> int:
    while True:
        with _bind(LOOPBACK, 0) as held:
            port = int(held.getsockname()[1])
        if port not in taken:
            return port


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port).close()
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> socket.socket:
    """A socket on that port. Connections that were just closed do not count; whoever listens does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
        held.listen()
    except OSError:
        held.close()
        raise
    return held
