"""What can be promised of a policy: figures of a run, how they are written, and bounds on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

from hindscale.backtesting.statistics import Estimate
from hindscale.backtesting.table import lost_share
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.units import MONTH_S, format_amount, format_duration, parse_duration, percent
from hindscale.scoring import Scores

__all__ = ["FIGURES", "SHARE", "Case", "Figure", "Promise", "Unit", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How a figure is written.

    Attributes:
        read: From a text or number in a budget to the value.
        show: From the value to a text.
        show_half_width: From an estimate to the half width of its interval, as it stands behind the mean.
    """

    read: Callable[[object], float]
    show: Callable[[float], str]
    show_half_width: Callable[[Estimate], str]

    def show_estimate(self, value: Estimate) -> str:
        """The mean, and the half width where there is one."""
        if math.isnan(value.mean):
            return "not a number"
        return self.show(value.mean) + (f" ±{self.show_half_width(value)}" if value.half_width > 0 else "")


def _read_number(given: object) -> float:
    if isinstance(given, bool):  # YAML reads yes and on as true, which would count as 1
        raise ParameterError(f"must be a number, was {str(given).lower()}")
    try:
        return float(str(given).replace(",", ""))
    except ValueError:
        raise ParameterError(f"must be a number, was {given!r}") from None


def _read_duration(given: object) -> float:
    if isinstance(given, bool):
        raise ParameterError(f"must be a duration such as 2s, was {str(given).lower()}")
    return parse_duration(given if isinstance(given, (int, float)) else str(given))


def _read_share(given: object) -> float:
    """A share as a fraction or in percent: `0.995` or `99.5%`."""
    text = str(given).strip()
    value = _read_number(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise ParameterError(f"must be a share such as 99.5% or 0.995, was {given!r}")
    return value


def _show_count(value: float) -> str:
    return f"{value:,.4g}"


MONEY = Unit(
    read=_read_number,
    show=format_amount,
    show_half_width=lambda value: format_amount(value.half_width, scale=value.mean),
)
COUNT = Unit(read=_read_number, show=_show_count, show_half_width=lambda value: _show_count(value.half_width))
DURATION = Unit(
    read=_read_duration, show=format_duration, show_half_width=lambda value: format_duration(value.half_width)
)
SHARE = Unit(
    read=_read_share,
    show=percent,
    # Rounded up: an interval is not to look narrower than it is.
    show_half_width=lambda value: f"{math.ceil(value.half_width * 1e4) / 100:.2f}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run, with what its figures may be set against.

    Attributes:
        scores: The run's figures.
        scored_s: Seconds of the trace that they are over.
        least_cost: What perfect foresight paid with the same seed; NaN where it was not asked.
        recorded_cost: The baseline's cost; NaN without one.
    """

    scores: Scores
    scored_s: float
    least_cost: float = math.nan
    recorded_cost: float = math.nan

    def an_hour(self, value: float) -> float:
        """A figure that grows with time, for an hour."""
        return value * 3600 / self.scored_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something that can be promised.

    Attributes:
        of: Its value in one run.
        unit: How it is written.
        about: What helps where it is not kept: other costs, a better service, or fewer changes.
        at_least: Whether more is better; else less is.
    """

    of: Callable[[Case], float]
    unit: Unit
    about: Literal["cost", "service", "churn"]
    at_least: bool = False


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "cost": Figure(of=lambda case: case.scores.cost, about="cost", unit=MONEY),
        "cost_per_hour": Figure(of=lambda case: case.an_hour(case.scores.cost), about="cost", unit=MONEY),
        "cost_per_month": Figure(
            of=lambda case: case.an_hour(case.scores.cost) * MONTH_S / 3600, about="cost", unit=MONEY
        ),
        "cost_times_optimum": Figure(
            of=lambda case: ratio(case.scores.cost, case.least_cost), about="cost", unit=COUNT
        ),
        "cost_times_baseline": Figure(
            of=lambda case: ratio(case.scores.cost, case.recorded_cost), about="cost", unit=COUNT
        ),
        "replica_hours": Figure(of=lambda case: case.scores.replica_hours, about="cost", unit=COUNT),
        "mean_replicas": Figure(of=lambda case: case.scores.mean_replicas, about="cost", unit=COUNT),
        "most_replicas": Figure(of=lambda case: case.scores.most_replicas, about="cost", unit=COUNT),
        "p50_s": Figure(of=lambda case: case.scores.p50_s, about="service", unit=DURATION),
        "p90_s": Figure(of=lambda case: case.scores.p90_s, about="service", unit=DURATION),
        "p95_s": Figure(of=lambda case: case.scores.p95_s, about="service", unit=DURATION),
        "p99_s": Figure(of=lambda case: case.scores.p99_s, about="service", unit=DURATION),
        "lost_share": Figure(of=lambda case: lost_share(case.scores), about="service", unit=SHARE),
        "scaling_actions_per_hour": Figure(
            of=lambda case: case.an_hour(case.scores.scaling_actions), about="churn", unit=COUNT
        ),
        "reversals_per_hour": Figure(of=lambda case: case.an_hour(case.scores.reversals), about="churn", unit=COUNT),
        "slo_attainment": Figure(
            of=lambda case: case.scores.slo_attainment, about="service", unit=SHARE, at_least=True
        ),
        "minutes_attainment": Figure(
            of=lambda case: case.scores.minutes_attainment, about="service", unit=SHARE, at_least=True
        ),
        "utilization": Figure(of=lambda case: case.scores.utilization, about="cost", unit=SHARE, at_least=True),
    }
)
"""What can be promised; names are those of `scores.json`, with what is set against time or another cost beside them."""


