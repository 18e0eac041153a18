"""The flags that describe a comparison, the same for every command that makes one: traffic, service, SLO, policies.

A command that starts with `asked: Asked` gets them in front of its own by `@asks_for_comparison`.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from hindscale.cli.options import option
from hindscale.cli.terminal import say

if TYPE_CHECKING:
    from hindscale.backtesting.backtest import Backtest
    from hindscale.cli.config import BacktestConfig
    from hindscale.core.service import ServiceProfile

__all__ = ["Asked", "asks_for_comparison", "merged", "say_assumptions"]

Texts = list[str] | None
Text = str | None
Number = float | None
Count = int | None
ENTRY = "NAME[:KEY=VALUE,...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line and the configuration file ask for.

    Attributes:
        flags: What was given on the command line, in the shape of a configuration.
        file: The configuration file, if there is one; flags win over it.
    """

    flags: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def settings(self) -> BacktestConfig:
        """The configuration, before any trace is read.

        Raises:
            InputError: If anything does not fit.
        """
        return self._configured()[0]

    def plan(self) -> tuple[BacktestConfig, Backtest]:
        """The configuration and the comparison that it describes; what was assumed is said.

        Raises:
            InputError: If anything does not fit, or a trace is not the one that a run was made from.
        """
        config, file = self._configured()
        plan = config.backtest()
        if "config" in file and not self._reads_otherwise:
            self._require_same_traces(plan, file.get("traces", {}))
        if not self.flags.get("service", {}).get("base"):
            say_assumptions(plan)
        return config, plan

    def _configured(self) -> tuple[BacktestConfig, dict[str, Any]]:
        from hindscale.cli.config import config_from, read_config

        file = {} if self.file is None else read_config(self.file)
        config = config_from(merged(file.get("config", file), self.flags), where=str(self.file or "command line"))
        return config, file

    @property
    def _reads_otherwise(self) -> bool:
        """Whether flags ask for other traffic than the file."""
        reading = self.flags.get("reading", {})
        return bool(self.flags.get("traces")) or any(value is not None for value in reading.values())

    def _require_same_traces(self, plan: Backtest, expected: dict[str, str]) -> None:
        from hindscale.backtesting.folder import fingerprint
        from hindscale.core.errors import ParameterError

        for trace in plan.traces:
            if trace.name in expected and expected[trace.name] != fingerprint(trace):
                raise ParameterError(f"{self.file}: trace {trace.name} is not the one that the run was made from")


def asks_for_comparison(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the flags of a comparison; it gets them gathered, as its first argument."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = _renamed_for(command.__name__, inspect.signature(_gathered, eval_str=True).parameters)
    names = [parameter.name for parameter in shared]

    @functools.wraps(command)
    def with_comparison(**given: Any) -> int:
        asked = _gathered(**{name: given.pop(name) for name in names})
        return command(asked, **given)

    # The command's own arguments come before the traces, which take all that is left.
    ordered = sorted((*shared, *own), key=lambda each: each not in own or not _is_argument(each))
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in ordered]
    with_comparison.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_comparison.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_comparison


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(note, typer.models.ArgumentInfo) for note in get_args(parameter.annotation))


def _renamed_for(command: str, parameters: Any) -> list[inspect.Parameter]:
    """The shared flags with environment variables that begin with this command's name."""
    named = []
    for parameter in parameters.values():
        kind, *notes = get_args(parameter.annotation)
        flag = copy.copy(notes[0])
        if isinstance(flag, typer.models.OptionInfo):
            flag.envvar = f"HINDSCALE_{command.strip('_').upper()}_{parameter.name.strip('_').upper()}"
        named.append(parameter.replace(annotation=Annotated[kind, flag]))
    return named


