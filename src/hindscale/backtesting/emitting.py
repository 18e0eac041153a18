"""A policy as the manifest of the system that decides as it does, with what a backtest predicts for it.

A manifest is read back by the emulator before anybody sees it, and what is predicted is predicted for the policy that
was read back: the figures in the comments are those of the file below them.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hindscale.autoscalers.writing import Manifest, Workload, comment, plain_number
from hindscale.backtesting._vertical_manifest import with_vertical
from hindscale.backtesting.backtest import Backtest, PolicyEntry
from hindscale.backtesting.folder import fingerprint
from hindscale.backtesting.result import BacktestResult, Row, describe_scale
from hindscale.backtesting.workers import perform_all
from hindscale.core.control import Guardrail
from hindscale.core.errors import ParameterError, RunError
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.core.units import format_amount, format_duration, percent
from hindscale.guardrails.stabilization import Stabilization
from hindscale.policies import build_policy
from hindscale.policies._writing import Emittable
from hindscale.simulation.vertical import VerticalAutoscaler

__all__ = ["Emission", "emission_of", "emitted", "require_one"]

MONTH_H = 730
"""Hours that clouds bill for a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """A manifest, and what is known of it.

    Attributes:
        entry: The policy that was asked for.
        manifest: What it is written as.
        policy: What the emulator read back from that, a policy.
        service: What a replica is.
        result: What the policy that was read back came to; None if nothing was predicted.
    """

    entry: PolicyEntry
    manifest: Manifest
    policy: Any
    service: ServiceProfile
    result: BacktestResult | None = None

    def text(self, *, command: str = "", file: str = "FILE") -> str:
        """The whole file: comments, then the documents.

        Args:
            command: What it was made by; empty for not said.
            file: Its name, as the comments say it.
        """
        from hindscale import __version__

        made = f"Made by hindscale {__version__}" + (f": {command}" if command else "")
        lines = [
            made,
            f"{self.entry.label}, for {self.policy.emulates}",
            *self._predictions(),
            *self._instructions(file),
        ]
        return comment(lines) + self.manifest.text

    def _predictions(self) -> list[str]:
        result = self.result
        if result is None:
            return ["", "Nothing is predicted: it was not run on any traffic."]
        lines = []
        for trace, found in zip(result.backtest.traces, result.traces, strict=True):
            scored_h = (trace.duration_s - result.backtest.settings.warm_up_s) / 3600
            lines += ["", f"Predicted on {describe_scale(result, trace.name)}"]
            lines += [f"  sha256 {fingerprint(trace)}", *_figures(found.rows[0], result, scored_h)]
        return lines

    def _instructions(self, file: str) -> list[str]:
        manifest, service = self.manifest, self.service
        given = ",".join(f"{name}={_plain(value)}" for name, value in manifest.parameters(file).items())
        read_back = shlex.join(["hindscale", "backtest", "TRACE", "--policy", f"{manifest.reader}:{given}"])
        lines = [
            "",
            f"For {service.name}: {service.slots} slots, service time {service.service_time},",
            f"  cold start {service.cold_start}, {service.price_per_replica_hour:g} a replica hour{_patience(service)}",
            f"Read back by: {read_back}",
        ]
        if manifest.outside:
            lines.append("Not in this file, but part of the policy:")
            lines += [f"  {each.parameter}={_plain(each.value)}: {each.place}" for each in manifest.outside]
        return [*lines, *manifest.notes, ""]


def emission_of(
    entry: PolicyEntry,
    spec: ServiceSpec,
    workload: Workload,
    *,
    guardrails: Sequence[Guardrail[Any]] = (),
    vertical: VerticalAutoscaler | None = None,
) -> Emission:
    """A policy's manifest for a service, read back.

    Args:
        entry: The policy.
        spec: The service, with the bounds.
        workload: What the manifest is to scale; its bounds are the service's.
        guardrails: What limits a policy that has no limits of its own.
        vertical: Written beside it, as a VerticalPodAutoscaler.

    Raises:
        ParameterError: If no system decides as the policy does, or its format cannot carry a setting.
    """
    policy = _emittable(entry, spec)
    if not getattr(policy, "own_limits", False):
        workload = replace(
            workload,
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            scale_down_window_s=_scale_down_window_s(guardrails),
        )
    manifest = policy.as_manifest(workload)
    read_back = _read_back(manifest, spec, workload)
    if vertical is not None:
        manifest = with_vertical(manifest, vertical, workload)
    return Emission(entry=entry, manifest=manifest, policy=read_back, service=spec.profile)