def ratio(cost: float, other: float) -> float:
    """A cost as a multiple of another; NaN where that is nothing."""
    return cost / other if other else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A bound on one figure.

    Attributes:
        figure: Its name, one of `FIGURES`.
        bound: What it must not exceed, or must reach where more is better.
        policy: The policy's label, or its name for all settings of it; None for every policy that could be chosen.
        trace: The trace; None for every one.
    """

    figure: str
    bound: float
    policy: str | None = None
    trace: str | None = None

    @classmethod
    def parse(
        cls, name: str, given: object, *, at_least: bool, policy: str | None = None, trace: str | None = None
    ) -> Self:
        """A promise from the entry of a budget.

        Raises:
            ParameterError: If nobody knows the figure, it is bounded from the other side, or the bound does not fit.

        >>> Promise.parse("p99_s", "2s", at_least=False).bound
        2.0
        """
        if name not in FIGURES:
            raise ParameterError(f"{name} is no figure; {did_you_mean(name, FIGURES)}")
        figure = FIGURES[name]
        if figure.at_least != at_least:
            side = "at_least" if figure.at_least else "at_most"
            raise ParameterError(f"{name} is better the {'more' if figure.at_least else 'less'}; state it under {side}")
        try:
            bound = figure.unit.read(given)
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
        if not math.isfinite(bound) or bound < 0:
            raise ParameterError(f"{name}: must be a finite number >= 0, was {given!r}")
        return cls(figure=name, bound=bound, policy=policy, trace=trace)

    @property
    def side(self) -> str:
        """In words: `at least` or `at most`."""
        return "at least" if FIGURES[self.figure].at_least else "at most"

    @property
    def unit(self) -> Unit:
        """How the figure and its bound are written."""
        return FIGURES[self.figure].unit

    def is_kept_by(self, value: float) -> bool:
        """Whether a value is within the bound; what is not a number is not.

        >>> Promise(figure="cost", bound=100.0).is_kept_by(101.0)
        False
        """
        # 1e-9: a bound that was written down and read again may differ in the last digit.
        slack = 1e-9 * abs(self.bound)
        return value >= self.bound - slack if FIGURES[self.figure].at_least else value <= self.bound + slack
