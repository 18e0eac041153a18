"""The Vertical Pod Autoscaler in simulated time: what replicas use is sampled, and requests follow.

Its three parts, with the rules of `hindscale.autoscalers.vpa`: the recommender takes a sample of every replica that
serves and recommends; the updater names replicas to evict; admission says what a new replica requests. Nobody measures
replicas one by one here: each sample is the mean over the replicas that served since the last one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.buckets import CPU_BUCKETS, MEMORY_BUCKETS
from hindscale.autoscalers.vpa.capping import ContainerRecommendation
from hindscale.autoscalers.vpa.histogram import empty_histogram
from hindscale.autoscalers.vpa.priority import Container, Pod
from hindscale.autoscalers.vpa.recommendation import recommend
from hindscale.autoscalers.vpa.samples import (
    AggregateState,
    AggregationConfig,
    ContainerState,
    add_cpu_samples,
    add_memory_sample,
)
from hindscale.autoscalers.vpa.updater import plan_updates
from hindscale.core.service import ServiceProfile
from hindscale.simulation.contract import FAR_NS, to_ns
from hindscale.simulation.replicas import Life, Replica
from hindscale.simulation.vertical import RESOURCES, VerticalAutoscaler, require_resizable

__all__ = ["Learned", "SimulatedVertical", "learn"]

CONTAINER = "replica"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the recommender remembers: of all replicas together, and of each one that served at the last sample."""

    aggregate: AggregateState
    containers: Mapping[int, ContainerState] = field(default_factory=dict)

    @classmethod
    def nothing(cls, settings: VerticalAutoscaler) -> Learned:
        """What is remembered before the first sample."""
        aggregate = AggregateState(
            cpu=empty_histogram(CPU_BUCKETS, settings.cpu_histogram_decay_half_life_s),
            memory=empty_histogram(MEMORY_BUCKETS, settings.memory_histogram_decay_half_life_s),
        )
        return cls(aggregate=aggregate)


def learn(
    learned: Learned, usage: Amounts, replicas: Collection[int], now_s: float, config: AggregationConfig
) -> Learned:
    """What is remembered after a sample of each replica.

    Args:
        learned: Before.
        usage: Of each; memory is None where nobody knows it.
        replicas: Numbers of those that serve; the others are forgotten.
        now_s: End of the interval that was measured, which is what the original takes for its time.
        config: Length of the intervals of memory peaks.
    """
    known = [learned.containers.get(number, ContainerState()) for number in replicas]
    # Confidence counts CPU samples, so there are some even where only memory is known.
    cpu = [usage.cpu_millicores or 0] * len(known)
    containers, aggregate = add_cpu_samples(known, learned.aggregate, usage_millicores=cpu, time_s=now_s)
    if usage.memory_bytes is None:
        return Learned(aggregate=aggregate, containers=dict(zip(replicas, containers, strict=True)))
    after = {}
    for number, container in zip(replicas, containers, strict=True):
        sampled = add_memory_sample(container, aggregate, usage_bytes=usage.memory_bytes, time_s=now_s, config=config)
        after[number], aggregate = sampled.container, sampled.aggregate
    return Learned(aggregate=aggregate, containers=after)


