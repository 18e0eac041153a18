"""A backtest's configuration: what a file may say, what flags set, and the values that follow.

The same model reads TOML and JSON files, takes environment variables and flags on top, and is written to
the run's folder, from where the run can be repeated.
"""

from __future__ import annotations

import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from hindscale.backtesting.assumptions import assumed_service
from hindscale.backtesting.backtest import DEFAULT_POLICIES, OPTIMUM, Backtest, PolicyEntry, policy_entries
from hindscale.cli.cluster_config import ClusterConfig, ResourceRequestConfig, cluster_values
from hindscale.cli.config_types import AnyDistribution, Duration, Table
from hindscale.cli.vertical_config import VerticalConfig, vertical_values
from hindscale.core.catalog import Catalog, parameters_of, parse_entry
from hindscale.core.control import Guardrail
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import Balancer, ResourceUse, ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.guardrails import GUARDRAILS
from hindscale.policies import POLICIES
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.run import EngineName, SimulationSettings
from hindscale.traces.applications import applications
from hindscale.traces.arrivals import ArrivalProcess
from hindscale.traces.reading import read_trace
from hindscale.traces.types import RequestTrace, Trace, UtilizationTrace
from hindscale.traces.windows import Fill

__all__ = [
    "BacktestConfig",
    "ServiceConfig",
    "TraceOptions",
    "checked",
    "config_from",
    "read_config",
    "read_text",
    "read_traffic",
    "resolved",
]

ModelT = typing.TypeVar("ModelT", bound=BaseModel)


class ResourceConfig(Table):
    """Utilization of one resource, idle and full, as fractions."""

    idle: float = 0.0
    full: float = 1.0


