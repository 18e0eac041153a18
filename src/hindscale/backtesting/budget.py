"""Budgets: what a policy may cost and must keep, and whether a comparison stayed within them.

A promise bounds one figure of a policy. It is judged by the mean over seeds, as the SLO is; where the 95 % interval of
that mean holds the bound, the judgement says that it is a close one, since another draw of seeds could turn it.
Everything is determined by the comparison: the same files give the same judgement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hindscale.backtesting.backtest import OPTIMUM, Backtest, PolicyEntry
from hindscale.backtesting.promises import FIGURES, SHARE, Case, Promise, ratio
from hindscale.backtesting.result import BacktestResult, Row
from hindscale.backtesting.statistics import Estimate, estimate, mean_of
from hindscale.core.checks import require_nonnegative
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.slo import Slo
from hindscale.scoring import Scores

__all__ = ["Baseline", "Judgement", "entries_of", "first_promises", "judge", "require_fitting"]

Baseline = Mapping[tuple[str, str], Mapping[int, float]]
"""Recorded costs of earlier runs by trace and policy, then by seed."""
WAYS_OUT = {
    "cost": "`hindscale tune` looks for cheaper settings",
    "service": "`hindscale what-if` says what more headroom or a shorter cold start is worth",
    "churn": "a longer stabilization window makes fewer changes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One promise, held against one policy on one trace.

    Attributes:
        promise: What was promised.
        trace: The trace.
        policy: The policy's label.
        value: What it came to, over seeds.
        way_out: What may help where it is broken.
    """

    promise: Promise
    trace: str
    policy: str
    value: Estimate
    way_out: str = field(default="", compare=False)

    @property
    def is_kept(self) -> bool:
        """Whether the mean is within the bound."""
        return self.promise.is_kept_by(self.value.mean)

    @property
    def is_close(self) -> bool:
        """Whether the interval of the mean holds the bound: other seeds could turn the judgement."""
        return self.value.half_width > 0 and abs(self.value.mean - self.promise.bound) <= self.value.half_width

    @property
    def bound_text(self) -> str:
        """The bound, as the figure is written."""
        return self.promise.unit.show(self.promise.bound)

    @property
    def value_text(self) -> str:
        """The mean and its interval, as the figure is written."""
        return self.promise.unit.show_estimate(self.value)

    def line(self) -> str:
        """What was promised, what came, by how much it differs, and a way out."""
        promise = self.promise
        said = f"{promise.figure} must be {promise.side} {self.bound_text}, was {self.value_text}"
        close = "; close: other seeds could turn it, judge with more (--seeds 10)" if self.is_close else ""
        way_out = f"; {self.way_out}" if self.way_out and not self.is_kept else ""
        return f"{self.policy} on {self.trace}: {said}{self._by_how_much()}{close}{way_out}"

    def _by_how_much(self) -> str:
        """In points of percent for shares, in percent of the bound for all else."""
        bound, off = self.promise.bound, abs(self.value.mean - self.promise.bound)
        if self.is_kept or math.isnan(off):
            return ""
        if self.promise.unit is SHARE:
            return f", {off * 100:.2f} points too {'little' if self.promise.side == 'at least' else 'much'}"
        return f", {off / bound:.1%} too much" if bound else ", too much"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "trace": self.trace,
            "policy": self.policy,
            "figure": self.promise.figure,
            "side": self.promise.side.replace(" ", "_"),
            "bound": self.promise.bound,
            **self.value.to_dict(),
            "is_kept": self.is_kept,
            "is_close": self.is_close,
            "line": self.line(),
        }


# -- judging -----------------------------------------------------------------------------------------


def entries_of(promise: Promise, plan: Backtest) -> tuple[PolicyEntry, ...]:
    """The policies of a comparison that a promise is about; hindsight is nobody's choice, unless it is named."""
    if promise.policy is None:
        _, spec = plan.prepared[plan.traces[0].name]
        return tuple(entry for entry in plan.policies if not entry.knows_the_future(spec))
    exact = tuple(entry for entry in plan.policies if entry.label == promise.policy)
    return exact or tuple(entry for entry in plan.policies if entry.name == promise.policy)


def require_fitting(plan: Backtest, promises: Sequence[Promise], baseline: Baseline) -> None:
    """Whether a comparison has all that is promised of it, before it is run: what judges nothing must not pass.

    Raises:
        ParameterError: If a promise is about a policy, a trace, an optimum or a baseline that is not there.
    """
    if not promises:
        raise ParameterError("budgets: nothing is promised; state a figure under at_most or at_least")
    traces = [trace.name for trace in plan.traces]
    for promise in promises:
        entries = entries_of(promise, plan)
        if not entries:
            raise ParameterError(f"budgets: {_not_run(promise, plan)}")
        if promise.trace is not None and promise.trace not in traces:
            raise ParameterError(
                f"budgets: no trace is called {promise.trace!r}; {did_you_mean(promise.trace, traces)}"
            )
        if promise.figure == "cost_times_optimum" and not any(entry.is_optimum for entry in plan.policies):
            raise ParameterError(f"budgets: cost_times_optimum needs {OPTIMUM!r} among the policies")
        if promise.figure == "cost_times_baseline":
            _require_recorded(baseline, entries, traces if promise.trace is None else [promise.trace])


def _not_run(promise: Promise, plan: Backtest) -> str:
    if promise.policy is None:
        return "all policies are hindsight, and a budget is for those that could be chosen; name another one"
    known = {name for entry in plan.policies for name in (entry.label, entry.name)}
    return f"{promise.policy!r} is not run; {did_you_mean(promise.policy, known)}"


