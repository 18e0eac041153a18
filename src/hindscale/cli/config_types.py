"""What entries of a configuration are made of: tables, durations, distributions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from hindscale.core.distributions import distribution_from
from hindscale.core.units import parse_duration

__all__ = ["AnyDistribution", "Duration", "Table"]

Duration = Annotated[float, BeforeValidator(parse_duration)]
AnyDistribution = Annotated[
    Any, BeforeValidator(distribution_from), PlainSerializer(lambda distribution: distribution.to_dict())
]


class Table(BaseModel):
    """Named entries, and no others."""

    model_config = ConfigDict(extra="forbid")
