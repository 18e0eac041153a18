"""When a metric is near enough to its target to leave the fleet alone."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.core.checks import require_nonnegative

__all__ = ["DEFAULT_TOLERANCE", "Tolerance"]

DEFAULT_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Relative errors of usage to target that are left alone.

    The two forms differ in the last bits: `abs(1.0 - 1.1)` is 0.10000000000000009, outside of 0.1, while
    `1.1 <= 1.0 + 0.1` holds.

    Attributes:
        up: Largest relative excess, >= 0.
        down: Largest relative shortfall, >= 0.
        is_two_sided: The form since 1.33, `1 - down <= ratio <= 1 + up`; else `|1 - ratio| <= up`.
    """

    up: float = DEFAULT_TOLERANCE
    down: float = DEFAULT_TOLERANCE
    is_two_sided: bool = True

    def __post_init__(self) -> None:
        require_nonnegative(up=self.up, down=self.down)

    def holds(self, ratio: float) -> bool:
        """Whether usage / target is inside.

        Source: kubernetes `replica_calculator.go`.

        >>> Tolerance(is_two_sided=True).holds(1.1), Tolerance(is_two_sided=False).holds(1.1)
        (True, False)
        """
        if self.is_two_sided:
            return 1.0 - self.down <= ratio <= 1.0 + self.up
        return abs(1.0 - ratio) <= self.up
