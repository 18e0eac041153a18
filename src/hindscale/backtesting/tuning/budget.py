"""The error budget: the misses that an SLO forgives, and how many of them a setting spends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hindscale.backtesting.backtest import Backtest
from hindscale.backtesting.optimum import Requests
from hindscale.core.checks import require_share
from hindscale.core.errors import ParameterError
from hindscale.core.slo import Slo
from hindscale.core.units import percent

__all__ = ["ErrorBudget"]

_NOTHING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """What an SLO forgives, without what nobody can help: requests whose time in service alone is too long.

    Attributes:
        slo: What is promised.
        unavoidable: Share of the requests that miss the bound without any wait; in [0, 1 - percentile).
        reserve: Share of the budget that should be left; in [0, 1).
    """

    slo: Slo
    unavoidable: float = 0.0
    reserve: float = 0.0

    def __post_init__(self) -> None:
        require_share(unavoidable=self.unavoidable, reserve=self.reserve)
        if 1 - self.unavoidable <= self.slo.percentile:
            raise ParameterError(
                f"no fleet can keep {self.slo}: without any wait {percent(1 - self.unavoidable)} of the requests are"
                f" served within the bound, and {percent(self.slo.percentile)} are promised; raise the bound or lower"
                " the percentile"
            )

    @classmethod
    def of(cls, plan: Backtest, *, reserve: float) -> ErrorBudget:
        """The budget on a comparison's only trace, for the requests of its first seed."""
        trace, spec = plan.prepared[plan.traces[0].name]
        share_in_time = Requests.of(plan, trace, spec, plan.first_seed).share_in_time
        return cls(slo=spec.slo, unavoidable=1 - share_in_time, reserve=reserve)

    def spent(self, *, attainment: float, minutes: float) -> float:
        """Share of the budget that was spent: (misses - unavoidable ones) / (forgiven - unavoidable ones).

        1 is exactly at the SLO, 0.5 half of what is forgiven, 2 twice as much. Where minutes are promised too, the
        worse of the two counts.

        >>> round(ErrorBudget(slo=Slo(latency_s=2.0, percentile=0.99)).spent(attainment=0.995, minutes=0.9), 9)
        0.5
        >>> round(ErrorBudget(slo=Slo(latency_s=2.0, percentile=0.9), unavoidable=0.05).spent(
        ...     attainment=0.94, minutes=0.9), 9)
        0.2
        >>> round(ErrorBudget(slo=Slo(latency_s=2.0, percentile=0.99, minutes_share=0.95)).spent(
        ...     attainment=0.995, minutes=0.9), 9)
        2.0
        """
        forgiven = 1 - self.slo.percentile - self.unavoidable
        spent = (1 - attainment - self.unavoidable) / forgiven
        if self.slo.minutes_share is None:
            return spent
        return max(spent, (1 - minutes) / max(1 - self.slo.minutes_share, _NOTHING))

    def beside(self, spent_as_given: float) -> ErrorBudget:
        """The budget for varying a policy that spends so much as it is given.

        While that keeps the SLO, no more reserve is asked for than it leaves: a safer setting for a higher price is
        not what tuning is for.

        >>> budget = ErrorBudget(slo=Slo(latency_s=2.0), reserve=0.5)
        >>> budget.beside(0.75).reserve, budget.beside(0.2).reserve, budget.beside(1.5).reserve
        (0.25, 0.5, 0.5)
        """
        if spent_as_given > 1:
            return self
        return replace(self, reserve=min(self.reserve, 1 - spent_as_given))

    def overspent(self, spent: float) -> float:
        """How much more was spent than leaves the reserve; > 0 is too much."""
        return spent - (1 - self.reserve)