class ServiceConfig(Table):
    """One replica. What is not given is the base's; see `ServiceProfile` for the meaning of each entry."""

    base: str | None = None  # an application, or none for the general profile
    name: str | None = None
    slots: int | None = None
    service_time: AnyDistribution | None = None
    cold_start: AnyDistribution | None = None
    provisioning: AnyDistribution | None = None
    balancer: Balancer | None = None
    replica_queue_limit: int | None = None
    gateway_queue_limit: int | None = None
    queue_timeout_s: Duration | None = None
    drain_timeout_s: Duration | None = None
    mean_time_to_failure_s: Duration | None = None
    resources: dict[str, ResourceConfig] | None = None
    price_per_replica_hour: float | None = None
    resource_request: ResourceRequestConfig | None = None

    def profile(self, default: ServiceProfile) -> ServiceProfile:
        """The profile, on top of the base or, without one, the default."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"base"}}
        if given.get("resources") is not None:
            given["resources"] = {
                name: ResourceUse(idle=use.idle, full=use.full) for name, use in (self.resources or {}).items()
            }
        if self.resource_request is not None:
            given["resource_request"] = self.resource_request.request()
        if "service_time" in given and given["service_time"] is None:
            del given["service_time"]
        base = default if self.base is None else _application_profile(self.base)[0]
        return replace(base, **given)


class TraceOptions(Table):
    """How traces are read; the same for all of them."""

    from_s: Duration = 0.0
    for_s: Duration | None = None
    scale: float = 1.0
    sort: bool = False
    fill: Fill | None = None
    days: float = 1.0
    traffic_seed: int = 0
    ignore_recorded_service: bool = False


class MonitoringConfig(Table):
    """See `Monitoring`."""

    scrape_interval_s: Duration | None = None
    lag_s: Duration = 0.0
    window_s: Duration | None = None


class ArrivalConfig(Table):
    """See `ArrivalProcess`."""

    burstiness: float = 0.0
    burst_s: Duration = 1.0
    interpolation: Literal["step", "linear"] = "step"


class BacktestConfig(BaseModel):
    """Everything that a backtest is told."""

    model_config = Table.model_config

    traces: list[str] = []
    reading: TraceOptions = TraceOptions()
    policies: list[str] = list(DEFAULT_POLICIES)
    set: dict[str, Any] = {}
    guardrails: list[str] = ["stabilization"]
    service: ServiceConfig = ServiceConfig()
    slo: str | None = None
    control_interval_s: Duration = 15.0
    min_replicas: int = 1
    max_replicas: int | None = None
    initial_replicas: int | None = None
    seeds: int = 3
    first_seed: int = 0
    warm_up_s: Duration = 0.0
    monitoring: MonitoringConfig = MonitoringConfig()
    arrivals: ArrivalConfig = ArrivalConfig()
    cluster: ClusterConfig | None = None
    vertical: VerticalConfig | None = None
    engine: EngineName = "fast"

    def backtest(self) -> Backtest:
        """Read the traces and build the comparison.

        Raises:
            InputError: If anything does not fit.
        """
        if not self.traces:
            known = ", ".join(applications())
            raise ParameterError(f"name at least one trace: a file, or an application ({known})")
        traces = tuple(read_traffic(name, self.reading) for name in self.traces)
        profile, slo = self._service_and_slo(traces)
        return Backtest(
            traces=traces,
            policies=self.policy_entries(),
            service=profile,
            slo=slo,
            control_interval_s=self.control_interval_s,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            guardrails=self.chosen_guardrails(),
            seeds=self.seeds,
            first_seed=self.first_seed,
            settings=SimulationSettings(
                monitoring=Monitoring(**self.monitoring.model_dump()),
                arrivals=ArrivalProcess(**self.arrivals.model_dump()),
                initial_replicas=self.initial_replicas,
                warm_up_s=self.warm_up_s,
                engine=self.engine,
                cluster=None if self.cluster is None else self.cluster.cluster(),
                vertical=None if self.vertical is None else self.vertical.vertical(profile.name),
            ),
        )

    def service_without_traffic(self) -> ServiceSpec:
        """The service as policies see it, where no traffic says how large the fleet may become.

        Raises:
            InputError: If anything does not fit, or `max_replicas` is not given.
        """
        if self.max_replicas is None:
            raise ParameterError(
                "max_replicas must be given where no trace says what the peak needs; --max-replicas 20"
            )
        profile, slo = self._service_and_slo(())
        return ServiceSpec(
            profile=profile,
            slo=slo,
            control_interval_s=self.control_interval_s,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
        )

    def policy_entries(self) -> tuple[PolicyEntry, ...]:
        """The policies, with what `set` gives to each."""
        return policy_entries(tuple(self._policy_texts()))

    def chosen_guardrails(self) -> tuple[Guardrail[Any], ...]:
        """The guardrails besides the bounds."""
        return tuple(build_guardrail(text) for text in self.guardrails if text != "none")

    def _service_and_slo(self, traces: Sequence[Trace]) -> tuple[ServiceProfile, Slo]:
        if self.service.base is None:
            default, default_slo = assumed_service(traces)
        else:
            default, default_slo = _application_profile(self.service.base)
        slo = default_slo if self.slo is None else Slo.parse(self.slo)
        return self.service.profile(default), slo

    def _policy_texts(self) -> list[str]:
        """The policies with what `set` gives to each that has such a parameter."""
        unused = dict.fromkeys(self.set)
        texts = []
        for text in self.policies:
            name, given = parse_entry(text)
            known = {parameter.name for parameter in _parameters(POLICIES, text)}
            for key in known & self.set.keys():
                given.setdefault(key, str(self.set[key]))
                unused.pop(key, None)
            texts.append(name + (":" + ",".join(f"{key}={value}" for key, value in given.items()) if given else ""))
        for key in unused:
            every = {parameter.name for text in self.policies for parameter in _parameters(POLICIES, text)}
            raise ParameterError(f"set: no policy here has a parameter {key!r}; {did_you_mean(key, every)}")
        return texts


def _parameters(catalog: Catalog, text: str) -> Sequence[Any]:
    name, _ = parse_entry(text)
    return () if name == OPTIMUM else parameters_of(catalog.find(name))


def build_guardrail(text: str) -> Guardrail[Any]:
    """A guardrail from `name:key=value,...`.

    Raises:
        ParameterError: If it is unknown, a parameter does not fit, or it is the bounds, which have flags.
    """
    name, given = parse_entry(text)
    cls = GUARDRAILS.find(name)
    if name == "bounds":
        raise ParameterError("guardrail bounds is always there; set min_replicas and max_replicas instead")
    guardrail: Guardrail[Any] = cls(**GUARDRAILS.parse_parameters(name, given))
    return guardrail


def read_traffic(name: str, options: TraceOptions) -> Trace:
    """A trace from a file, or of an application, cut and scaled.

    Raises:
        InputError: If there is neither a file nor an application of that name, or it cannot be read.
    """
    known = applications()
    if name in known and not Path(name).exists():
        trace: Trace = known[name].generate(days=options.days, seed=options.traffic_seed)
    elif not Path(name).exists() and "/" not in name and "." not in name:
        raise ParameterError(f"{name}: neither a file nor an application; {did_you_mean(name, known)}")
    else:
        trace = read_trace(name, sort=options.sort, fill=options.fill)
    return _adapted(trace, options)


def _adapted(trace: Trace, options: TraceOptions) -> Trace:
    if isinstance(trace, UtilizationTrace):
        return trace
    if options.from_s or options.for_s is not None:
        to_s = None if options.for_s is None else options.from_s + options.for_s
        trace = trace.between(options.from_s, to_s)
    if options.scale != 1.0:
        trace = trace.scaled(options.scale, seed=options.traffic_seed)
    if options.ignore_recorded_service and isinstance(trace, RequestTrace):
        trace = replace(trace, service_s=None, input_tokens=None, output_tokens=None)
    return trace


def _application_profile(name: str) -> tuple[ServiceProfile, Slo]:
    known = applications()
    if name not in known:
        raise ParameterError(f"service.base: unknown application {name!r}; {did_you_mean(name, known)}")
    return known[name].service, known[name].slo


def read_config(path: Path) -> dict[str, Any]:
    """The entries of a TOML or JSON file.

    Raises:
        ParameterError: If it is missing or is neither.
    """
    text = read_text(path)
    try:
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ParameterError(f"{path}: expected {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from error
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: expected a table of settings, was {type(values).__name__}")
    for table in ("config", "traces") if "config" in values else ():
        if not isinstance(values.get(table, {}), dict):
            raise ParameterError(f"{path}: expected a table under {table}, was {type(values[table]).__name__}")
    return values


def read_text(path: Path) -> str:
    """What a file of settings says.

    Raises:
        ParameterError: If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def config_from(values: Mapping[str, Any], *, where: str) -> BacktestConfig:
    """Check entries and make the configuration of them.

    Args:
        where: File or command line, for the message.

    Raises:
        ParameterError: With the path of the first entry that does not fit.
    """
    return checked(BacktestConfig, values, where=where)


