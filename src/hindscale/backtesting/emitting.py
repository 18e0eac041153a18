"""A policy as the manifest of the system that decides as it does, with what a backtest predicts for it.

A manifest is read back by the emulator before anybody sees it, and what is predicted is predicted for the policy that
was read back: the figures in the comments are those of the file below them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hindscale.autoscalers.writing import Manifest, Workload, comment
from hindscale.backtesting._manifest_comments import prediction_lines, reading_lines
from hindscale.backtesting._vertical_manifest import with_vertical
from hindscale.backtesting.backtest import Backtest, PolicyEntry
from hindscale.backtesting.result import BacktestResult
from hindscale.backtesting.workers import perform_all
from hindscale.core.control import Guardrail
from hindscale.core.errors import ParameterError, RunError
from hindscale.core.service import ServiceProfile, ServiceSpec
from hindscale.guardrails.stabilization import Stabilization
from hindscale.policies import build_policy
from hindscale.policies._writing import Emittable
from hindscale.simulation.vertical import VerticalAutoscaler

__all__ = ["Emission", "emission_of", "emitted", "require_one"]

_ASKS = {"metric": ("hpa", "keda"), "prometheus": ("keda",), "query": ("keda",)}
"""Which systems are asked for a metric, or ask for one, by what is said of it."""


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
        what = f"{self.entry.label}, for {self.policy.emulates}"
        predicted, read = prediction_lines(self.result), reading_lines(self.manifest, self.service, file)
        return comment([made, what, "", *predicted, "", *read, ""]) + self.manifest.text


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
    _require_used(workload, manifest.reader)
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


def _require_used(workload: Workload, reader: str) -> None:
    """What is said of a metric and of Prometheus has a place in the manifest.

    Raises:
        ParameterError: If the system has none for it.
    """
    for field in dataclasses.fields(workload):
        readers = _ASKS.get(field.name, (reader,))
        if reader not in readers and getattr(workload, field.name) != field.default:
            raise ParameterError(
                f"{field.name} has no place in the manifest of {reader}; it is for {', '.join(readers)}"
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
