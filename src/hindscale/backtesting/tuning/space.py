"""What a search varies: the parameters that a policy declares tunable, or those that were asked for.

A point of the space is a mapping from parameters to numbers or choices; `entry_at` makes of it the text that the
command line takes, and this text is what is run. So whoever reads it can run the very same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hindscale.backtesting.backtest import PolicyEntry
from hindscale.core.catalog import Parameter, parameters_of, parse_entry
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ServiceSpec
from hindscale.core.tunable import Choice, Range, Tunable
from hindscale.policies import POLICIES

__all__ = ["Choices", "Dimension", "Numbers", "Point", "SearchSpace", "parse_ranges", "search_space"]

Point = Mapping[str, float | int | str]


class Dimension(Protocol):
    """One parameter that is varied."""

    @property
    def parameter(self) -> str: ...

    @property
    def default(self) -> float | int | str | None:
        """Where the policy's default lies; None if it does not lie in the space."""

    @property
    def described(self) -> str:
        """Its values in words."""

    def text(self, value: Any) -> str:
        """A value as it is written on the command line."""

    def walk(self, count: int) -> tuple[float | int | str, ...]:
        """A few values from one end to the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A parameter that is varied between two numbers.

    Attributes:
        parameter: Its name.
        low, high: The ends, both included.
        is_log: Whether equal ratios count as equal distances.
        is_whole: Whether only whole numbers are tried.
        default: The policy's own value; None if it lies elsewhere.
        multiplied: Numbers that a value multiplies, where the parameter holds several; else empty.
    """

    parameter: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False
    default: float | None = None
    multiplied: tuple[float, ...] = ()

    @property
    def described(self) -> str:
        return f"{self.text(self.low)}..{self.text(self.high)}"

    def text(self, value: Any) -> str:
        """Three digits: what is found is not known any better.

        >>> Numbers(parameter="alpha", low=0, high=1).text(0.73214)
        '0.732'
        >>> Numbers(parameter="targets", low=0.2, high=2, multiplied=(2.0, 10.0)).text(1.5)
        '3;15'
        """
        if self.is_whole:
            return str(int(value))
        return ";".join(f"{float(f'{value * each:.3g}'):.12g}" for each in self.multiplied or (1.0,))

    def walk(self, count: int) -> tuple[float | int | str, ...]:
        shares = [(index + 0.5) / count for index in range(count)]
        if self.is_log:
            values = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            values = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(round(value) if self.is_whole else value for value in values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A parameter that is one of a few texts."""

    parameter: str
    values: tuple[str, ...]
    default: str | None = None

    @property
    def described(self) -> str:
        return "|".join(self.values)

    def text(self, value: Any) -> str:
        return str(value)

    def walk(self, count: int) -> tuple[float | int | str, ...]:
        return self.values[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A policy and what is varied of it.

    Attributes:
        entry: The policy's text, with what was set and stays.
        dimensions: What is varied; the main parameter first.
    """

    entry: str
    dimensions: tuple[Dimension, ...]

    @property
    def default(self) -> Point | None:
        """Where the policy as it was given lies; None if it does not lie in the space."""
        point = {each.parameter: each.default for each in self.dimensions if each.default is not None}
        return point if len(point) == len(self.dimensions) else None

    def entry_at(self, point: Point) -> str:
        """The policy's text at a point."""
        varied = ",".join(f"{each.parameter}={each.text(point[each.parameter])}" for each in self.dimensions)
        return f"{self.entry}{',' if ':' in self.entry else ':'}{varied}"

    def walk(self, count: int) -> tuple[Point, ...]:
        """Points along the main parameter, all else at its default; none where there is no default."""
        if self.default is None:
            return ()
        main = self.dimensions[0]
        return tuple({**self.default, main.parameter: value} for value in main.walk(count))

    def described(self) -> dict[str, str]:
        """Parameters with the values that are tried, in words."""
        return {each.parameter: each.described for each in self.dimensions}


def search_space(entry: PolicyEntry, spec: ServiceSpec, ranges: Mapping[str, str] | None = None) -> SearchSpace:
    """What is varied of a policy.

    Args:
        entry: The policy; what its text sets stays as it is.
        spec: The service that defaults follow from.
        ranges: Parameters that alone are varied, each with its values as `LOW..HIGH` or `A|B`, or empty for
            those that the policy declares; None for all that it declares. Others' parameters do not matter.

    Raises:
        ParameterError: If nothing is left to vary, or a range does not fit.
    """
    if not entry.text or entry.is_optimum:
        raise ParameterError(f"{entry.label}: tuning needs a policy by name, such as hpa, whose parameters it can vary")
    name, given = parse_entry(entry.text)
    policy = entry.build(spec)
    declared: Mapping[str, Tunable] = getattr(policy, "tunable", {})
    parameters = {each.name: each for each in parameters_of(POLICIES.find(name))}
    if ranges is None:
        wanted = {key: "" for key in declared if key not in given}
    else:
        wanted = {key: text for key, text in ranges.items() if key in parameters}
    _require_some(name, wanted, given, ranges, declares=bool(declared))
    return SearchSpace(
        entry=entry.text,
        dimensions=tuple(
            _dimension(parameters[key], _tunable(parameters[key], text, declared, name), getattr(policy, key))
            for key, text in wanted.items()
        ),
    )


def _require_some(
    name: str, wanted: Mapping[str, str], given: Collection[str], ranges: Mapping[str, str] | None, *, declares: bool
) -> None:
    for key in wanted:
        if key in given:
            raise ParameterError(f"{name}: {key} is both set and tuned; leave one of them out")
    if not wanted and ranges:
        raise ParameterError(f"{name} has no parameter {' or '.join(ranges)}; tune it by itself")
    if not wanted:
        left = "all that is tunable is set" if declares else "declares nothing tunable"
        raise ParameterError(f"{name}: {left}; name a parameter and its range with --tune KEY=LOW..HIGH")


def _tunable(parameter: Parameter, text: str, declared: Mapping[str, Tunable], policy: str) -> Tunable:
    """The values to try: as written, or as declared."""
    if not text:
        if parameter.name not in declared:
            raise ParameterError(
                f"{policy} declares no range for {parameter.name}; write {parameter.name}=LOW..HIGH or"
                f" {parameter.name}=A|B"
            )
        return declared[parameter.name]
    if "|" in text:
        return Choice(values=tuple(each.strip() for each in text.split("|")))
    low, dots, high = text.partition("..")
    ends = [parameter.parse(end) for end in (low, high)] if dots else []
    if not ends or not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
        raise ParameterError(f"--tune {parameter.name} must look like {parameter.name}=LOW..HIGH or A|B, was {text!r}")
    known = declared.get(parameter.name)
    is_log = isinstance(known, Range) and known.is_log and ends[0] > 0
    if_none = known.if_none if isinstance(known, Range) else None
    is_whole = isinstance(known, Range) and known.is_whole
    return Range(low=ends[0], high=ends[1], is_log=is_log, is_whole=is_whole, if_none=if_none)


def _dimension(parameter: Parameter, tunable: Tunable, default: Any) -> Dimension:
    """A declared range or choice, made definite by the policy's default."""
    if isinstance(tunable, Choice):
        written = ";".join(default) if isinstance(default, tuple) else str(default or "")
        chosen = written or tunable.values[0]
        is_known = chosen in tunable.values
        return Choices(parameter=parameter.name, values=tunable.values, default=chosen if is_known else None)
    if tunable.times_default and isinstance(default, tuple):
        return Numbers(
            parameter=parameter.name,
            low=tunable.low,
            high=tunable.high,
            is_log=tunable.is_log,
            default=1.0,
            multiplied=tuple(float(each) for each in default),
        )
    default = tunable.if_none if default is None else default
    return _numbers(parameter, tunable, default)


def _numbers(parameter: Parameter, tunable: Range, default: float | None) -> Numbers:
    if tunable.times_default and default is None:
        raise ParameterError(f"{parameter.name} has no default to be a multiple of; write {parameter.name}=LOW..HIGH")
    factor = default if tunable.times_default and default is not None else 1.0
    is_whole = tunable.is_whole or parameter.is_whole
    low, high = tunable.low * factor, tunable.high * factor
    if is_whole:
        low, high = round(low), round(high)
        high = max(high, low + 1)
    inside = default is not None and low <= default <= high and (not is_whole or float(default).is_integer())
    return Numbers(
        parameter=parameter.name,
        low=low,
        high=high,
        is_log=tunable.is_log,
        is_whole=is_whole,
        default=(int(default) if is_whole else default) if inside and default is not None else None,
    )


def parse_ranges(texts: Sequence[str], policies: Sequence[str]) -> dict[str, str] | None:
    """Parameters and their ranges from `KEY` and `KEY=LOW..HIGH`; None from nothing.

    Raises:
        ParameterError: If none of the policies has such a parameter.
    """
    known = {each.name for policy in policies for each in parameters_of(POLICIES.find(policy))}
    ranges: dict[str, str] = {}
    for text in texts:
        key, _, values = text.partition("=")
        if key.strip() not in known:
            raise ParameterError(f"--tune: no policy here has a parameter {key.strip()!r}; {did_you_mean(key, known)}")
        ranges[key.strip()] = values.strip()
    return ranges or None
