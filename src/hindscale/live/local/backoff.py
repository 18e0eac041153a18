"""How long to wait before trying again what failed."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Backoff", "pause_s"]

FIRST_PAUSE_S = 1.0


def pause_s(failures: int, longest_s: float) -> float:
    """The pause after so many failures in a row: none after the first, then 1, 2, 4, ... s up to the longest.

    Source: the restart back-off of Kubernetes, which begins at 10 s and ends at 300 s.

    >>> [pause_s(failures, longest_s=5.0) for failures in (1, 2, 3, 4, 5)]
    [0.0, 1.0, 2.0, 4.0, 5.0]
    """
    if failures <= 1:
        return 0.0
    # 63: beyond that the power alone is longer than any pause.
    return float(min(FIRST_PAUSE_S * 2.0 ** min(failures - 2, 63), longest_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Failures in a row, and until when to wait.

    Replicas that fail together fail once: what began before the last failure says nothing new.

    Attributes:
        longest_s: The longest pause; what went well for this long ends the row.
        failures: In a row.
        failed_at_s: When the last one came.
        until_s: Nothing is tried before.
    """

    longest_s: float
    failures: int = 0
    failed_at_s: float = float("-inf")
    until_s: float = float("-inf")

    def after_failure(self, now_s: float, *, began_s: float, well_s: float = 0.0) -> Backoff:
        """What to do after a failure.

        Args:
            now_s: When it came.
            began_s: When what failed had been tried.
            well_s: How long it had gone well.
        """
        if began_s < self.failed_at_s:
            return self
        failures = 1 if well_s >= self.longest_s else self.failures + 1
        until_s = now_s + pause_s(failures, self.longest_s)
        return replace(self, failures=failures, failed_at_s=now_s, until_s=until_s)
