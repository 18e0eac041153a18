"""Asking other machines, within limits: of time in all, of bytes, of what an address may be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

from hindscale.core.errors import MetricsUnavailable, ParameterError

__all__ = ["MOST_BYTES", "Fetcher", "require_address"]

MOST_BYTES = 32 << 20
"""A page of metrics that is larger than this is refused."""

MOST_AT_ONCE = 16


def require_address(**addresses: str) -> None:
    """Each is an address that may be fetched: http or https, with a host."""
    for name, address in addresses.items():
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ParameterError(f"{name} must be an http:// or https:// address, was {address!r}")


class Fetcher:
    """Fetches pages, each within `timeout_s`, however slowly its bytes come.

    Args:
        timeout_s: Longest time for one page, from asking to its last byte.
        headers: Sent along, such as an authorization; never written anywhere.
    """

    def __init__(self, *, timeout_s: float, headers: Mapping[str, str] | None = None) -> None:
        import httpx

        self._timeout_s = timeout_s
        self._client = httpx.Client(timeout=timeout_s, headers=dict(headers or {}), follow_redirects=False)
        self._pool = ThreadPoolExecutor(max_workers=MOST_AT_ONCE, thread_name_prefix="hindscale-fetch")
        self._under_way: dict[str, Future[str]] = {}

    def fetch(self, address: str) -> str:
        """The text of one page.

        Raises:
            MetricsUnavailable: If it does not come, whole and in time.
        """
        import httpx

        begun_s = time.monotonic()
        body = bytearray()
        try:
            with self._client.stream("GET", address) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise MetricsUnavailable(f"{_shown(address)}: larger than {MOST_BYTES >> 20} MiB")
                    if time.monotonic() - begun_s > self._timeout_s:
                        raise MetricsUnavailable(f"{_shown(address)}: took longer than {self._timeout_s:g} s")
                if answer.status_code != 200:
                    said = bytes(body[:200]).decode(errors="replace").strip()
                    raise MetricsUnavailable(f"{_shown(address)}: answered {answer.status_code} {said}".rstrip())
        except httpx.HTTPError as error:
            raise MetricsUnavailable(f"{_shown(address)}: {type(error).__name__} {error}".rstrip()) from error
        return body.decode(errors="replace")

    def fetch_all(self, addresses: Iterable[str]) -> dict[str, str | MetricsUnavailable]:
        """Every page, or why it did not come. Takes no longer than one page may.

        A page that is still being waited for from an earlier call is not asked for a second time: a server that hangs
        gets one request, not one a tick. What it says at last is late and is not used.
        """
        asked = list(addresses)
        fresh = {}
        for address in asked:
            before = self._under_way.get(address)
            if before is None or before.done():
                fresh[address] = self._under_way[address] = self._pool.submit(self.fetch, address)
        wait(fresh.values(), timeout=self._timeout_s)
        self._under_way = {address: each for address, each in self._under_way.items() if not each.done()}
        return {address: _outcome(address, fresh.get(address)) for address in asked}

    def close(self) -> None:
        """Give back connections and threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()


def _outcome(address: str, asked: Future[Any] | None) -> str | MetricsUnavailable:
    if asked is None or not asked.done():
        return MetricsUnavailable(f"{_shown(address)}: has not answered yet")
    error = asked.exception()
    if error is None:
        return str(asked.result())
    if isinstance(error, MetricsUnavailable):
        return error
    return MetricsUnavailable(f"{_shown(address)}: {type(error).__name__} {error}".rstrip())


def _shown(address: str) -> str:
    """An address as it may be written down: without what could be a secret in it."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"
