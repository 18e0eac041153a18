"""Traces as training sees them: requests in each control interval, cut into days to learn on and days to check on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hindscale.core.errors import TraceError
from hindscale.core.service import ServiceSpec
from hindscale.core.units import format_duration
from hindscale.scoring.reward import RewardScale
from hindscale.traces.types import RateTrace, RequestTrace

__all__ = ["Course"]

Floats = NDArray[np.float64]
LEARNING_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """A trace and the service that meets it.

    Attributes:
        name: The trace's name.
        spec: The service; its control interval is the length of a step.
        requests: Expected requests in each interval, shape (T,).
        is_drawn: Whether arrivals are drawn around them, as the simulation does for rates; recorded requests are
            as they were.
        scale: What rewards are measured by.
    """

    name: str
    spec: ServiceSpec
    requests: Floats
    is_drawn: bool
    scale: RewardScale = field(init=False)

    def __post_init__(self) -> None:
        mean = max(float(self.requests.mean()), 1e-9)
        per_replica = self.spec.profile.service_rate_rps * self.spec.control_interval_s
        object.__setattr__(self, "scale", RewardScale(requests=mean, replicas=mean / per_replica))

    @classmethod
    def of(cls, trace: RateTrace | RequestTrace, spec: ServiceSpec, *, episode_steps: int) -> Course:
        """The course of a trace.

        Raises:
            TraceError: If the trace is shorter than an episode.
        """
        interval_s = spec.control_interval_s
        steps = max(1, math.ceil(trace.duration_s / interval_s))
        if steps < episode_steps:
            raise TraceError(
                f"{trace.name}: lasts {format_duration(trace.duration_s)}, shorter than an episode of {episode_steps}"
                f" intervals ({format_duration(episode_steps * interval_s)}); give a longer trace or shorter episodes"
            )
        return cls(
            name=trace.name,
            spec=spec,
            requests=_requests_by_step(trace, interval_s, steps),
            is_drawn=isinstance(trace, RateTrace),
        )

    @property
    def learn_until(self) -> int:
        """The intervals before this one are learned from, the others checked on."""
        return math.floor(len(self.requests) * LEARNING_SHARE)

    def learning_starts(self, episode_steps: int) -> tuple[int, int]:
        """First and last interval that an episode to learn from may begin at."""
        # One interval more than the steps: an episode begins with what was seen before the first decision.
        return 0, max(self.learn_until - episode_steps - 1, 0)

    def checking_starts(self, episode_steps: int) -> tuple[int, int]:
        """The same for episodes to check on; a trace without room for both is learned from as a whole."""
        last = max(len(self.requests) - episode_steps - 1, 0)
        return min(self.learn_until, last), last


def _requests_by_step(trace: RateTrace | RequestTrace, interval_s: float, steps: int) -> Floats:
    ends_s = interval_s * np.arange(1, steps + 1)
    if isinstance(trace, RequestTrace):
        until = np.searchsorted(trace.arrival_s, ends_s, "right").astype(np.float64)
    else:
        borders_s = trace.window_s * np.arange(len(trace.requests) + 1)
        until = np.interp(ends_s, borders_s, np.r_[0.0, np.cumsum(trace.requests)])
    return np.diff(until, prepend=0.0)
