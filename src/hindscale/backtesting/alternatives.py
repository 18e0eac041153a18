"""What could be different, as `traffic=2x` or `slots=8,service_time=400ms,price=3` say it.

An alternative takes a comparison and gives another one: the same policies and the same seeds, with some settings
changed. A value is absolute (`30s`, `8`), a multiple of what there is (`2x`, `0.5x`), or a step from it (`+20%`,
`-10%`). Times that vary keep their shape: `cold_start=30s` sets the mean, and the spread shrinks along with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Self

from hindscale.backtesting.backtest import Backtest
from hindscale.core.catalog import parse_entry
from hindscale.core.distributions import Constant, Distribution, stretched
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ServiceProfile
from hindscale.core.slo import Slo
from hindscale.core.units import parse_duration
from hindscale.simulation.workload import recorded_service_s
from hindscale.traces.types import RequestTrace, Trace

__all__ = ["SETTINGS", "Alternative", "Amount"]

Plan = dict[str, Any]
"""The fields of a `Backtest` that is being changed: checked only when all changes are made."""
Change = Callable[[Plan, str, str], Plan]
"""From the fields, the setting's name and its new value to the changed fields."""

_RELATIVE = re.compile(r"(?P<factor>\d+\.?\d*|\.\d+)\s*x|(?P<step>[-+](?:\d+\.?\d*|\.\d+))\s*%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A comparison with something changed.

    Attributes:
        name: What tables call it.
        changes: Texts of the new values, by setting.
    """

    name: str
    changes: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `KEY=VALUE[,KEY=VALUE...]`, with `NAME:` in front where it should have a name of its own.

        Raises:
            ParameterError: If it has another form, or changes something that nobody knows.

        >>> Alternative.parse("large:slots=8,price=3").changes["slots"]
        '8'
        """
        before, equals, _ = text.partition("=")
        if not equals:
            raise ParameterError(
                f"an alternative must look like 'cold_start=30s' or 'large:slots=8,price=3', was {text!r}"
            )
        name, changes = parse_entry(text if ":" in before else f":{text}")
        for key in changes:
            if key not in SETTINGS:
                raise ParameterError(f"{text}: nothing is called {key!r}; {did_you_mean(key, SETTINGS)}")
        return cls(name=name or text.strip(), changes=MappingProxyType(changes))

    @property
    def text(self) -> str:
        """As it is read again."""
        changes = ",".join(f"{key}={value}" for key, value in self.changes.items())
        return changes if changes == self.name else f"{self.name}:{changes}"

    def of(self, backtest: Backtest) -> Backtest:
        """The comparison as it would be. Policies are built anew for what has changed.

        Raises:
            ParameterError: If a value does not fit, or what follows is no comparison.
        """
        plan: Plan = {each.name: getattr(backtest, each.name) for each in fields(backtest)}
        try:
            for key, text in self.changes.items():
                plan = SETTINGS[key](plan, key, text)
            return Backtest(**plan)
        except ParameterError as error:
            raise ParameterError(f"{self.text}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number that takes the place of another one.

    Attributes:
        value: The new number, or the factor.
        is_factor: Whether it is a multiple of what there is.
    """

    value: float
    is_factor: bool

    @classmethod
    def parse(cls, text: str, *, name: str, is_duration: bool = False) -> Self:
        """Read `30s` or `8`, `2x`, `+20%` or `-10%`.

        Raises:
            ParameterError: If it is none of these.

        >>> Amount.parse("+20%", name="price")
        Amount(value=1.2, is_factor=True)
        """
        found = _RELATIVE.fullmatch(text.strip())
        if found is not None:
            factor = float(found["factor"]) if found["factor"] else 1 + float(found["step"]) / 100
            return cls(value=factor, is_factor=True)
        if is_duration:
            return cls(value=parse_duration(text, name=name), is_factor=False)
        try:
            return cls(value=float(text), is_factor=False)
        except ValueError:
            raise ParameterError(f"{name} must be a number, a multiple (2x) or a step (+20%), was {text!r}") from None

    def instead_of(self, now: float | None) -> float:
        """The number that takes the place of `now`; None for no number.

        >>> Amount(value=1.5, is_factor=True).instead_of(4.0)
        6.0
        """
        if not self.is_factor:
            return self.value
        if now is None:
            raise ParameterError(
                f"there is no value that {self.value:g} times could be taken of; give the value itself"
            )
        return self.value * now


# -- the settings ------------------------------------------------------------------------------------


def _number(path: str, *, is_duration: bool = False, is_whole: bool = False) -> Change:
    """The change of a number that stands at a path such as `service.slots`."""
    field, *inner = path.split(".")

    def change(plan: Plan, key: str, text: str) -> Plan:
        now = plan[field]
        for name in inner:
            now = getattr(now, name)
        value = Amount.parse(text, name=key, is_duration=is_duration).instead_of(now)
        # What is no whole number stays as it is, and is refused where a count is asked for.
        value = int(value) if is_whole and float(value).is_integer() else value
        return plan | {field: _replaced(plan[field], inner, value)}

    return change


def _replaced(thing: Any, path: Sequence[str], value: float) -> Any:
    """A value with another number at a path of its fields."""
    if not path:
        return value
    first, *rest = path
    return replace(thing, **{first: _replaced(getattr(thing, first), rest, value)})


def _traffic(plan: Plan, key: str, text: str) -> Plan:
    factor = Amount.parse(text, name=key).instead_of(1.0)
    return plan | {"traces": tuple(trace.scaled(factor) for trace in plan["traces"])}


def _start(plan: Plan, key: str, text: str) -> Plan:
    """A wait before a replica is ready: `cold_start` or `provisioning`."""
    service = plan["service"]
    amount = Amount.parse(text, name=key, is_duration=True)
    return plan | {"service": replace(service, **{key: _with_mean(getattr(service, key), amount)})}


def _service_time(plan: Plan, key: str, text: str) -> Plan:
    """Times in service that a trace knows change as the profile's do: each trace's mean becomes what was asked."""
    service = plan["service"]
    amount = Amount.parse(text, name=key, is_duration=True)
    return plan | {
        "service": replace(service, service_time=_with_mean(service.service_time, amount)),
        "traces": tuple(_with_service_time(trace, service, amount) for trace in plan["traces"]),
    }


def _with_service_time(trace: Trace, service: ServiceProfile, amount: Amount) -> Trace:
    recorded_s = recorded_service_s(trace, service)
    if not isinstance(trace, RequestTrace) or recorded_s is None or not (recorded_s > 0).any():
        return trace
    mean_s = float(recorded_s[recorded_s > 0].mean())
    return replace(trace, service_s=recorded_s * (amount.instead_of(mean_s) / mean_s))


def _with_mean(distribution: Distribution, amount: Amount) -> Distribution:
    mean_s = distribution.mean_s
    wanted_s = amount.instead_of(mean_s)
    return stretched(distribution, wanted_s / mean_s) if mean_s else Constant(wanted_s)


def _price(plan: Plan, key: str, text: str) -> Plan:
    if plan["settings"].cluster is not None:
        raise ParameterError("nodes are what is paid for, so a replica's price changes nothing; leave it out")
    return _number("service.price_per_replica_hour")(plan, key, text)


def _slo(plan: Plan, key: str, text: str) -> Plan:
    return plan | {key: Slo.parse(text)}


SETTINGS: Mapping[str, Change] = MappingProxyType(
    {
        "traffic": _traffic,
        "burstiness": _number("settings.arrivals.burstiness"),
        "slots": _number("service.slots", is_whole=True),
        "service_time": _service_time,
        "cold_start": _start,
        "provisioning": _start,
        "queue_timeout": _number("service.queue_timeout_s", is_duration=True),
        "price": _price,
        "interval": _number("control_interval_s", is_duration=True),
        "min_replicas": _number("min_replicas", is_whole=True),
        "max_replicas": _number("max_replicas", is_whole=True),
        "lag": _number("settings.monitoring.lag_s", is_duration=True),
        "scrape_interval": _number("settings.monitoring.scrape_interval_s", is_duration=True),
        "slo": _slo,
    }
)
"""What can be changed, in the words of the flags."""
