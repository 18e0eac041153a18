"""An autoregression that is never refitted: recursive least squares with forgetting, O(1) a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Autoregression"]

ORDER = 3
FORGETTING = 0.999
"""Weight of a value, one value later: a memory of about a thousand."""
UNSURE = 1.0
"""Of the coefficients at the beginning, in units of the inverse of the values' variance."""
MOST_PERSISTENCE = 0.98
"""Sum of the absolute coefficients that a forecast may use: more would be a forecast that does not fade."""

Row = tuple[float, ...]
_EYE: tuple[Row, ...] = tuple(tuple(UNSURE * (i == j) for j in range(ORDER)) for i in range(ORDER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoregression:
    """x_t = a_1 x_{t-1} + a_2 x_{t-2} + a_3 x_{t-3} + noise, with mean 0.

    Source: recursive least squares, as in Ljung, System Identification (1999), section 11.2.

    Attributes:
        recent: The last values, newest first.
        coefficients: a.
        covariance: P, of the coefficients, up to the noise's variance.
        scale: Mean square of the values; they are divided by its root, so that P begins at the right size.
    """

    recent: Row = (0.0,) * ORDER
    coefficients: Row = (0.0,) * ORDER
    covariance: tuple[Row, ...] = _EYE
    scale: float = 0.0

    def updated(self, value: float) -> Autoregression:
        """With one more value. Of an unknown one (NaN) what was expected stands in, and nothing is learned."""
        if math.isnan(value):
            return replace(self, recent=(self.expected, *self.recent[:-1]))
        scale = self.scale + (value * value - self.scale) * (0.01 if self.scale else 1.0)
        if not scale:
            return replace(self, recent=(value, *self.recent[:-1]))
        unit = 1 / math.sqrt(scale)
        past = [each * unit for each in self.recent]
        spread = [sum(p * x for p, x in zip(row, past, strict=True)) for row in self.covariance]
        gain = [each / (FORGETTING + sum(x * s for x, s in zip(past, spread, strict=True))) for each in spread]
        error = (value - self.expected) * unit
        return Autoregression(
            recent=(value, *self.recent[:-1]),
            coefficients=tuple(a + g * error for a, g in zip(self.coefficients, gain, strict=True)),
            covariance=tuple(
                # min: without news about a direction, forgetting alone would let P grow without end.
                tuple(min((p - g * s) / FORGETTING, UNSURE * 10) for p, s in zip(row, spread, strict=True))
                for row, g in zip(self.covariance, gain, strict=True)
            ),
            scale=scale,
        )

    @property
    def expected(self) -> float:
        """The next value."""
        return sum(a * x for a, x in zip(self._stable, self.recent, strict=True))

    @property
    def _stable(self) -> Row:
        """The coefficients, shrunk where their forecasts would not fade."""
        size = sum(abs(a) for a in self.coefficients)
        if size <= MOST_PERSISTENCE:
            return self.coefficients
        return tuple(a * MOST_PERSISTENCE / size for a in self.coefficients)

    def ahead(self, count: int) -> NDArray[np.float64]:
        """The next values, each from those before it, shape (count,)."""
        values, coefficients = list(self.recent), self._stable
        ahead = []
        for _ in range(count):
            ahead.append(sum(a * x for a, x in zip(coefficients, values, strict=True)))
            values = [ahead[-1], *values[:-1]]
        return np.array(ahead)
