"""Scaling policies, one a file: how many replicas are wanted, and why.

A policy is a frozen dataclass with a `name`; its fields are its parameters, and all that it remembers is
explicit state. `for_service` fills in what follows from the service, its SLO and the control interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hindscale.core.catalog import Catalog
from hindscale.core.control import Policy
from hindscale.core.service import ServiceSpec

__all__ = ["POLICIES", "build_policy"]

POLICIES = Catalog(__name__, "policy", "decide")


def build_policy(name: str, spec: ServiceSpec, given: Mapping[str, object] | None = None) -> Policy[Any]:
    """A policy by name, its parameters as given (texts or values), the others as the service suggests.

    Raises:
        ParameterError: If the policy or a parameter is unknown, or a value does not fit.
    """
    cls = POLICIES.find(name)
    parameters = POLICIES.parse_parameters(name, given or {})
    return cast("Policy[Any]", cls.for_service(spec, **parameters))