def checked(model: type[ModelT], values: Mapping[str, Any], *, where: str) -> ModelT:
    """Check the entries of a file of any kind and make its model of them.

    Raises:
        ParameterError: With the path of the first entry that does not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParameterError(f"{where}: {_first_error(error, model)}") from None


def resolved(config: BacktestConfig, backtest: Backtest) -> dict[str, Any]:
    """The configuration as plain values with nothing left to defaults, so that it means the same forever."""
    values = config.model_dump(mode="json")
    profile, cluster, vertical = backtest.service, backtest.settings.cluster, backtest.settings.vertical
    values["cluster"] = None if cluster is None else cluster_values(cluster)
    values["vertical"] = None if vertical is None else vertical_values(vertical)
    values["slo"] = str(backtest.slo)
    values["service"] = {
        "base": None,
        **{each.name: getattr(profile, each.name) for each in fields(profile)},
        "service_time": profile.service_time.to_dict(),
        "cold_start": profile.cold_start.to_dict(),
        "provisioning": profile.provisioning.to_dict(),
        "balancer": str(profile.balancer),
        "resource_request": None if profile.resource_request is None else asdict(profile.resource_request),
        "resources": {name: {"idle": use.idle, "full": use.full} for name, use in profile.resources.items()},
    }
    return values


def _first_error(error: ValidationError, model: type[BaseModel]) -> str:
    # A name that nobody knows comes before one that is missing: it is likely the same, misspelt.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place} is not a setting; {did_you_mean(str(first['loc'][-1]), _fields(model, first['loc'][:-1]))}"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] in ("missing", "value_error") else f", was {first['input']!r}"
    return f"{place}: {message[0].lower()}{message[1:]}{given}"


def _fields(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Names of the entries of the table at a place of a model."""
    for part in place:
        if part in model.model_fields:
            model = _table_in(model.model_fields[str(part)].annotation) or model
    return list(model.model_fields)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds, perhaps optional, perhaps one of several by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_table_in(argument) for argument in typing.get_args(annotation))
    return next((found for found in inner if found is not None), None)
