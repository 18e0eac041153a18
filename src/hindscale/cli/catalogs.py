"""`hindscale policies`, `guardrails`, `forecasters`, `applications`: what there is, and its parameters."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable
from typing import Annotated, Any

import typer

__all__ = ["COMMANDS"]

Name = Annotated[str | None, typer.Argument(help="Show this one with its parameters.")]


def policies(name: Name = None) -> int:
    """List scaling policies, or show one with its parameters.

    Example: hindscale policies predictive
    """
    from hindscale.policies import POLICIES

    if name is not None:
        return _show(POLICIES, name)
    known = POLICIES.classes
    _print_list({each: _first_line(cls) for each, cls in known.items() if not hasattr(cls, "emulates")})
    print("\nBeside them, found on the recording itself:")
    _print_list({"optimum": "What perfect foresight would have done, and what nobody can go below."})
    print("\nAutoscalers that people run, emulated:")
    _print_list({each: cls.emulates for each, cls in known.items() if hasattr(cls, "emulates")})
    return 0


def guardrails(name: Name = None) -> int:
    """List guardrails, or show one with its parameters.

    Example: hindscale guardrails stabilization
    """
    from hindscale.guardrails import GUARDRAILS

    return _show(GUARDRAILS, name)


def forecasters(name: Name = None) -> int:
    """List forecasters, or show one with its parameters.

    Example: hindscale forecasters arima
    """
    from hindscale.forecasting import FORECASTERS

    return _show(FORECASTERS, name)


def applications(name: Name = None) -> int:
    """List applications with synthetic traffic, or show one with the reasons for its figures.

    Example: hindscale applications chatbot
    """
    from hindscale.traces import application
    from hindscale.traces import applications as known

    if name is None:
        _print_list({each.name: each.title for each in known().values()})
        return 0
    found = application(name)
    print(f"{found.name}: {found.title}\n")
    print(textwrap.fill(found.why, 80))
    service = found.service
    print(
        f"\nslo: {found.slo}\nmean rate: {found.mean_rate_rps:g}/s\nslots: {service.slots}"
        f"\nservice time: {service.service_time}\ncold start: {service.cold_start}"
        f"\nprice: {service.price_per_replica_hour:g} per replica hour"
    )
    return 0


COMMANDS: dict[str, Callable[..., int]] = {
    "policies": policies,
    "guardrails": guardrails,
    "forecasters": forecasters,
    "applications": applications,
}


def _show(catalog: Any, name: str | None) -> int:
    from hindscale.core.catalog import parameters_of

    if name is None:
        _print_list({each: _first_line(cls) for each, cls in catalog.classes.items()})
        return 0
    cls = catalog.find(name)
    print(textwrap.fill(f"{name}: {_first_line(cls)}", 80) + "\n")
    for heading, said in (("Emulates", getattr(cls, "emulates", "")), ("Leaves out", getattr(cls, "leaves_out", ""))):
        if said:
            print(textwrap.fill(f"{heading}: {said}", 80, subsequent_indent="  "))
    if hasattr(cls, "emulates"):
        print()
    for parameter in parameters_of(cls):
        default = "" if parameter.default is dataclasses.MISSING else f" [default: {_plain(parameter.default)}]"
        text = f"{parameter.summary}{default}"
        print(textwrap.fill(text, 80, initial_indent=f"  {parameter.name}: ", subsequent_indent="      "))
    return 0


def _plain(value: Any) -> str:
    return value.name if hasattr(value, "name") else str(value)


def _first_line(cls: type[Any]) -> str:
    paragraph = (cls.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split())


def _print_list(entries: dict[str, str]) -> None:
    width = max(len(name) for name in entries)
    for name, text in entries.items():
        print(textwrap.fill(text, 80, initial_indent=f"{name:<{width}}  ", subsequent_indent=" " * (width + 2)))
