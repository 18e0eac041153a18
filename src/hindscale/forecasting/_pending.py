"""Forecasts that wait for their windows, so that each can be held against what came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hindscale.forecasting.arrays import FrozenArray

__all__ = ["Pending"]

Floats = NDArray[np.float64]


class Pending(FrozenArray):
    """The last H forecasts of H windows each, newest first, of N quantities at a time; shape (N, H, H).

    >>> waiting = Pending.empty(1, 2).pushed(np.array([[1.0, 2.0]])).pushed(np.array([[3.0, 4.0]]))
    >>> waiting.due.tolist()  # said just now of the next window, and one window ago of the one after
    [[3.0, 2.0]]
    """

    __slots__ = ()

    @classmethod
    def empty(cls, quantities: int, horizon: int) -> Pending:
        """Nothing was forecast yet: NaN everywhere."""
        return cls(np.full((quantities, horizon, horizon), np.nan))

    @property
    def due(self) -> Floats:
        """What was said of the window that comes next, 1, 2, ... H windows before its end, shape (N, H)."""
        return np.diagonal(self.values, axis1=1, axis2=2)

    def pushed(self, ahead: Floats) -> Pending:
        """With the newest forecasts, shape (N, H); the oldest has been held against all its windows."""
        return Pending(np.concatenate((ahead[:, None, :], self.values[:, :-1, :]), axis=1))
