"""Arrays in a state: never written to once they are in it, equal by value, plain for a state store."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrozenArray"]


class FrozenArray:
    """An array of floats of any shape as an immutable value; NaN equals NaN.

    >>> FrozenArray(np.zeros(2)) == FrozenArray.from_plain(FrozenArray(np.zeros(2)).to_plain())
    True
    """

    __slots__ = ("values",)

    def __init__(self, values: NDArray[np.float64]) -> None:
        values.flags.writeable = False
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and np.array_equal(self.values, other.values, equal_nan=True)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"FrozenArray{self.values.shape}"

    def to_plain(self) -> dict[str, Any]:
        """Plain values for a state store; NaN becomes None."""
        flat = [None if math.isnan(value) else value for value in self.values.ravel().tolist()]
        return {"shape": list(self.values.shape), "values": flat}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> FrozenArray:
        """The array that `to_plain` wrote down."""
        flat = np.array([np.nan if value is None else value for value in plain["values"]], np.float64)
        return cls(flat.reshape(plain["shape"]))
