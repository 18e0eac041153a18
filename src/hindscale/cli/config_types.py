"""What entries of a configuration are made of: tables, durations, distributions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from hindscale.core.distributions import distribution_from
from hindscale.core.units import parse_duration

__all__ = ["AnyDistribution", "Duration", "Table", "given_values"]

Duration = Annotated[float, BeforeValidator(parse_duration)]
AnyDistribution = Annotated[
    Any, BeforeValidator(distribution_from), PlainSerializer(lambda distribution: distribution.to_dict())
]


class Table(BaseModel):
    """Named entries, and no others."""

    model_config = ConfigDict(extra="forbid")


def given_values(table: Table) -> dict[str, Any]:
    """The entries that were given."""
    values = {name: getattr(table, name) for name in table.model_fields_set}
    return {name: value for name, value in values.items() if value is not None}
