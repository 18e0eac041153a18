"""What a control interval was worth, as a number to learn from: the scores of a backtest, one interval at a time.

    reward = - caution · missed / A  -  (paid - work) / N  -  churn · |change| / N

A is the mean number of requests in an interval, N the mean number of replicas that the work alone keeps busy, both
over the whole trace. So the size of a service does not matter, and the rewards of a run add up to its scores: the
missed requests to 1 - attainment, the replicas paid for to the cost.

Requests arrive and bring their work whatever a policy does: to count misses is the same as to count requests within
the SLO, and to subtract the work changes no choice; both only keep the numbers small. Nothing saturates: a penalty
that is capped makes it optimal to give up once the cap is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.scoring.record import RunRecord

__all__ = ["RewardScale", "RewardWeights", "reward", "total_reward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardWeights:
    """What a miss and a change weigh, against replica time that weighs 1.

    Attributes:
        caution: Weight of missed requests; > 0. The higher, the more spare replicas are worth their price.
        churn: Weight of a change of the fleet's size, in replica intervals; >= 0.
    """

    caution: float = 20.0
    churn: float = 0.05

    def __post_init__(self) -> None:
        require_positive(caution=self.caution)
        require_nonnegative(churn=self.churn)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardScale:
    """What the intervals of a trace are measured by.

    Attributes:
        requests: A, mean requests in an interval; > 0.
        replicas: N, mean replicas that the work alone keeps busy; > 0.
    """

    requests: float
    replicas: float

    def __post_init__(self) -> None:
        require_positive(requests=self.requests, replicas=self.replicas)


def reward(missed: Any, spare: Any, change: Any, *, caution: Any, churn: Any) -> Any:
    """The reward of an interval; of arrays, elementwise.

    Args:
        missed: Requests that missed the SLO, over A.
        spare: Replicas paid for beyond the work, mean over the interval, over N; negative when work is put off.
        change: Replicas added or removed, as a count >= 0, over N.
        caution: Weight of misses.
        churn: Weight of changes.

    >>> reward(0.01, 0.25, 0.1, caution=20.0, churn=0.5)
    -0.5
    """
    return -(caution * missed + spare + churn * change)


def total_reward(record: RunRecord, weights: RewardWeights, *, service_rate_rps: float) -> float:
    """The rewards of a run, added up from its scores' own figures; its warm-up is left out.

    Args:
        record: A run.
        weights: What a miss and a change weigh.
        service_rate_rps: Requests per second that one replica works off.
    """
    ticks, scored = record.ticks, slice(record.first_scored, None)
    arrived, met = ticks.arrived[scored], ticks.met[scored]
    work = arrived / service_rate_rps  # in replica seconds
    scale = RewardScale(requests=float(arrived.mean()), replicas=float(work.mean()) / record.interval_s)
    spare = (ticks.replica_s[scored] - work) / record.interval_s
    requested = (ticks.ready + ticks.starting + ticks.provisioning)[scored]
    return float(
        reward(
            (arrived - met).sum() / scale.requests,
            spare.sum() / scale.replicas,
            abs(ticks.target[scored] - requested).sum() / scale.replicas,
            caution=weights.caution,
            churn=weights.churn,
        )
    )
