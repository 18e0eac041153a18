"""A trace in two: the first part is tuned on, the rest is what nobody has looked at.

Training replays the first part alone. Judgement replays the whole trace and counts from the end of the first part
on, so that forecasters have their past and the fleet is the one that the policy itself left there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hindscale.backtesting.backtest import Backtest
from hindscale.core.errors import ParameterError
from hindscale.core.slo import Slo
from hindscale.core.units import format_duration, parse_duration
from hindscale.traces.types import RateTrace, RequestTrace

__all__ = ["Split", "parse_train"]

LEAST_DECISIONS = 20
FORGIVEN = 10
"""Each part has so many requests that the SLO forgives at least this many: a share is not known from fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The two parts, as comparisons.

    Attributes:
        train: The first part, for the policies that are tuned.
        judge: The whole trace, of which the rest is scored.
        rest: The rest by itself, for the optimum, which is found on what it is scored on.
        train_s: Where the parts meet.
        duration_s: Where the trace ends.
    """

    train: Backtest
    judge: Backtest
    rest: Backtest
    train_s: float
    duration_s: float

    @property
    def rest_s(self) -> float:
        """Length of the part that is judged on."""
        return self.duration_s - self.train_s

    @classmethod
    def of(cls, plan: Backtest, train: float | str) -> Split:
        """Cut a comparison's trace in two.

        Args:
            plan: What is tuned, on one trace.
            train: The first part, as a share in (0, 1) or a duration.

        Raises:
            ParameterError: If there are several traces, or a part would say too little.
        """
        if len(plan.traces) != 1:
            raise ParameterError(f"tuning takes one trace, was given {len(plan.traces)}; tune on each by itself")
        trace = plan.traces[0]
        assert isinstance(trace, RequestTrace | RateTrace)
        train_s = _border_s(plan, trace, train)
        if not 0 < train_s < trace.duration_s:
            raise ParameterError(
                f"--train must leave something to judge on: {format_duration(train_s)} of"
                f" {format_duration(trace.duration_s)}; write a share such as 0.6"
            )
        first, rest = trace.between(0, train_s), trace.between(train_s)
        _require_enough(plan, first, "to train on", train_s)
        _require_enough(plan, rest, "to judge on", trace.duration_s - train_s)
        return cls(
            train=replace(plan, traces=(first,)),
            judge=replace(plan, settings=replace(plan.settings, warm_up_s=train_s)),
            rest=replace(plan, traces=(rest,), settings=replace(plan.settings, warm_up_s=0.0)),
            train_s=train_s,
            duration_s=trace.duration_s,
        )


def parse_train(text: str) -> float | str:
    """A share such as `0.6`, or a duration such as `2d`.

    >>> parse_train("0.6"), parse_train("2d")
    (0.6, '2d')
    """
    try:
        share = float(text)
    except ValueError:
        parse_duration(text, name="--train")
        return text
    if not 0 < share < 1:
        raise ParameterError(f"--train must be a share in (0, 1) or a duration with a unit such as 2d, was {text!r}")
    return share


def _border_s(plan: Backtest, trace: RequestTrace | RateTrace, train: float | str) -> float:
    """Where the parts meet: at the end of a decision's interval, and of a window where there are windows."""
    wanted_s = train * trace.duration_s if isinstance(train, float) else parse_duration(train, name="--train")
    step_s = plan.control_interval_s
    if isinstance(trace, RateTrace):
        step_s = trace.window_s * math.ceil(step_s / trace.window_s - 1e-9)
    return round(wanted_s / step_s) * step_s


def _require_enough(plan: Backtest, part: RequestTrace | RateTrace, use: str, length_s: float) -> None:
    """A part from which nothing follows is refused, and it is said what would do."""
    requests, needed = part.total_requests, _least_requests(plan.slo)
    least_s = LEAST_DECISIONS * plan.control_interval_s
    if requests >= needed and length_s >= least_s:
        return
    raise ParameterError(
        f"{part.name}: the part {use} has {requests:,.0f} requests in {format_duration(length_s)}, but"
        f" {needed:,} are needed ({FORGIVEN} that {plan.slo} forgives) in at least {format_duration(least_s)}"
        f" ({LEAST_DECISIONS} decisions); give a longer trace, or another --train"
    )


def _least_requests(slo: Slo) -> int:
    """Requests of which the SLO forgives ten.

    >>> _least_requests(Slo(latency_s=2.0, percentile=0.99))
    1000
    """
    return math.ceil(FORGIVEN / (1 - slo.percentile) - 1e-6)
