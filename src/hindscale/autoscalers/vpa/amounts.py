"""Amounts of resources as the recommender keeps them: whole millicores and bytes, truncated after each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MAX_AMOUNT", "MIB", "NOTHING", "Amounts", "amount_of", "each", "scaled"]

MAX_AMOUNT = 10**14
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """CPU and memory of one container; None where there is no value, as for a resource that is not controlled."""

    cpu_millicores: int | None = None
    memory_bytes: int | None = None

    def of(self, resource: str) -> int | None:
        """The amount of `cpu` or `memory`."""
        return self.cpu_millicores if resource == "cpu" else self.memory_bytes


NOTHING = Amounts()


def amount_of(value: float) -> int:
    """A real number as an amount: truncated, within 0..10^14; not a number is 0.

    Source: VPA `pkg/recommender/model/types.go`.

    >>> amount_of(1.9), amount_of(-3.0), amount_of(1e99), amount_of(float("nan"))
    (1, 0, 100000000000000, 0)
    """
    if math.isnan(value):
        return 0
    return int(min(max(value, 0.0), float(MAX_AMOUNT)))


def scaled(amount: int, factor: float) -> int:
    """An amount times a factor, truncated.

    >>> scaled(105, 0.15)
    15
    """
    return amount_of(float(amount) * factor)


def each(change: Callable[[str, int], int], amounts: Amounts) -> Amounts:
    """The amounts after a change that is told the resource, `cpu` or `memory`; None stays None."""
    cpu, memory = amounts.cpu_millicores, amounts.memory_bytes
    return Amounts(
        cpu_millicores=None if cpu is None else change("cpu", cpu),
        memory_bytes=None if memory is None else change("memory", memory),
    )