def emitted(backtest: Backtest, workload: Workload, *, predict: bool = True, jobs: int | None = None) -> Emission:
    """The manifest of a comparison's one policy, with what it comes to on the comparison's traces.

    Args:
        backtest: Traces, service, and the policy.
        workload: What the manifest is to scale.
        predict: Whether to run it.
        jobs: Processes; None for one a core where that pays.

    Raises:
        ParameterError: If there is not one policy, or it comes out differently for two of the traces.
    """
    require_one(backtest.policies)
    first, *others = (
        emission_of(
            backtest.policies[0],
            backtest.prepared[trace.name][1],
            workload,
            guardrails=backtest.guardrails,
            vertical=backtest.settings.vertical,
        )
        for trace in backtest.traces
    )
    for trace, other in zip(backtest.traces[1:], others, strict=True):
        if not other.manifest.means_the_same_as(first.manifest):
            raise ParameterError(
                f"{first.entry.label}: its defaults differ between {backtest.traces[0].name} and {trace.name};"
                " give its target and --max-replicas, or one trace"
            )
    return replace(first, result=_predicted(backtest, first, jobs)) if predict else first


def require_one(entries: Sequence[PolicyEntry]) -> None:
    """There is one policy to write.

    Raises:
        ParameterError: If there are none or several, as a range of values makes them.
    """
    if len(entries) != 1:
        asked = ", ".join(entry.label for entry in entries)
        raise ParameterError(f"emit writes one policy, was asked for {len(entries)} ({asked})")


def _predicted(backtest: Backtest, emission: Emission, jobs: int | None) -> BacktestResult:
    entry = PolicyEntry(label=emission.entry.label, policy=emission.policy)
    plan = replace(backtest, policies=(entry,))
    return BacktestResult.of(plan, list(perform_all(plan, plan.runs, jobs=jobs)))


def _emittable(entry: PolicyEntry, spec: ServiceSpec) -> Emittable:
    """The policy, if it can be written.

    Raises:
        ParameterError: If it cannot; with its own reason, if it has one.
    """
    policy: Any = None if entry.is_optimum else entry.build(spec)
    if isinstance(policy, Emittable):
        return policy
    reason = getattr(policy, "no_manifest", "it runs under hindscale only, no autoscaler decides so")
    raise ParameterError(
        f"{entry.name} cannot be emitted: {reason}; emit writes target-tracking, and what emulates an autoscaler"
    )


def _scale_down_window_s(guardrails: Sequence[Guardrail[Any]]) -> float:
    """What the guardrails say that a manifest can say too: how long a wish to shrink must last.

    Raises:
        ParameterError: If they say more than that.
    """
    for guardrail in guardrails:
        if len(guardrails) > 1 or not isinstance(guardrail, Stabilization) or guardrail.up_window_s:
            name = getattr(guardrail, "name", type(guardrail).__name__)
            raise ParameterError(
                f"guardrail {name} cannot be emitted: a manifest has room for one stabilization of shrinking;"
                " leave --guardrail out, or give stabilization:down_window_s=300"
            )
        return guardrail.down_window_s
    return 0.0


def _read_back(manifest: Manifest, spec: ServiceSpec, workload: Workload) -> Any:
    """What the emulator makes of a manifest; it must be what was written.

    Raises:
        ParameterError: If the reader does not take a value that the policy takes.
        RunError: If it reads something else.
    """
    policy: Any = build_policy(manifest.reader, spec, manifest.parameters(manifest.text))
    if not policy.as_manifest(workload).means_the_same_as(manifest):
        raise RunError(f"{manifest.reader}: what was written is read back as something else; please report this")
    return policy


def _figures(row: Row, result: BacktestResult, scored_h: float) -> list[str]:
    """Cost and attainment in words, with what they are sure of."""
    cost, slo = row.over_seeds("cost"), result.backtest.slo
    hourly = cost.mean / scored_h
    monthly = format_amount(MONTH_H * hourly)
    seeds = f"{len(row.seeds)} seeds from {row.seeds[0]}" if len(row.seeds) > 1 else f"one seed, {row.seeds[0]}"
    attained = row.over_seeds("slo_attainment")
    money = f"{format_amount(cost.mean)}{_sure(cost.half_width, lambda half: format_amount(half, scale=cost.mean))}"
    share = f"{percent(attained.mean)}{_sure(attained.half_width, lambda half: f'{100 * half:.2f}%')}"
    lines = [
        f"  cost {money}, {format_amount(hourly)} an hour, {monthly} a month of {MONTH_H} hours",
        f"  attainment {share} of requests, {'meets' if row.meets_slo else 'MISSES'} {slo}",
    ]
    if slo.minutes_share is not None:
        lines.append(f"  attainment {percent(row.mean('minutes_attainment'))} of minutes")
    most = max(each.most_replicas for each in row.scores)
    lines.append(f"  replicas {row.mean('mean_replicas'):.1f} on average, {most} at most")
    return [*lines, f"  mean of {seeds}{', ± 95% interval' if len(row.seeds) > 1 else ', so no interval'}"]


def _patience(service: ServiceProfile) -> str:
    wait_s = service.queue_timeout_s
    return "" if wait_s is None else f", requests give up after {format_duration(wait_s)}"


def _sure(half_width: float, written: Callable[[float], str]) -> str:
    return "" if math.isnan(half_width) else f" ±{written(half_width)}"


def _plain(value: object) -> str:
    """A value as it is given on the command line."""
    if isinstance(value, tuple):
        return ";".join(str(each) for each in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(plain_number(value) if isinstance(value, float) else value)
