"""A policy of one's own beside two that come with hindscale.

Anything with `reads`, `initial_state` and `decide` is a policy; `hindscale.testing` has the contract it should pass.
"""

from dataclasses import dataclass
from typing import ClassVar

import hindscale as hs


@dataclass(frozen=True, kw_only=True)
class Doubling:
    """Twice the fleet whenever somebody waits, one less when a quarter of it idles."""

    name: ClassVar[str] = "doubling"
    slots: int

    @property
    def reads(self) -> tuple[str, ...]:
        return ("ongoing_requests", "queued_requests")

    def initial_state(self) -> None:
        return None

    def decide(self, observation: hs.Observation, state: None) -> tuple[hs.Decision, None]:
        fleet, busy = observation.requested_replicas, observation.ongoing_requests / self.slots
        if observation.queued_requests > 0 and not observation.starting_replicas:
            return hs.Decision(desired_replicas=2 * fleet, reason=f"{observation.queued_requests:g} wait"), None
        if busy < 0.75 * fleet:
            return hs.Decision(desired_replicas=max(1, fleet - 1), reason=f"{busy:.1f} of {fleet} busy"), None
        return hs.Decision(desired_replicas=fleet, reason="nobody waits, nobody idles"), None


driving = hs.application("driving")
result = hs.backtest(
    driving.generate(days=1),
    policies=[Doubling(slots=driving.service.slots), "target-tracking", "predictive"],
    service=driving.service,
    slo=driving.slo,
    seeds=2,
)
print(result.table())
