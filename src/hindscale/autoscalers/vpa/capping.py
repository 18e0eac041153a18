"""A recommendation, and keeping it within what the object's resource policy allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hindscale.autoscalers.vpa.amounts import Amounts, each
from hindscale.autoscalers.vpa.config import DEFAULTS, RecommenderConfig
from hindscale.autoscalers.vpa.policy import ContainerPolicy

__all__ = ["ContainerRecommendation", "apply_policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecommendation:
    """What a container should request, and the range in which it is left alone.

    `uncapped_target` is the target before the policy's caps.
    """

    container: str
    target: Amounts
    lower_bound: Amounts
    upper_bound: Amounts
    uncapped_target: Amounts


def apply_policy(
    recommendation: ContainerRecommendation,
    policy: ContainerPolicy | None,
    config: RecommenderConfig = DEFAULTS,
) -> ContainerRecommendation:
    """The recommendation within the policy's minAllowed and maxAllowed; the uncapped target stays.

    First the minimum, then the maximum, which wins where they cross. A bound of 0 is none. The recommender's
    own cap holds where the policy has no maxAllowed for the resource.

    Source: VPA `pkg/utils/vpa/capping.go`.
    """
    lowest = policy.min_allowed if policy else Amounts()
    highest = policy.max_allowed if policy else Amounts()
    own_highest = Amounts(
        cpu_millicores=config.container_recommendation_max_allowed_cpu_millicores,
        memory_bytes=config.container_recommendation_max_allowed_memory_bytes,
    )

    def capped(resource: str, amount: int) -> int:
        low, high = lowest.of(resource), highest.of(resource)
        high = own_highest.of(resource) if high is None else high
        amount = max(amount, low) if low else amount
        return min(amount, high) if high else amount

    return replace(
        recommendation,
        target=each(capped, recommendation.target),
        lower_bound=each(capped, recommendation.lower_bound),
        upper_bound=each(capped, recommendation.upper_bound),
    )
