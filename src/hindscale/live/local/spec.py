"""What is to be known of a service to run it on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hindscale.core.checks import (
    require_at_least,
    require_count,
    require_nonnegative,
    require_ordered,
    require_positive,
)
from hindscale.core.errors import ParameterError

__all__ = ["LARGEST_PORT", "LocalServiceSpec"]

LARGEST_PORT = 65535
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServiceSpec:
    """A command that serves HTTP, and how its replicas are started, watched, fed and ended.

    Attributes:
        command: Program and arguments; `{port}` in them becomes the replica's port. No shell reads them.
        environment: Further environment variables; `PORT` is always set to the replica's port.
        name: What to call it in logs and messages.
        slots: Requests that one replica serves at the same time; >= 1.
        ports: First and last port for replicas; None takes any that is free.
        readiness_path: A replica is ready when GET on it answers 2xx.
        probe_interval_s: Time between two such questions to a ready replica; four times as often while it starts.
        probe_timeout_s: An answer that takes longer counts as none.
        unready_after: Ready replicas get no requests after this many questions in a row without a good answer.
        start_timeout_s: A start that takes longer is given up and made anew.
        drain_timeout_s: A draining replica is stopped after this long and what it still had is cut; None lets
            it finish.
        stop_grace_s: Time between TERM and KILL.
        longest_backoff_s: Replicas that fail again and again are restarted after pauses that double up to this.
        folder: Logs and the gateway's files are kept here; None takes a temporary folder, removed at the end.
        host: Address that the gateway listens on. Replicas, metrics and activator are on loopback always.
        gateway_port: Where clients come; 0 takes any that is free.
        metrics_port: Where the gateway's metrics are; 0 takes any that is free.
        gateway_threads: Threads that Envoy works with.
        max_header_kib: Requests with more than this in their header are refused (431).
        max_body_bytes: Requests with more than this in their body are refused (413). Bodies whose length is not
            announced are collected up to this before they are passed on; None neither refuses nor collects.
        keep_alive_s: The gateway closes connections to replicas that were idle this long. It must be less than
            what the server itself allows (Uvicorn: 5 s), so that no request meets a connection being closed.
        max_waiting: Requests that may wait while no replica is ready; more are refused (503).
        wait_timeout_s: They are refused (503) after this long.
        latency_buckets_s: Upper edges of the gateway's latency histogram, rising; empty for Envoy's own. With the
            SLO's bound among them attainment can be read off exactly.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "service"
    slots: int = 4
    ports: tuple[int, int] | None = None
    readiness_path: str = "/health"
    probe_interval_s: float = 1.0
    probe_timeout_s: float = 2.0
    unready_after: int = 3
    start_timeout_s: float = 600.0
    drain_timeout_s: float | None = None
    stop_grace_s: float = 10.0
    longest_backoff_s: float = 60.0
    folder: Path | None = None
    host: str = "127.0.0.1"
    gateway_port: int = 0
    metrics_port: int = 0
    gateway_threads: int = 1
    max_header_kib: int = 64
    max_body_bytes: int | None = 64 * MIB
    keep_alive_s: float = 4.0
    max_waiting: int = 1000
    wait_timeout_s: float = 60.0
    latency_buckets_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.command or not all(self.command):
            raise ParameterError(f"command must be a program and its arguments, was {self.command!r}")
        if not self.readiness_path.startswith("/"):
            raise ParameterError(f"readiness_path must begin with /, was {self.readiness_path!r}")
        self._check_counts()
        self._check_times()
        self._check_ports()

    def _check_counts(self) -> None:
        require_at_least(1, slots=self.slots, unready_after=self.unready_after, gateway_threads=self.gateway_threads)
        require_at_least(1, max_header_kib=self.max_header_kib)
        require_count(max_waiting=self.max_waiting)
        if self.max_body_bytes is not None:
            require_count(max_body_bytes=self.max_body_bytes)

    def _check_times(self) -> None:
        require_positive(
            probe_interval_s=self.probe_interval_s,
            probe_timeout_s=self.probe_timeout_s,
            start_timeout_s=self.start_timeout_s,
            keep_alive_s=self.keep_alive_s,
        )
        require_nonnegative(
            stop_grace_s=self.stop_grace_s,
            longest_backoff_s=self.longest_backoff_s,
            wait_timeout_s=self.wait_timeout_s,
        )
        if self.drain_timeout_s is not None:
            require_nonnegative(drain_timeout_s=self.drain_timeout_s)
        for lower, upper in zip((0.0, *self.latency_buckets_s), self.latency_buckets_s, strict=False):
            if not lower < upper:
                raise ParameterError(f"latency_buckets_s must rise from above 0, was {self.latency_buckets_s!r}")

    def _check_ports(self) -> None:
        require_count(gateway_port=self.gateway_port, metrics_port=self.metrics_port)
        first, last = self.ports or (1, LARGEST_PORT)
        require_at_least(1, first_port=first, last_port=last)
        require_ordered(first_port=first, last_port=last)
        require_ordered(gateway_port=self.gateway_port, largest_port=LARGEST_PORT)
        require_ordered(metrics_port=self.metrics_port, largest_port=LARGEST_PORT)
        require_ordered(last_port=last, largest_port=LARGEST_PORT)

    def command_on(self, port: int) -> tuple[str, ...]:
        """The command of a replica that listens on `port`.

        >>> LocalServiceSpec(command=("serve", "--port={port}")).command_on(8001)
        ('serve', '--port=8001')
        """
        return tuple(part.replace("{port}", str(port)) for part in self.command)

    def environment_on(self, port: int) -> dict[str, str]:
        """The whole environment of a replica that listens on `port`."""
        return {**os.environ, **self.environment, "PORT": str(port)}