def _gathered(
    traces: Annotated[Texts, typer.Argument(metavar="TRACE...", help="Trace files, or names of applications.")] = None,
    policy: Annotated[
        Texts, option(text="A policy to compare; repeat for several. A value A..B/N stands for N.", metavar=ENTRY)
    ] = None,
    set_: Annotated[
        Texts, option("--set", text="A parameter for every policy that has it.", metavar="KEY=VALUE")
    ] = None,
    guardrail: Annotated[Texts, option(text="A guardrail besides the bounds; none for none.", metavar=ENTRY)] = None,
    service: Annotated[Text, option(text="Take the replica from this application.", metavar="APPLICATION")] = None,
    slo: Annotated[Text, option(text="What users are promised.", metavar="'p99<2s'")] = None,
    slots: Annotated[Count, option(text="Requests a replica serves at once.", metavar="N")] = None,
    service_time: Annotated[Text, option(text="Mean time in service.", metavar="TIME")] = None,
    service_cv: Annotated[Number, option(text="Its coefficient of variation [0: constant].", metavar="X")] = None,
    cold_start: Annotated[Text, option(text="Mean cold start.", metavar="TIME")] = None,
    cold_start_cv: Annotated[Number, option(text="Its coefficient of variation [0: constant].", metavar="X")] = None,
    queue_timeout: Annotated[Text, option(text="Requests give up waiting after.", metavar="TIME")] = None,
    price: Annotated[Number, option(text="Price of a replica per hour.", metavar="X")] = None,
    interval: Annotated[Text, option(text="Time between two decisions [15s].", metavar="TIME")] = None,
    min_replicas: Annotated[Count, option(text="The fleet never goes below [1].", metavar="N")] = None,
    max_replicas: Annotated[Count, option(text="Nor above [twice what the peak needs].", metavar="N")] = None,
    seeds: Annotated[Count, option(text="Runs of each policy on each trace [3].", metavar="N")] = None,
    seed: Annotated[Count, option(text="The first seed [0].", metavar="N")] = None,
    from_: Annotated[Text, option("--from", text="Leave out the trace before.", metavar="TIME")] = None,
    for_: Annotated[Text, option("--for", text="Use this much of the trace.", metavar="TIME")] = None,
    scale: Annotated[Number, option(text="Multiply the traffic.", metavar="X")] = None,
    sort: Annotated[bool | None, option("--sort", text="Put requests in order of arrival.")] = None,
    fill: Annotated[Text, option(text="What stands in for missing windows.", metavar="zero|interpolate")] = None,
    days: Annotated[Number, option(text="Length of an application's traffic [1].", metavar="X")] = None,
    warm_up: Annotated[Text, option(text="Run this long before scores count.", metavar="TIME")] = None,
    lag: Annotated[Text, option(text="Age of measurements when they are seen.", metavar="TIME")] = None,
    scrape_interval: Annotated[Text, option(text="Time between two measurements.", metavar="TIME")] = None,
    burstiness: Annotated[Number, option(text="Gamma-modulate rates with this cv.", metavar="X")] = None,
    engine: Annotated[Text, option(text="Engine to simulate with [fast].", metavar="fast|readable")] = None,
    config: Annotated[
        Path | None, option(text="Settings in TOML, or the run.json of a run; flags win.", metavar="FILE")
    ] = None,
) -> Asked:
    """The flags in the shape of a configuration; None and missing are the same there."""
    flags: dict[str, Any] = {
        "traces": traces or None,
        "policies": policy or None,
        "set": _pairs(set_),
        "guardrails": guardrail or None,
        "slo": slo,
        "control_interval_s": interval,
        "min_replicas": min_replicas,
        "max_replicas": max_replicas,
        "seeds": seeds,
        "first_seed": seed,
        "warm_up_s": warm_up,
        "engine": engine,
        "service": {
            "base": service,
            "slots": slots,
            "service_time": _distribution(service_time, service_cv, "--service-time"),
            "cold_start": _distribution(cold_start, cold_start_cv, "--cold-start"),
            "queue_timeout_s": queue_timeout,
            "price_per_replica_hour": price,
        },
        "reading": {
            "from_s": from_,
            "for_s": for_,
            "scale": scale,
            "sort": sort or None,
            "fill": fill,
            "days": days,
            "ignore_recorded_service": True if service_time is not None else None,
        },
        "monitoring": {"lag_s": lag, "scrape_interval_s": scrape_interval},
        "arrivals": {"burstiness": burstiness},
    }
    return Asked(flags=flags, file=config)


def _pairs(texts: list[str] | None) -> dict[str, str] | None:
    from hindscale.core.errors import ParameterError

    pairs = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--set must be key=value, was {text!r}")
        pairs[key.strip()] = value.strip()
    return pairs or None


def _distribution(mean: str | None, cv: float | None, flag: str) -> object:
    """A constant, or a lognormal when a coefficient of variation is given."""
    from hindscale.core.errors import ParameterError

    if mean is None:
        if cv is not None:
            raise ParameterError(f"{flag}-cv needs {flag}".replace("--service-time-cv", "--service-cv"))
        return None
    return mean if not cv else {"kind": "lognormal", "mean_s": mean, "cv": cv}


def merged(file: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """The file's settings with those flags on top that were given."""
    settings = dict(file)
    for key, value in flags.items():
        if isinstance(value, dict) and key != "set":
            given = {name: each for name, each in value.items() if each is not None}
            if given:
                # Another service altogether takes nothing from the one in the file.
                before = {} if "base" in given else settings.get(key, {})
                settings[key] = {**before, **given}
        elif value is not None:
            settings[key] = value
    return settings


def say_assumptions(plan: Backtest) -> None:
    """Say what a replica is taken to be: an assumption is never silent."""
    say(f"assuming {_in_words(plan.service)}, SLO {plan.slo}")


def _in_words(service: ServiceProfile) -> str:
    from hindscale.core.units import format_duration

    patience = service.queue_timeout_s
    return (
        f"{service.name}: {service.slots} slots, service time {service.service_time}, cold start {service.cold_start}"
        + (f", requests give up after {format_duration(patience)}" if patience is not None else "")
    )
