"""Limits on what a decision may do to a fleet, one a file.

Each has the shape `limit(replicas, observation, state) -> (replicas, state)`. They are applied in the order
of their `order`: tolerance, stabilization, rate limit, cooldown, one at a time, bounds. Bounds come last, so
that they hold whatever came before. Measurements that are missing, stale or not numbers never get this far:
the control step holds the fleet then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hindscale.core.catalog import Catalog
from hindscale.core.control import Guardrail

__all__ = ["GUARDRAILS", "in_order"]

GUARDRAILS = Catalog(__name__, "guardrail", "limit")


def in_order(guardrails: Iterable[Guardrail[Any]]) -> tuple[Guardrail[Any], ...]:
    """Guardrails in the order in which they are applied."""
    return tuple(sorted(guardrails, key=lambda guardrail: guardrail.order))
