"""From histograms to a recommendation: percentile, margin, confidence, minimum, step, caps, in that order.

Amounts are whole millicores and bytes, truncated after each step, so the order shows in the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from hindscale.autoscalers.vpa.amounts import MIB, NOTHING, Amounts, amount_of, each, scaled
from hindscale.autoscalers.vpa.capping import ContainerRecommendation, apply_policy
from hindscale.autoscalers.vpa.config import DEFAULTS, RecommenderConfig
from hindscale.autoscalers.vpa.histogram import percentile
from hindscale.autoscalers.vpa.policy import ContainerPolicy, policy_for
from hindscale.autoscalers.vpa.powers import power
from hindscale.autoscalers.vpa.samples import AggregateState
from hindscale.core.checks import require_at_least

__all__ = [
    "confidence",
    "estimate",
    "pod_minimum",
    "recommend",
    "recommend_container",
    "rounded_up",
    "with_confidence",
    "with_margin",
]

LOWER_BOUND_CONFIDENCE = (0.001, -2.0)  # multiplier and exponent
UPPER_BOUND_CONFIDENCE = (1.0, 1.0)


def with_margin(amount: int, fraction: float) -> int:
    """The amount plus its margin: amount + trunc(amount x fraction).

    >>> with_margin(103, 0.15)
    118
    """
    return amount + scaled(amount, fraction)


def confidence(aggregate: AggregateState, interval_s: float = 86_400.0) -> float:
    """How much history there is: min((last - first) / interval, CPU samples / minutes of the interval).

    CPU samples alone count, for memory too. A steady sample a minute over N days gives N.
    """
    if aggregate.first_sample_s is None or aggregate.last_sample_s is None:
        return 0.0
    lifespan = (aggregate.last_sample_s - aggregate.first_sample_s) / interval_s
    return min(lifespan, aggregate.cpu_samples / (interval_s / 60.0))


def with_confidence(amount: int, multiplier: float, exponent: float, c: float) -> int:
    """The amount x (1 + multiplier / c)^exponent, truncated; c = 0 gives 0 or the greatest amount.

    An amount of 0 stays 0 whatever c.

    >>> with_confidence(1000, 1.0, 1.0, 0.5), with_confidence(1000, 1.0, 1.0, 0.0), with_confidence(9, 0.001, -2.0, 0.0)
    (3000, 100000000000000, 0)
    """
    ratio = 1.0 + multiplier / c if c > 0 else math.inf
    return scaled(amount, power(ratio, exponent))


def pod_minimum(containers_per_pod: int, config: RecommenderConfig = DEFAULTS) -> Amounts:
    """The least a container is given: the pod's minimum, divided by its containers and truncated.

    >>> pod_minimum(3)
    Amounts(cpu_millicores=8, memory_bytes=87381333)
    """
    require_at_least(1, containers_per_pod=containers_per_pod)
    fraction = 1.0 / containers_per_pod
    cpu = amount_of(config.pod_recommendation_min_cpu_millicores * 0.001 * 1000.0)
    memory = amount_of(config.pod_recommendation_min_memory_mb * MIB)
    return Amounts(cpu_millicores=scaled(cpu, fraction), memory_bytes=scaled(memory, fraction))


def recommend_container(
    name: str,
    aggregate: AggregateState,
    *,
    containers_per_pod: int,
    controlled: Collection[str] = ("cpu", "memory"),
    config: RecommenderConfig = DEFAULTS,
) -> ContainerRecommendation:
    """The recommendation of one container before caps.

    e = percentile; e = e + trunc(e x margin); lower: e (1 + 0.001/c)^-2, upper: e (1 + 1/c), target as is;
    then max(e, pod minimum / containers), and rounded up to a step.

    Args:
        name: Of the container.
        aggregate: What is remembered of it.
        containers_per_pod: Containers that share the pod's minimum.
        controlled: Resources to recommend; others come out as None.
        config: Percentiles and the rest.

    Source: VPA `pkg/recommender/logic/estimator.go`, `recommender.go`.
    """
    least = pod_minimum(containers_per_pod, config)

    def estimated(cpu_percentile: float, memory_percentile: float, bound: tuple[float, float] | None) -> Amounts:
        amounts = estimate(aggregate, cpu_percentile, memory_percentile, bound=bound, least=least, config=config)
        return rounded_up(_controlled(amounts, controlled), config)

    target = estimated(config.target_cpu_percentile, config.target_memory_percentile, None)
    return ContainerRecommendation(
        container=name,
        target=target,
        lower_bound=estimated(
            config.recommendation_lower_bound_cpu_percentile,
            config.recommendation_lower_bound_memory_percentile,
            LOWER_BOUND_CONFIDENCE,
        ),
        upper_bound=estimated(
            config.recommendation_upper_bound_cpu_percentile,
            config.recommendation_upper_bound_memory_percentile,
            UPPER_BOUND_CONFIDENCE,
        ),
        uncapped_target=target,
    )


def estimate(
    aggregate: AggregateState,
    cpu_percentile: float,
    memory_percentile: float,
    *,
    bound: tuple[float, float] | None = None,
    least: Amounts = NOTHING,
    config: RecommenderConfig = DEFAULTS,
) -> Amounts:
    """Percentiles with margin, confidence factor and minimum, each step truncated.

    Args:
        aggregate: What is remembered of a container.
        cpu_percentile: In [0, 1].
        memory_percentile: In [0, 1].
        bound: Multiplier and exponent of the confidence factor; None for none.
        least: At least so much; None for no such bound.
        config: Margin and confidence intervals.
    """
    intervals_s = {"cpu": config.confidence_interval_cpu_s, "memory": config.confidence_interval_memory_s}

    def adjusted(resource: str, amount: int) -> int:
        amount = with_margin(amount, config.recommendation_margin_fraction)
        if bound is not None:
            amount = with_confidence(amount, *bound, confidence(aggregate, intervals_s[resource]))
        return max(amount, least.of(resource) or 0)

    usage = Amounts(
        cpu_millicores=amount_of(percentile(aggregate.cpu, cpu_percentile) * 1000.0),
        memory_bytes=amount_of(percentile(aggregate.memory, memory_percentile)),
    )
    return each(adjusted, usage)


def rounded_up(amounts: Amounts, config: RecommenderConfig) -> Amounts:
    """The amounts, rounded up to multiples of the configured steps."""
    steps = {"cpu": config.round_cpu_millicores, "memory": config.round_memory_bytes}
    return each(lambda resource, amount: -(-amount // steps[resource]) * steps[resource], amounts)


def recommend(
    aggregates: Mapping[str, AggregateState],
    *,
    policies: Collection[ContainerPolicy] = (),
    containers_per_pod: int | None = None,
    config: RecommenderConfig = DEFAULTS,
) -> tuple[ContainerRecommendation, ...]:
    """The recommendation for a pod's containers, by name in order.

    Left out are containers whose policy is Off and those without a CPU sample.

    Args:
        aggregates: What is remembered, by container name.
        policies: The resource policy; `*` stands for containers without one of their own.
        containers_per_pod: Containers that share the pod's minimum; by default those recommended for.
        config: The recommender's flags.
    """
    found = {name: policy_for(name, policies) for name in aggregates}
    names = sorted(
        name
        for name, policy in found.items()
        if aggregates[name].cpu_samples > 0 and (policy is None or policy.mode != "Off")
    )
    recommendations = []
    for name in names:
        policy = found[name] or ContainerPolicy()
        uncapped = recommend_container(
            name,
            aggregates[name],
            containers_per_pod=containers_per_pod or len(names),
            controlled=policy.controlled_resources,
            config=config,
        )
        recommendations.append(apply_policy(uncapped, policy, config))
    return tuple(recommendations)


def _controlled(amounts: Amounts, resources: Collection[str]) -> Amounts:
    return Amounts(
        cpu_millicores=amounts.cpu_millicores if "cpu" in resources else None,
        memory_bytes=amounts.memory_bytes if "memory" in resources else None,
    )
