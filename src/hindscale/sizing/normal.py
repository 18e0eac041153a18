"""The probabilistic model: utilization as a normal variable, U ~ N(mu, sigma^2).

    P(U > T_U) = 1 - Phi((T_U - mu) / sigma)        N_plus  = P * N^2 / (1 - P * N)
    P(U < T_L) = Phi((T_L - mu) / sigma)            N_minus = P * N

with Phi the standard normal distribution function and mu, sigma estimated over a window. For P * N >= 1
the first formula has no finite answer.

A text in circulation prints N_plus = 2.33 for N = 10, mu = 0.6, sigma = 0.1, T_U = 0.8; with P = 0.02275
the formula gives 0.02275 * 100 / (1 - 0.2275) = 2.945.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from hindscale.core.checks import require_count, require_finite, require_nonnegative
from hindscale.core.errors import ParameterError
from hindscale.core.rounding import floor, nearest

__all__ = ["NormalSizing", "normal_scale_in", "normal_scale_out", "share_above", "share_below"]


def share_above(threshold: float, *, mu: float, sigma: float) -> float:
    """P(U > threshold) = 1 - Phi((threshold - mu) / sigma).

    With sigma = 0 the variable is a constant: 1 if mu > threshold, else 0.

    >>> round(share_above(0.8, mu=0.6, sigma=0.1), 5)
    0.02275
    >>> share_above(0.8, mu=0.9, sigma=0.0), share_above(0.8, mu=0.8, sigma=0.0)
    (1.0, 0.0)
    """
    require_finite(threshold=threshold, mu=mu)
    require_nonnegative(sigma=sigma)
    if sigma == 0:
        return 1.0 if mu > threshold else 0.0
    # Phi(-z) instead of 1 - Phi(z): no cancellation far out in the tail.
    return NormalDist().cdf((mu - threshold) / sigma)


def share_below(threshold: float, *, mu: float, sigma: float) -> float:
    """P(U < threshold) = Phi((threshold - mu) / sigma); with sigma = 0, 1 if mu < threshold, else 0.

    >>> round(share_below(0.4, mu=0.6, sigma=0.1), 5)
    0.02275
    """
    require_finite(threshold=threshold, mu=mu)
    require_nonnegative(sigma=sigma)
    if sigma == 0:
        return 1.0 if mu < threshold else 0.0
    return NormalDist().cdf((threshold - mu) / sigma)


def normal_scale_out(replicas: int, share: float) -> float:
    """N_plus = P * N^2 / (1 - P * N), replicas to add; infinite for P * N >= 1.

    Args:
        replicas: N >= 0.
        share: P(U > T_U), in [0, 1].

    >>> round(normal_scale_out(10, share_above(0.8, mu=0.6, sigma=0.1)), 3)
    2.945
    >>> normal_scale_out(10, 0.1)
    inf
    """
    _check(replicas, share)
    if share * replicas >= 1:
        return math.inf
    return share * replicas**2 / (1 - share * replicas)


def normal_scale_in(replicas: int, share: float) -> float:
    """N_minus = P * N, replicas to remove.

    Args:
        replicas: N >= 0.
        share: P(U < T_L), in [0, 1].

    >>> round(normal_scale_in(10, share_below(0.4, mu=0.6, sigma=0.1)), 4)
    0.2275
    """
    _check(replicas, share)
    return share * replicas


def _check(replicas: int, share: float) -> None:
    require_count(replicas=replicas)
    if not 0 <= share <= 1:
        raise ParameterError(f"share must be in [0, 1], was {share!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalSizing:
    """What the model says of one window.

    Attributes:
        mu: Mean of the window.
        sigma: Standard deviation of the window (of the window itself, divided by n).
        share_above: P(U > T_U).
        share_below: P(U < T_L).
        n_plus: Replicas to add before rounding; infinite where the formula has no finite answer.
        n_minus: Replicas to remove before rounding.
    """

    mu: float
    sigma: float
    share_above: float
    share_below: float
    n_plus: float
    n_minus: float

    @classmethod
    def of(cls, window: Sequence[float], replicas: int, *, upper: float, lower: float) -> NormalSizing | None:
        """The model of a window of utilizations; None for an empty window, which says nothing.

        >>> NormalSizing.of([], 10, upper=0.8, lower=0.4) is None
        True
        """
        if not window:
            return None
        mu = math.fsum(window) / len(window)
        sigma = math.sqrt(math.fsum((value - mu) ** 2 for value in window) / len(window))
        above = share_above(upper, mu=mu, sigma=sigma)
        below = share_below(lower, mu=mu, sigma=sigma)
        return cls(
            mu=mu,
            sigma=sigma,
            share_above=above,
            share_below=below,
            n_plus=normal_scale_out(replicas, above),
            n_minus=normal_scale_in(replicas, below),
        )

    @property
    def replicas_to_add(self) -> int | None:
        """N_plus to the nearest whole replica; None where it is infinite.

        Nearest and not up: P is never exactly 0, so rounding up would add a replica at every decision.
        """
        return None if math.isinf(self.n_plus) else nearest(self.n_plus)

    @property
    def replicas_to_remove(self) -> int:
        """N_minus rounded down: only whole replicas that the model is sure of."""
        return floor(self.n_minus)
