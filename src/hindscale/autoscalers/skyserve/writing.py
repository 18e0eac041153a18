"""The `service` section of a SkyPilot task file: the inverse of `skyserve.config`."""

from __future__ import annotations

import dataclasses
from typing import Any

from hindscale.autoscalers.skyserve.request_rate import ReplicaPolicy
from hindscale.autoscalers.writing import plain_number

__all__ = ["service_document"]


def service_document(policy: ReplicaPolicy) -> dict[str, Any]:
    """The section with the `replica_policy`, every field in full."""
    given = {field.name: getattr(policy, field.name) for field in dataclasses.fields(policy)}
    written = {name: plain_number(value) if isinstance(value, float) else value for name, value in given.items()}
    return {"service": {"replica_policy": written}}
