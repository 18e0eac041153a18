"""What a policy says may be tuned: for each such parameter the values that are worth a try.

A policy that wants its parameters tuned has an attribute `tunable`, a mapping from their names to a `Range`
or a `Choice`. Nothing else has to be registered.
"""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.core.checks import require_finite
from hindscale.core.errors import ParameterError

__all__ = ["Choice", "Range", "Tunable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low: The least value.
        high: The largest value; > `low`.
        times_default: Whether both are multiples of the parameter's default, which follows from the service.
            A parameter of several numbers is multiplied as a whole.
        is_log: Whether equal ratios count as equal distances; `low` is then > 0.
        is_whole: Whether only whole numbers are tried; parameters that are whole numbers need not say so.
        if_none: The value that the policy uses where the parameter is None.
    """

    low: float
    high: float
    times_default: bool = False
    is_log: bool = False
    is_whole: bool = False
    if_none: float | None = None

    def __post_init__(self) -> None:
        require_finite(low=self.low, high=self.high)
        if not self.low < self.high:
            raise ParameterError(f"a range must have low < high, but {self.low:g} >= {self.high:g}")
        if self.is_log and self.low <= 0:
            raise ParameterError(f"a range on a logarithmic scale must have low > 0, was {self.low:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A few values, as they are written on the command line.

    Attributes:
        values: At least two; the first one is what the policy uses where the parameter is not set.
    """

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.values)) < 2 or len(set(self.values)) < len(self.values):
            raise ParameterError(f"a choice needs at least two different values, was {'|'.join(self.values)!r}")


Tunable = Range | Choice