class SimulatedVertical:
    """The autoscaler's parts over the replicas of one service.

    Attributes:
        settings: The object and the flags.
        admitted: What a replica that is created now requests.
        recommendation: The latest; None before the first sample.
        evicted: Replicas evicted so far.
    """

    def __init__(self, settings: VerticalAutoscaler, profile: ServiceProfile) -> None:
        self.settings = settings
        self._original = require_resizable(settings, profile)
        self.admitted = self._original
        self.recommendation: ContainerRecommendation | None = None
        self.evicted = 0
        self._profile = profile
        self._learned = Learned.nothing(settings)
        self._aggregation = AggregationConfig(memory_aggregation_interval_s=settings.memory_aggregation_interval_s)
        self._sample_ns, self._update_ns = to_ns(settings.recommender_interval_s), to_ns(settings.updater_interval_s)
        self._next_sample, self._next_update = self._sample_ns, self._update_ns
        self._measured = (0, 0)  # busy and serving time at the last sample

    @property
    def next_visit(self) -> int:
        """When the recommender or the updater is due."""
        return min(self._next_sample, self._next_update)

    def stop(self) -> None:
        """No sample and no eviction from now on."""
        self._next_sample = self._next_update = FAR_NS

    def visit(self, now: int, replicas: Sequence[Replica], *, busy_ns: int, serving_ns: int) -> list[int]:
        """Let the recommender, then the updater do what is due.

        Args:
            now: Now.
            replicas: All that there are, oldest first.
            busy_ns: Slot time in service so far.
            serving_ns: Replica time that was ready or draining so far.

        Returns:
            Replicas to evict.
        """
        if now >= self._next_sample:
            self._next_sample += self._sample_ns
            self._recommend(now, replicas, busy_ns, serving_ns)
        if now < self._next_update:
            return []
        self._next_update += self._update_ns
        return self._update(now, [replica for replica in replicas if replica.life is not Life.DRAINING])

    def request_share(self, resource: str, requests: Iterable[Amounts]) -> float:
        """The request that the profile's utilization is a share of, over the mean of these requests.

        Without any, over what a new replica would request.
        """
        original = self._original.of(resource) if resource in RESOURCES else 0
        if not original:
            return 1.0
        current = [each.of(resource) or 0 for each in requests] or [self.admitted.of(resource) or 0]
        return original * len(current) / sum(current)

    def _recommend(self, now: int, replicas: Iterable[Replica], busy_ns: int, serving_ns: int) -> None:
        busy, serving = busy_ns - self._measured[0], serving_ns - self._measured[1]
        self._measured = (busy_ns, serving_ns)
        if not serving:
            return
        usage = self._usage(busy / (serving * self._profile.slots))
        numbers = [replica.number for replica in replicas if replica.life in (Life.READY, Life.DRAINING)]
        self._learned = learn(self._learned, usage, numbers, now / 1e9, self._aggregation)
        found = recommend(
            {CONTAINER: self._learned.aggregate},
            policies=(self.settings.container_policy,),
            config=self.settings.recommender,
        )
        if found:
            self.recommendation = found[0]
            self.admitted = self._with(found[0].target)

    def _usage(self, busy_share: float) -> Amounts:
        """Utilization of the request that the profile was written for; it does not shrink with the request."""
        used = {
            resource: round(use.utilization(busy_share) * (self._original.of(resource) or 0))
            for resource, use in self._profile.resources.items()
            if resource in RESOURCES
        }
        return Amounts(cpu_millicores=used.get("cpu"), memory_bytes=used.get("memory"))

    def _with(self, target: Amounts) -> Amounts:
        """What the admission controller makes of a new replica's request."""
        if self.settings.update_mode == "Off":
            return self._original
        original = self._original
        return Amounts(
            cpu_millicores=original.cpu_millicores if target.cpu_millicores is None else target.cpu_millicores,
            memory_bytes=original.memory_bytes if target.memory_bytes is None else target.memory_bytes,
        )

    def _update(self, now: int, replicas: Sequence[Replica]) -> list[int]:
        if self.recommendation is None or self.settings.update_mode in ("Off", "Initial"):
            return []
        actions = plan_updates(
            [_pod(replica, now) for replica in replicas],
            (self.recommendation,),
            now / 1e9,
            configured_replicas=len(replicas),
            policy=self.settings.update_policy,
            config=self.settings.updater,
        )
        self.evicted += len(actions)
        return [int(action.pod) for action in actions]


def _pod(replica: Replica, now: int) -> Pod:
    return Pod(
        name=str(replica.number),
        containers=(Container(name=CONTAINER, requests=replica.requests),),
        start_s=replica.runs_at / 1e9,
        is_pending=now < replica.runs_at,
    )
