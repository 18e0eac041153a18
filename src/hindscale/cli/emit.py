"""`hindscale emit`: write a policy as the manifest of the system that decides so, with what it is predicted to cost."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hindscale.cli.comparison import Asked, asks_for_comparison
from hindscale.cli.options import option
from hindscale.cli.terminal import say

if TYPE_CHECKING:
    from hindscale.autoscalers.writing import Workload
    from hindscale.backtesting.emitting import Emission

__all__ = ["EXAMPLES", "emit"]

EXAMPLES = """\b
Examples:
  hindscale emit chatbot --policy hpa:metric=concurrency --name chat
  hindscale emit week.parquet --policy keda:target=3.2 --name chat \\
      --namespace serving --out scaledobject.yaml
  hindscale emit --policy knative:target=4 --max-replicas 20 --name chat
"""
STDOUT = "-"


@asks_for_comparison
def emit(
    asked: Asked,
    context: typer.Context,
    name: Annotated[str | None, option(text="What is scaled [the service's name].", metavar="NAME")] = None,
    namespace: Annotated[str, option(text="Its namespace.", metavar="NAME")] = "",
    metric: Annotated[str, option(text="What the metric is called where you run it.", metavar="NAME")] = "",
    prometheus: Annotated[str | None, option(text="The Prometheus that KEDA asks.", metavar="URL")] = None,
    query: Annotated[str, option(text="What KEDA asks it.", metavar="PROMQL")] = "",
    predict: Annotated[
        bool, typer.Option("--predict/--no-predict", help="Run the policy on the traces first.", show_envvar=False)
    ] = True,
    jobs: Annotated[int | None, option("--jobs", "-j", text="Processes [one a core].", metavar="N")] = None,
    out: Annotated[str, option(text="Where to write it; - for standard output.", metavar="FILE")] = STDOUT,
) -> int:
    """Write a policy as a manifest, with its predicted cost and attainment."""
    from hindscale.core.checks import require_at_least

    if jobs is not None:
        require_at_least(1, jobs=jobs)
    given: dict[str, Any] = {"namespace": namespace, "metric": metric, "query": query}
    if prometheus is not None:
        given["prometheus"] = prometheus
    emission = _emission(asked, name, given, predict=predict, jobs=jobs)
    _write(emission.text(command=_command_line(context), file="FILE" if out == STDOUT else out), out)
    return 0


def _emission(asked: Asked, name: str | None, given: dict[str, Any], *, predict: bool, jobs: int | None) -> Emission:
    from hindscale.backtesting.emitting import emission_of, emitted, require_one
    from hindscale.core.errors import ParameterError

    settings = asked.settings()
    if "policies" not in settings.model_fields_set:
        raise ParameterError("emit writes one policy: name it, such as --policy hpa:target=70")
    if settings.traces:
        _, plan = asked.plan()
        return emitted(plan, _workload(plan.service.name if name is None else name, given), predict=predict, jobs=jobs)
    spec = settings.service_without_traffic()
    entries = settings.policy_entries()
    require_one(entries)
    vertical = None if settings.vertical is None else settings.vertical.vertical(spec.profile.name)
    workload = _workload(spec.profile.name if name is None else name, given)
    return emission_of(entries[0], spec, workload, guardrails=settings.chosen_guardrails(), vertical=vertical)


def _workload(name: str, given: dict[str, Any]) -> Workload:
    from hindscale.autoscalers.writing import Workload

    return Workload(name=name, **given)


def _command_line(context: typer.Context) -> str:
    """The command with what was given to it on the command line or in the environment."""
    words = ["hindscale", context.command.name or ""]
    for parameter in context.command.params:
        source, value = context.get_parameter_source(parameter.name or ""), context.params.get(parameter.name or "")
        if source is None or source.name == "DEFAULT" or value in (None, [], ()):
            continue
        words += [
            word
            for each in (value if isinstance(value, (list, tuple)) else (value,))
            for word in _words(parameter, each)
        ]
    return shlex.join(words)


def _words(parameter: Any, value: object) -> list[str]:
    """An argument as itself, an option with its name in front, a switch by its name alone."""
    if parameter.param_type_name == "argument":
        return [str(value)]
    if isinstance(value, bool):
        return [(parameter.opts if value else parameter.secondary_opts)[0]]
    return [parameter.opts[0], str(value)]


def _write(text: str, out: str) -> None:
    from hindscale.core.files import atomic_writer

    if out == STDOUT:
        sys.stdout.write(text)
        return
    with atomic_writer(Path(out)) as file:
        file.write(text.encode())
    say(f"manifest: {out}")
