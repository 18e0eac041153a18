"""Policies x traces x seeds: what is compared, and the single run that everything is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hindscale.backtesting.regret import FleetUse
from hindscale.backtesting.series import RunSeries, run_series
from hindscale.backtesting.sweep import expanded
from hindscale.core.catalog import parse_entry
from hindscale.core.checks import require_at_least, require_count
from hindscale.core.control import Guardrail, Policy
from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.core.units import format_duration
from hindscale.guardrails import in_order
from hindscale.guardrails.bounds import Bounds
from hindscale.policies import build_policy
from hindscale.scoring import Scores, TickLog, score
from hindscale.simulation.run import SimulationSettings, simulate
from hindscale.simulation.workload import with_measured_service
from hindscale.sizing import capacity_rps, replicas_for_rate
from hindscale.traces.types import Trace, UtilizationTrace

__all__ = ["DEFAULT_POLICIES", "OPTIMUM", "Backtest", "Outcome", "PolicyEntry", "Run", "policy_entries"]

DEFAULT_POLICIES = ("fixed", "utilization", "normal-model", "target-tracking", "predictive")
OPTIMUM = "optimum"
"""The policy that stands for perfect foresight; it is found on the recording, so no room below knows it."""
MOST_REPLICAS = 10_000
"""What a policy with limits of its own may ask for, where no other bound is given."""
PEAK_WINDOW_S = 60.0
"""The peak is the highest rate of a minute: that of a single second is mostly chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """A policy in a comparison, under a name of its own.

    Attributes:
        label: What tables and reports call it.
        text: `name:key=value,...`, for a policy that is built for each trace's service.
        policy: A finished policy instead.
    """

    label: str
    text: str = ""
    policy: Policy[Any] | None = None

    @property
    def name(self) -> str:
        """The policy's name without its parameters."""
        return _name(self.policy) if self.policy is not None else parse_entry(self.text)[0]

    @property
    def is_optimum(self) -> bool:
        """Whether it stands for perfect foresight, which is found anew for each trace and seed."""
        return self.text == OPTIMUM

    def knows_the_future(self, spec: ServiceSpec) -> bool:
        """Whether it was sized on the very recording it is judged on: a yardstick, not a choice."""
        return self.is_optimum or bool(getattr(self.build(spec), "hindsight", False))

    def interval_s(self, spec: ServiceSpec) -> float:
        """Seconds between its decisions: the service's, but for a policy that has a pace of its own."""
        own: float | None = None if self.is_optimum else getattr(self.build(spec), "interval_s", None)
        return spec.control_interval_s if own is None else own

    def build(self, spec: ServiceSpec) -> Policy[Any]:
        """The policy for a service.

        Raises:
            ParameterError: If it is unknown or its parameters do not fit.
        """
        if self.policy is not None:
            return self.policy
        name, given = parse_entry(self.text)
        if name == OPTIMUM:
            raise ParameterError(f"optimum has no parameters, was given {', '.join(given)}")
        return build_policy(name, spec, given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One cell of the comparison: numbers of the trace and of the policy entry, and the seed."""

    trace: int
    entry: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to.

    Attributes:
        run: Which one it was.
        scores: Its figures.
        series: As the report draws it; of the first seed only.
        ticks: A row a tick; where the tick log is wanted.
        least_cost: What no policy can go below on this trace and seed; known where the optimum was run.
        use: What it had when; of the first seed only, where the optimum is run beside it.
    """

    run: Run
    scores: Scores
    series: RunSeries | None = None
    ticks: TickLog | None = None
    least_cost: float | None = None
    use: FleetUse | None = None


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """Everything that determines a comparison.

    Attributes:
        traces: Recorded or synthetic traffic.
        policies: What is compared.
        service: What a replica is.
        slo: What is promised.
        control_interval_s: Seconds between decisions; a policy with an `interval_s` keeps to that.
        min_replicas: The fleet never goes below.
        max_replicas: The fleet never goes above; None for twice what the trace's peak needs, at least 10.
        guardrails: Limits between policy and fleet, besides the bounds; a policy with `own_limits` goes without,
            and without the bounds that nobody asked for.
        seeds: How many times each policy meets each trace, with other arrivals, service times, cold starts.
        first_seed: The first of them; the others follow.
        settings: How the simulation is done.
    """

    traces: tuple[Trace, ...]
    policies: tuple[PolicyEntry, ...]
    service: ServiceProfile = field(default_factory=ServiceProfile)
    slo: Slo = Slo(latency_s=2.0)
    control_interval_s: float = 15.0
    min_replicas: int = 1
    max_replicas: int | None = None
    guardrails: tuple[Guardrail[Any], ...] = ()
    seeds: int = 3
    first_seed: int = 0
    settings: SimulationSettings = field(default_factory=SimulationSettings)

    def __post_init__(self) -> None:
        require_at_least(1, seeds=self.seeds)
        require_count(first_seed=self.first_seed)
        _require_different([trace.name for trace in self.traces], "trace")
        _require_different([entry.label for entry in self.policies], "policy")
        # Everything is built once, so that a mistake shows before the first run.
        if self.has_optimum:
            from hindscale.backtesting.optimum import require_plain

            require_plain(self)
        self.settings.check(self.service)
        for trace in self.traces:
            if isinstance(trace, UtilizationTrace):
                raise ParameterError(
                    f"{trace.name}: holds utilization, not requests; convert it with"
                    " `hindscale traces convert --full-load-rps N`, N the rate at which utilization is 1"
                )
            if not trace.total_requests:
                raise ParameterError(f"{trace.name}: holds no requests, so no policy has anything to do")
            if self.settings.warm_up_s >= trace.duration_s:
                raise ParameterError(
                    f"warm_up_s must be shorter than the trace ({trace.name}: {format_duration(trace.duration_s)}),"
                    f" was {format_duration(self.settings.warm_up_s)}"
                )
            for entry in self.policies:
                if not entry.is_optimum:
                    entry.build(self.prepared[trace.name][1])

    @property
    def has_optimum(self) -> bool:
        """Whether perfect foresight is run beside the others."""
        return any(entry.is_optimum for entry in self.policies)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every cell, the first seed of every policy first: the table is complete early, then gets surer.

        The optimum comes before the others: it takes longest, and where no fleet can keep the SLO, that is soon said.
        """
        entries = sorted(range(len(self.policies)), key=lambda entry: not self.policies[entry].is_optimum)
        return tuple(
            Run(trace=trace, entry=entry, seed=self.first_seed + seed)
            for seed in range(self.seeds)
            for trace in range(len(self.traces))
            for entry in entries
        )

    @cached_property
    def prepared(self) -> dict[str, tuple[Trace, ServiceSpec]]:
        """Each trace with the service as policies and sizing see it, by the trace's name.

        Times in service that the trace knows take the place of the profile's.
        """
        pairs = (with_measured_service(trace, self.service) for trace in self.traces)
        return {trace.name: (trace, self._spec(trace, profile)) for trace, profile in pairs}

    def _spec(self, trace: Trace, profile: ServiceProfile) -> ServiceSpec:
        assert not isinstance(trace, UtilizationTrace)
        peak_rps = float(trace.rates_rps(PEAK_WINDOW_S).max())
        most = self.max_replicas
        if most is None:
            needed = replicas_for_rate(peak_rps, capacity_rps=capacity_rps(profile, self.slo), alpha=1.0)
            most = max(2 * needed, 10, self.min_replicas)
        return ServiceSpec(
            profile=profile,
            slo=self.slo,
            control_interval_s=self.control_interval_s,
            min_replicas=self.min_replicas,
            max_replicas=most,
            peak_rate_rps=peak_rps,
            start=trace.start,
        )

    def perform(self, run: Run, *, with_ticks: bool = False) -> Outcome:
        """One run, in this process."""
        entry = self.policies[run.entry]
        if entry.is_optimum:
            from hindscale.backtesting.optimum import perform_optimum

            return perform_optimum(self, run, with_ticks=with_ticks)
        _, spec = self.prepared[self.traces[run.trace].name]
        return self.outcome(run, entry.build(spec), interval_s=entry.interval_s(spec), with_ticks=with_ticks)

    def outcome(
        self, run: Run, policy: Policy[Any], *, interval_s: float | None = None, with_ticks: bool = False
    ) -> Outcome:
        """What a policy comes to in a run's place: on its trace, with its seed."""
        trace, spec = self.prepared[self.traces[run.trace].name]
        guardrails, bounds = self.guardrails, Bounds(min_replicas=spec.min_replicas, max_replicas=spec.max_replicas)
        if getattr(policy, "own_limits", False):
            # What emulates a whole autoscaler has its own limits and its own pace; ours on top would falsify it.
            guardrails, bounds = (), Bounds(min_replicas=0, max_replicas=self.max_replicas or MOST_REPLICAS)
        record = simulate(
            trace,
            replace(spec, control_interval_s=interval_s or spec.control_interval_s),
            policy,
            in_order((*guardrails, bounds)),
            seed=run.seed,
            settings=self.settings,
        )
        is_drawn = run.seed == self.first_seed
        return Outcome(
            run=run,
            scores=score(record),
            series=run_series(record) if is_drawn else None,
            ticks=record.ticks if with_ticks else None,
            use=FleetUse.of(record, spec.profile.slots) if is_drawn and self.has_optimum else None,
        )


def policy_entries(policies: tuple[str | Policy[Any], ...]) -> tuple[PolicyEntry, ...]:
    """Entries with labels of their own, from texts and finished policies; a sweep becomes an entry a setting.

    The label is the text that was given; of a finished policy its name, or all of it where a name appears twice.
    """
    policies = tuple(one for policy in policies for one in (expanded(policy) if isinstance(policy, str) else (policy,)))
    names = [parse_entry(policy)[0] if isinstance(policy, str) else _name(policy) for policy in policies]
    return tuple(
        PolicyEntry(
            label=policy if isinstance(policy, str) else name if names.count(name) == 1 else repr(policy),
            text=policy if isinstance(policy, str) else "",
            policy=None if isinstance(policy, str) else policy,
        )
        for name, policy in zip(names, policies, strict=True)
    )


def _name(policy: Policy[Any]) -> str:
    return str(getattr(policy, "name", type(policy).__name__))


def _require_different(names: list[str], what: str) -> None:
    if not names:
        raise ParameterError(f"a backtest needs at least one {what}, was given none")
    way_out = "rename one of the files" if what == "trace" else "give one of them other parameters"
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"each {what} must have a name of its own, but {name!r} appears twice; {way_out}")
