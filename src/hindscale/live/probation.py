"""A policy that was just promoted is on probation: when the SLO breaks under it, the one before comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hindscale.core.slo import Slo
from hindscale.core.units import percent
from hindscale.live.plan import Watch
from hindscale.live.records import Score

__all__ = ["Probation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probation:
    """What was measured under a policy since it was promoted.

    Attributes:
        since_s: The run's time of the promotion.
        watch: How long the probation is, and how many requests prove something.
        before: What was measured before it.
        score: What was measured since.
    """

    since_s: float
    watch: Watch
    before: Score
    score: Score = field(default_factory=Score)

    def after(self, score: Score) -> Probation:
        """The probation after one more interval."""
        return replace(self, score=self.score.plus(score))

    def is_over(self, now_s: float) -> bool:
        """Whether the policy has stood its probation."""
        return now_s - self.since_s > self.watch.for_s

    def verdict(self, slo: Slo) -> str:
        """Why the policy has to go; empty while it may stay.

        A service that missed its SLO already is not held against a policy that does no worse.

        >>> kept = Score(left=1000, met=995)
        >>> probation = Probation(since_s=0, watch=Watch(requests=50), before=kept)
        >>> probation.after(Score(left=100, met=90)).verdict(Slo.parse("p99 < 2s"))
        'SLO p99 < 2s broken: 90.00% of 100 requests since the promotion, 99.50% before'
        """
        attainment, before = self.score.attainment, self.before.attainment
        if self.score.left < self.watch.requests or attainment >= slo.percentile:
            return ""
        if self.before.left >= self.watch.requests and attainment >= before:
            return ""
        return (
            f"SLO {slo} broken: {percent(attainment)} of {self.score.left:.0f} requests since the promotion,"
            f" {percent(before)} before"
        )
