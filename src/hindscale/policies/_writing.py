"""What policies share that say how they are written as another system's manifest.

Such a policy has a method `as_manifest(workload)`; one that cannot be written may say why in `no_manifest`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from hindscale.autoscalers.writing import Manifest, Outside, Workload

__all__ = ["EMULATION", "UNKNOWN", "Emittable", "origin_notes", "settings_outside"]

EMULATION = "told to the emulation only; the real system sees it, or has it built in"
UNKNOWN = object()
"""Equal to no value."""


@runtime_checkable
class Emittable(Protocol):
    """A policy that can be written as the manifest of a system that decides in the same way."""

    def as_manifest(self, workload: Workload) -> Manifest:
        """The manifest.

        Raises:
            ParameterError: If the format cannot carry the policy.
        """
        ...


def settings_outside(
    policy: Any, places: Mapping[str, str], *, defaults: Mapping[str, object] | None = None
) -> tuple[Outside, ...]:
    """The parameters among `places` that are not at their defaults: what goes beside the manifest.

    Args:
        policy: A dataclass.
        places: By parameter, where the system has it instead.
        defaults: What reading the manifest makes of a parameter, where that is not the field's own default;
            `UNKNOWN` where it is the service that says it.
    """
    usual = {field.name: field.default for field in dataclasses.fields(policy)} | dict(defaults or {})
    return tuple(
        Outside(parameter=name, value=getattr(policy, name), place=place)
        for name, place in places.items()
        if getattr(policy, name) != usual[name]
    )


def origin_notes(policy: Any) -> tuple[str, ...]:
    """What is lost of a manifest that the policy was read from: it is written anew, from what decides."""
    source = policy.manifest
    if not source or "\n" in source:
        return ()
    return (f"Written anew from {source}: its fields that decide nothing (labels, selectors, secrets) are not here.",)
