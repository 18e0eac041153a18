"""Prove a policy on recorded traffic: run, compare, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hindscale.backtesting.assumptions import assumed_service
from hindscale.backtesting.backtest import DEFAULT_POLICIES, Backtest, Outcome, PolicyEntry, Run, policy_entries
from hindscale.backtesting.result import BacktestResult, Row, TraceResult
from hindscale.backtesting.workers import perform_all
from hindscale.core.control import Guardrail, Policy
from hindscale.core.service import ServiceProfile
from hindscale.core.slo import Slo
from hindscale.guardrails.stabilization import Stabilization
from hindscale.simulation.run import SimulationSettings
from hindscale.traces.types import Trace

__all__ = [
    "DEFAULT_POLICIES",
    "Backtest",
    "BacktestResult",
    "Outcome",
    "PolicyEntry",
    "Row",
    "Run",
    "TraceResult",
    "backtest",
]


def backtest(
    traces: Trace | Sequence[Trace],
    policies: Iterable[str | Policy[Any]] = DEFAULT_POLICIES,
    *,
    service: ServiceProfile | None = None,
    slo: Slo | str | None = None,
    control_interval_s: float = 15.0,
    min_replicas: int = 1,
    max_replicas: int | None = None,
    guardrails: Sequence[Guardrail[Any]] = (Stabilization(),),
    seeds: int = 3,
    first_seed: int = 0,
    settings: SimulationSettings | None = None,
    jobs: int | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> BacktestResult:
    """Replay traffic through scaling policies and compare what each would have cost and kept.

    Args:
        traces: One trace or several.
        policies: Names, with parameters after a colon (`"predictive:alpha=0.7"`), or finished policies.
        service: What a replica is; assumed from the trace if not given.
        slo: What is promised, as `"p99 < 2s"` or a value; assumed likewise.
        control_interval_s: Seconds between two decisions.
        min_replicas: The fleet never goes below.
        max_replicas: The fleet never goes above; None for twice what the peak needs, at least 10.
        guardrails: Limits between policy and fleet; by default a fleet shrinks to the largest wish of the
            last five minutes.
        seeds: Runs of each policy on each trace.
        first_seed: The first seed; the others follow.
        settings: How the simulation is done.
        jobs: Processes; None for one a core where that pays.
        on_outcome: Called with each run that is done, for progress.

    Raises:
        ParameterError: If something does not fit together.
        TraceError: If a trace is not traffic.
    """
    chosen = (traces,) if isinstance(traces, Trace) else tuple(traces)
    promised = Slo.parse(slo) if isinstance(slo, str) else slo
    if service is None or promised is None:
        assumed, assumed_slo = assumed_service(chosen)
        service, promised = service or assumed, promised or assumed_slo
    plan = Backtest(
        traces=chosen,
        policies=policy_entries(tuple(policies)),
        service=service,
        slo=promised,
        control_interval_s=control_interval_s,
        min_replicas=min_replicas,
        max_replicas=max_replicas,
        guardrails=tuple(guardrails),
        seeds=seeds,
        first_seed=first_seed,
        settings=settings or SimulationSettings(),
    )
    outcomes = []
    for outcome in perform_all(plan, plan.runs, jobs=jobs):
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return BacktestResult.of(plan, outcomes)
