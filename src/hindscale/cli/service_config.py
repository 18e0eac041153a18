"""A service file: what `hindscale run` is told of a service, its fleet, its metrics and its policies."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, Field, model_validator

from hindscale.cli.config import ServiceConfig, checked, read_text
from hindscale.cli.config_types import Duration, Table
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceProfile
from hindscale.core.slo import Slo
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.plan import Plan, Watch

__all__ = ["DashboardConfig", "FleetConfig", "ServiceFile", "SourceConfig", "read_service", "service_from"]


class FleetConfig(Table):
    """Replicas as processes on this machine; see `LocalServiceSpec` for the meaning of each entry."""

    command: list[str]
    environment: dict[str, str] = Field(default_factory=dict)
    ports: tuple[int, int] | None = None
    readiness_path: str = "/health"
    probe_interval_s: Duration = 1.0
    start_timeout_s: Duration = 600.0
    drain_timeout_s: Duration | None = None
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 0
    gateway_threads: int = 1
    max_header_kib: int = 64
    max_body_bytes: int | None = 64 << 20
    max_waiting: int = 1000
    wait_timeout_s: Duration = 60.0

    def spec(self, plan: Plan, folder: Path) -> LocalServiceSpec:
        """What is to be known to run it; `python` is the one that runs us.

        Raises:
            ParameterError: If anything does not fit.
        """
        given = {
            name: getattr(self, name) for name in type(self).model_fields if name not in ("command", "gateway_host")
        }
        program, *arguments = self.command or [""]
        return LocalServiceSpec(
            command=(sys.executable if program == "python" else program, *arguments),
            name=plan.name,
            slots=plan.profile.slots,
            host=self.gateway_host,
            folder=folder / "fleet",
            latency_buckets_s=_buckets_around(plan.slo.latency_s),
            **given,
        )


class SourceConfig(Table):
    """Where measurements come from; without it the gateway of the fleet is asked."""

    preset: str | None = None
    pages: list[str] = Field(default_factory=list)
    prometheus: str | None = None
    queries: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    window_s: Duration | None = None
    timeout_s: Duration = 2.0
    token_from: str | None = None  # name of an environment variable: secrets stay out of files

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.pages) == (self.prometheus is not None):
            raise ValueError("say either pages or prometheus")
        if self.pages and self.preset is None:
            raise ValueError("pages need a preset that says what the metrics are called")
        if self.prometheus is not None and not (self.preset or self.queries):
            raise ValueError("prometheus needs a preset or queries")
        return self

    def headers(self) -> dict[str, str]:
        """What is sent along with every request.

        Raises:
            ParameterError: If the token's variable is not set.
        """
        if self.token_from is None:
            return {}
        token = os.environ.get(self.token_from)
        if not token:
            raise ParameterError(f"source.token_from: the environment variable {self.token_from} is not set")
        return {"Authorization": f"Bearer {token}"}


class DashboardConfig(Table):
    """Where the dashboard is served."""

    host: str = "127.0.0.1"
    port: int = 8700
    certificate: Path | None = None
    key: Path | None = None


class ProbationConfig(Table):
    """How long a promoted policy is on probation, and how many requests prove something; see `Watch`."""

    length_s: Duration = 600.0
    requests: int = 100


class ServiceFile(BaseModel):
    """Everything that a live run is told."""

    model_config = Table.model_config

    name: str
    slo: str
    service: ServiceConfig = ServiceConfig()
    fleet: FleetConfig | None = None
    source: SourceConfig | None = None
    policy: str = "target-tracking"
    shadows: list[str] = []
    guardrails: list[str] = ["stabilization"]
    control_interval_s: Duration = 15.0
    min_replicas: int = 1
    max_replicas: int = 10
    initial_replicas: int | None = None
    max_age_s: Duration | None = None
    probation: ProbationConfig = ProbationConfig()
    dashboard: DashboardConfig = DashboardConfig()
    keep_s: Duration = 14 * 86400.0

    @model_validator(mode="after")
    def _has_metrics(self) -> Self:
        if self.fleet is None and self.source is None:
            raise ValueError("say fleet (processes on this machine) or source (where the metrics of another fleet are)")
        return self

    def plan(self, *, act: bool, policy: str | None, shadows: list[str]) -> Plan:
        """What is run; flags win.

        Raises:
            InputError: If anything does not fit.
        """
        deciding = policy or self.policy
        beside = [text for text in (*self.shadows, *shadows, self.policy) if text != deciding]
        return Plan(
            name=self.name,
            profile=self.service.profile(ServiceProfile(name=self.name)),
            slo=Slo.parse(self.slo),
            policy=deciding,
            shadows=tuple(dict.fromkeys(beside)),
            guardrails=tuple(text for text in self.guardrails if text != "none"),
            control_interval_s=self.control_interval_s,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            initial_replicas=self.min_replicas if self.initial_replicas is None else self.initial_replicas,
            max_age_s=self.max_age_s,
            act=act,
            watch=Watch(for_s=self.probation.length_s, requests=self.probation.requests),
        )


def _buckets_around(bound_s: float) -> tuple[float, ...]:
    """Edges of a latency histogram, the SLO's bound among them, from a hundredth of it to thirty times it."""
    return tuple(bound_s * 10 ** (step / 8) for step in range(-16, 13))


def read_service(path: Path) -> ServiceFile:
    """A service file, in YAML.

    Raises:
        ParameterError: If it is missing, no YAML, or an entry does not fit.
    """
    try:
        values = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ParameterError(f"{path}: expected YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: expected named entries, was {type(values).__name__}")
    return service_from(values, where=str(path))


def service_from(values: Mapping[str, Any], *, where: str) -> ServiceFile:
    """Check entries and make a service file of them.

    Raises:
        ParameterError: With the path of the first entry that does not fit.
    """
    return checked(ServiceFile, values, where=where)
