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
from hindscale.backtesting.promises import FIGURES, MONEY, SHARE, Case, Promise, ratio
from hindscale.backtesting.result import BacktestResult, Row, TraceResult
from hindscale.backtesting.statistics import Estimate, estimate, mean_of
from hindscale.backtesting.table import money
from hindscale.core.checks import require_nonnegative
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.slo import Slo
from hindscale.core.units import percent
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
        """Whether the mean is within the bound; what is not a number is not."""
        # 1e-9: a bound that was written down and read again may differ in the last digit.
        slack = 1e-9 * abs(self.promise.bound)
        if FIGURES[self.promise.figure].at_least:
            return self.value.mean >= self.promise.bound - slack
        return self.value.mean <= self.promise.bound + slack

    @property
    def is_close(self) -> bool:
        """Whether the interval of the mean holds the bound: other seeds could turn the judgement."""
        return self.value.half_width > 0 and abs(self.value.mean - self.promise.bound) <= self.value.half_width

    @property
    def bound_text(self) -> str:
        """The bound, as the figure is written."""
        return self._show(self.promise.bound)

    @property
    def value_text(self) -> str:
        """The mean and its interval, as the figure is written."""
        if math.isnan(self.value.mean):
            return "not a number"
        if not self.value.half_width > 0:
            return self._show(self.value.mean)
        if FIGURES[self.promise.figure].unit is MONEY:
            return money(self.value)
        if FIGURES[self.promise.figure].unit is SHARE:  # rounded up: an interval is not to look narrower than it is
            return f"{self._show(self.value.mean)} ±{math.ceil(self.value.half_width * 1e4) / 100:.2f}"
        return f"{self._show(self.value.mean)} ±{self._show(self.value.half_width)}"

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
        if FIGURES[self.promise.figure].unit is SHARE:
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

    def _show(self, value: float) -> str:
        return FIGURES[self.promise.figure].unit.show(value)


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
                judgements += [_judgement(result, number, row, promise, baseline or {}) for row in rows]
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
    trace = result.traces[number]
    cases = _cases(result, number, row, baseline)
    value = estimate([FIGURES[promise.figure].of(case) for case in cases])
    way_out = _way_out(trace, row, promise)
    return Judgement(promise=promise, trace=trace.trace, policy=row.policy, value=value, way_out=way_out)


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


def _way_out(trace: TraceResult, row: Row, promise: Promise) -> str:
    """Another policy of the comparison that does better, or where to look."""
    about, best, cost = FIGURES[promise.figure].about, trace.best, row.mean("cost")
    if best is None or best.policy == row.policy:
        return WAYS_OUT[about]
    if about == "cost" and best.mean("cost") < cost:
        return f"{best.policy} meets the SLO at {best.mean('cost') / cost:.2f} times the cost"
    if about == "service":
        attained = percent(best.mean("slo_attainment"))
        return f"{best.policy} meets the SLO with {attained} at {ratio(best.mean('cost'), cost):.2f} times the cost"
    return WAYS_OUT[about]
