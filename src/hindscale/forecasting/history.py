"""A series that grows by one value a window, as an immutable value.

Policies are pure functions of their state, and a forecaster's state is a history. Copying a week of
minutes at every tick would cost more than the forecast, so histories share one growing buffer: appending
to the newest history writes behind its end, where no older one looks; appending to an older one copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]

Floats = NDArray[np.float64]


class _Buffer:
    """Shared storage; `filled` is how far the newest history has written."""

    __slots__ = ("filled", "values")

    def __init__(self, values: Floats, capacity: int) -> None:
        self.values = np.empty(capacity)
        self.values[: len(values)] = values
        self.filled = len(values)


class History:
    """The last values of a series, oldest first; at most `limit` of them.

    >>> one = History(limit=3).append(1.0).append(2.0)
    >>> two, other = one.append(3.0).append(4.0), one.append(9.0)
    >>> two.values.tolist(), other.values.tolist(), one.values.tolist()
    ([2.0, 3.0, 4.0], [1.0, 2.0, 9.0], [1.0, 2.0])
    """

    __slots__ = ("_begin", "_buffer", "_end", "limit", "total")

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.total = 0  # values ever appended, forgotten ones included
        self._buffer = _Buffer(np.empty(0), min(64, 2 * limit))
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def values(self) -> Floats:
        """The values, oldest first, shape (len,); a view that must not be written to."""
        view = self._buffer.values[self._begin : self._end]
        view.flags.writeable = False
        return view

    def append(self, value: float) -> History:
        """A history with one more value; this one stays as it is."""
        longer = History.__new__(History)
        longer.limit, longer.total = self.limit, self.total + 1
        kept = max(self._begin, self._end + 1 - self.limit)
        buffer = self._buffer
        if buffer.filled == self._end < len(buffer.values):
            longer._buffer, longer._begin, longer._end = buffer, kept, self._end + 1
        else:
            recent = buffer.values[kept : self._end]
            longer._buffer = _Buffer(recent, max(64, 2 * len(recent)))
            longer._begin, longer._end = 0, len(recent) + 1
        longer._buffer.values[longer._end - 1] = value
        longer._buffer.filled = longer._end
        return longer

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, History)
            and (self.limit, self.total) == (other.limit, other.total)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"History({len(self)} of {self.total} values, limit={self.limit})"

    def to_plain(self) -> dict[str, Any]:
        """Plain values for a state store; NaN becomes None."""
        values = [None if np.isnan(value) else value for value in self.values.tolist()]
        return {"limit": self.limit, "total": self.total, "values": values}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> History:
        """The history that `to_plain` wrote down."""
        history = cls(limit=plain["limit"])
        values = np.array([np.nan if value is None else value for value in plain["values"]], np.float64)
        history._buffer = _Buffer(values, max(64, 2 * len(values)))
        history._begin, history._end, history.total = 0, len(values), plain["total"]
        return history
