"""Which of the possible scale-ups is made: filters in a chain, then chance among equals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hindscale.autoscalers.cluster_autoscaler.values import Node, Pod, Resources
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = [
    "EXPANDERS",
    "Option",
    "Pricing",
    "choose",
    "least_nodes",
    "least_waste",
    "most_pods",
    "preferred_cpu_millicores",
    "price",
    "price_score",
    "priority",
    "wasted_share",
]

EXPANDERS = ("least-waste", "most-pods", "least-nodes", "price", "priority", "random")
GPU_UNFITNESS = 1000.0
NOT_EXIST_COEFFICIENT = 2.0
STABILIZATION_POD = Pod(name="stabilize", requests=Resources(cpu_millicores=500, memory_bytes=500 * 1024 * 1024))


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One possible scale-up: so many nodes of a group, for these pods.

    Attributes:
        group: Name of the node group.
        node_count: Nodes to add; >= 1.
        pods: That these nodes would run.
        node: The group's template.
        exists: False for a group that would have to be made first.
    """

    group: str
    node_count: int
    pods: tuple[Pod, ...]
    node: Node
    exists: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The provider's prices, and the size of the cluster, which sets the node that is preferred.

    Attributes:
        node_price: Of a template, for one hour.
        pod_price: Of a pod's requests, for one hour.
        cluster_nodes: Nodes there now.
    """

    node_price: Callable[[Node], float]
    pod_price: Callable[[Pod], float]
    cluster_nodes: int


def wasted_share(option: Option) -> float:
    """Share of CPU not requested plus share of memory not requested, of the new nodes' capacity; in [0, 2].

    Source: Cluster Autoscaler `expander/waste/waste.go`.
    """
    capacity = option.node.full_capacity.times(option.node_count)
    cpu = sum(pod.requests.cpu_millicores for pod in option.pods)
    memory = sum(pod.requests.memory_bytes for pod in option.pods)
    wasted_cpu = (capacity.cpu_millicores - cpu) / capacity.cpu_millicores
    wasted_memory = (capacity.memory_bytes - memory) / capacity.memory_bytes
    return wasted_cpu + wasted_memory


def least_waste(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options that waste the smallest share; accelerators do not count."""
    return _least(options, wasted_share)


def most_pods(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options that place the most pods."""
    return _least(options, lambda option: -len(option.pods))


def least_nodes(options: Sequence[Option]) -> tuple[Option, ...]:
    """The options with the fewest nodes."""
    return _least(options, lambda option: option.node_count)


def price(options: Sequence[Option], pricing: Pricing) -> tuple[Option, ...]:
    """The options of the lowest score by `price_score`."""
    return _least(options, lambda option: price_score(option, pricing))


def price_score(option: Option, pricing: Pricing) -> float:
    """How badly the money is spent, times how odd the node is.

    (nodes' price + s) / (pods' price + s), s the price of a pod of 0.5 CPU and 500 MiB; times
    (u - 1)(1 - tanh((nodes - 1) / 15)) + 1, where u = max(preferred / node, node / preferred) in CPUs, or
    1000 for a node with an accelerator; times 2 for a group that does not exist yet.

    Source: Cluster Autoscaler `expander/price/{price,preferred}.go`.
    """
    stabilization = pricing.pod_price(STABILIZATION_POD)
    nodes = pricing.node_price(option.node) * option.node_count
    pods = sum(pricing.pod_price(pod) for pod in option.pods)
    preferred = preferred_cpu_millicores(pricing.cluster_nodes)
    there = option.node.full_capacity.cpu_millicores
    unfitness = max(preferred / there, there / preferred)
    suppressed = (unfitness - 1.0) * (1.0 - math.tanh((option.node_count - 1) / 15.0)) + 1.0
    if option.node.gpu:
        suppressed = GPU_UNFITNESS
    score = suppressed * ((nodes + stabilization) / (pods + stabilization))
    return score if option.exists else score * NOT_EXIST_COEFFICIENT


def preferred_cpu_millicores(cluster_nodes: int) -> int:
    """The CPU of the node that suits a cluster: doubling with every third multiple of its size.

    >>> [preferred_cpu_millicores(nodes) for nodes in (2, 3, 20, 60, 200, 201)]
    [1000, 2000, 4000, 8000, 16000, 32000]
    """
    for most, cpu in ((2, 1000), (6, 2000), (20, 4000), (60, 8000), (200, 16_000)):
        if cluster_nodes <= most:
            return cpu
    return 32_000


def priority(options: Sequence[Option], tiers: Mapping[int, Iterable[str]]) -> tuple[Option, ...]:
    """The options whose group's name matches a regular expression of the highest tier.

    Options that match none are left out; if none of them matches, all are kept.

    Args:
        options: To choose from.
        tiers: Regular expressions by priority, as in the ConfigMap; below -1 none is looked at.

    Source: Cluster Autoscaler `expander/priority/priority.go`.
    """
    patterns = {tier: [_compiled(pattern) for pattern in given] for tier, given in tiers.items()}
    ranked = [
        (
            max((tier for tier in patterns if tier >= -1 and _matches(option.group, patterns[tier])), default=None),
            option,
        )
        for option in options
    ]
    highest = max((tier for tier, _ in ranked if tier is not None), default=None)
    if highest is None:
        return tuple(options)
    return tuple(option for tier, option in ranked if tier == highest)


def choose(
    options: Sequence[Option],
    expanders: Sequence[str],
    rng: np.random.Generator,
    *,
    pricing: Pricing | None = None,
    tiers: Mapping[int, Iterable[str]] | None = None,
) -> Option | None:
    """The option that is left when the expanders have filtered one after the other; chance decides among equals.

    Args:
        options: To choose from.
        expanders: Names; `random` filters nothing.
        rng: For the last choice.
        pricing: Needed by `price`.
        tiers: Needed by `priority`.

    Returns:
        None if there was no option.

    Raises:
        ParameterError: If an expander is unknown or lacks what it needs.

    Source: Cluster Autoscaler `expander/factory/chain.go`.
    """
    left = tuple(options)
    for name in expanders:
        left = _filtered(name, left, pricing, tiers)
        if len(left) == 1:
            return left[0]
    return left[int(rng.integers(len(left)))] if left else None


def _filtered(
    name: str, options: Sequence[Option], pricing: Pricing | None, tiers: Mapping[int, Iterable[str]] | None
) -> tuple[Option, ...]:
    if name == "random":
        return tuple(options)
    simple = {"least-waste": least_waste, "most-pods": most_pods, "least-nodes": least_nodes}
    if name in simple:
        return simple[name](options)
    if name == "price" and pricing is not None:
        return price(options, pricing)
    if name == "priority" and tiers is not None:
        return priority(options, tiers)
    if name in EXPANDERS:
        raise ParameterError(f"expander {name} needs {'prices' if name == 'price' else 'tiers'}; none were given")
    raise ParameterError(f"unknown expander {name!r}; {did_you_mean(name, EXPANDERS)}")


def _least(options: Sequence[Option], score: Callable[[Option], float]) -> tuple[Option, ...]:
    scores = [score(option) for option in options]
    least = min(scores, default=0.0)
    return tuple(option for option, each in zip(options, scores, strict=True) if each == least)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ParameterError(f"priorities: {pattern!r} is no regular expression: {error}") from None


def _matches(name: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    return any(pattern.search(name) for pattern in patterns)