def _require_recorded(baseline: Baseline, entries: Sequence[PolicyEntry], traces: Sequence[str]) -> None:
    for trace in traces:
        for entry in entries:
            if (trace, entry.label) not in baseline:
                raise ParameterError(
                    f"budgets: cost_times_baseline needs a baseline that has {entry.label} on {trace};"
                    " name the folder of such a run under baseline"
                )


def judge(
    result: BacktestResult, promises: Sequence[Promise], *, baseline: Baseline | None = None
) -> tuple[Judgement, ...]:
    """Hold every promise against every policy and trace that it is about.

    Raises:
        ParameterError: If the comparison does not have what is promised of it.
    """
    require_fitting(result.backtest, promises, baseline or {})
    judgements = []
    for number, trace in enumerate(result.traces):
        for promise in promises:
            if promise.trace in (None, trace.trace):
                labels = {entry.label for entry in entries_of(promise, result.backtest)}
                rows = [row for row in trace.rows if row.policy in labels]
                judgements += [_with_way_out(result, number, row, promise, baseline or {}) for row in rows]
    return tuple(judgements)


def first_promises(result: BacktestResult, *, margin: float) -> tuple[Judgement, ...]:
    """Promises that today's figures keep with something to spare, for every policy that could be chosen.

    Args:
        margin: What is spared, as a share of what was measured; >= 0. Where the confidence interval is wider, its
            half width is.

    Returns:
        What was measured, judged by the promises: cost, attainment, and the multiple of the optimum where that was run.
    """
    require_nonnegative(margin=margin)
    figures = ["cost_per_month", "slo_attainment"]
    figures += ["minutes_attainment"] if result.backtest.slo.minutes_share is not None else []
    figures += ["cost_times_optimum"] if any(entry.is_optimum for entry in result.backtest.policies) else []
    measured = judge(result, [Promise(figure=figure, bound=0.0) for figure in figures])
    return tuple(sorted((_stated(each, result.backtest.slo, margin) for each in measured), key=_place))


def _place(judgement: Judgement) -> tuple[str, str]:
    return judgement.trace, judgement.policy


def _stated(measured: Judgement, slo: Slo, margin: float) -> Judgement:
    """The promise that a measured figure can keep; of attainment, what the SLO asks where it is kept."""
    value, figure = measured.value, measured.promise.figure
    half_width = 0.0 if math.isnan(value.half_width) else value.half_width
    if FIGURES[figure].at_least:
        asked = slo.percentile if figure == "slo_attainment" else slo.minutes_share or 0.0
        spared = max(margin * (1 - value.mean), half_width)
        bound = asked if value.mean >= asked else max(0.0, math.floor((value.mean - spared) * 1e4) / 1e4)
    else:
        bound = _rounded_up(value.mean + max(margin * value.mean, half_width))
    promise = replace(measured.promise, bound=bound, policy=measured.policy, trace=measured.trace)
    return replace(measured, promise=promise)


def _rounded_up(value: float, digits: int = 4) -> float:
    """To some significant digits, upwards.

    >>> _rounded_up(13704.2), _rounded_up(1.05)
    (13710.0, 1.05)
    """
    if value <= 0:
        return 0.0
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(value)))
    return math.ceil(value * scale - 1e-9) / scale


def _judgement(result: BacktestResult, number: int, row: Row, promise: Promise, baseline: Baseline) -> Judgement:
    """A promise held against one row of the trace of that number, without a way out."""
    values = [FIGURES[promise.figure].of(case) for case in _cases(result, number, row, baseline)]
    # One seed without a figure is not averaged away: then there is no mean that anybody could rely on.
    value = Estimate(math.nan, math.nan) if any(map(math.isnan, values)) else estimate(values)
    return Judgement(promise=promise, trace=result.traces[number].trace, policy=row.policy, value=value)


def _with_way_out(result: BacktestResult, number: int, row: Row, promise: Promise, baseline: Baseline) -> Judgement:
    """The judgement; where the promise is broken, with the cheapest other policy that would keep it and the SLO."""
    judgement = _judgement(result, number, row, promise, baseline)
    if judgement.is_kept:
        return judgement
    way_out = WAYS_OUT[FIGURES[promise.figure].about]
    for other in result.traces[number].choices:
        if _judgement(result, number, other, promise, baseline).is_kept:
            times = ratio(other.mean("cost"), row.mean("cost"))
            way_out = f"{other.policy} keeps this and the SLO at {times:.2f} times the cost"
            break
    return replace(judgement, way_out=way_out)


def _cases(result: BacktestResult, number: int, row: Row, baseline: Baseline) -> list[Case]:
    """The runs of a policy on a trace; costs of one seed are set against each other."""
    trace, backtest = result.traces[number], result.backtest
    scored_s = backtest.traces[number].duration_s - backtest.settings.warm_up_s
    least = {seed: scores.cost for each in trace.rows if each.name == OPTIMUM for seed, scores in _by_seed(each)}
    recorded = baseline.get((trace.trace, row.policy), {})
    recorded_mean = mean_of(list(recorded.values()))
    return [
        Case(
            scores=scores,
            scored_s=scored_s,
            least_cost=least.get(seed, math.nan),
            recorded_cost=recorded.get(seed, recorded_mean),
        )
        for seed, scores in _by_seed(row)
    ]


def _by_seed(row: Row) -> list[tuple[int, Scores]]:
    return list(zip(row.seeds, row.scores, strict=True))
