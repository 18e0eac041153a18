"""The scaling problem as a Gymnasium environment: `gymnasium.make("hindscale/Autoscaling-v0")`.

It is the control loop with the agent in the policy's place: an action becomes a wish for a size, the wish goes
through the shield and the bounds, and the fleet is the fluid model of `fluid`. Trainers from elsewhere can be tried
on it; hindscale's own runs on the same dynamics, compiled.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from hindscale.core.errors import ParameterError
from hindscale.core.service import ServiceSpec
from hindscale.policies._dqn_actions import LADDER, Shield
from hindscale.policies._dqn_state import FEATURES, Memory, ServiceFigures, features, remembered
from hindscale.scoring.reward import RewardWeights, reward
from hindscale.sizing import capacity_rps, replicas_for_rate
from hindscale.traces import application
from hindscale.traces.types import RateTrace, RequestTrace
from hindscale.training.episodes import Course
from hindscale.training.fleet import FluidFleet

__all__ = ["ENVIRONMENT_ID", "AutoscalingEnv", "register"]

ENVIRONMENT_ID = "hindscale/Autoscaling-v0"
EPISODE_STEPS = 240
LARGEST = 1e6
"""No feature gets there; checkers want a finite space."""


class AutoscalingEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Episodes of a trace, each from a random moment and with a fleet that is too small, right or too large.

    Observations are the features of the learned policy (`FEATURES`), actions the steps of its ladder. The reward is
    that of `scoring.reward`. An episode is truncated after `episode_steps` intervals; none terminates.

    Args:
        trace: The traffic; by default a day of a chatbot.
        spec: The service; by default that application's.
        weights: What misses and changes weigh.
        shield: What is between the agent and the fleet; by default the floor of the last minute's load.
        episode_steps: Control intervals in an episode.

    Raises:
        TraceError: If the trace is shorter than an episode.
        ParameterError: If a trace is given without a service.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(
        self,
        trace: RateTrace | RequestTrace | None = None,
        spec: ServiceSpec | None = None,
        *,
        weights: RewardWeights | None = None,
        shield: Shield | None = None,
        episode_steps: int = EPISODE_STEPS,
    ) -> None:
        if trace is None:
            trace, spec = _chatbot()
        if spec is None:
            raise ParameterError("spec must say what the service is, where a trace is given")
        self.course = Course.of(trace, spec, episode_steps=episode_steps)
        self.weights = weights or RewardWeights()
        self.shield = shield or Shield(min_replicas=spec.min_replicas, max_replicas=spec.max_replicas)
        self.episode_steps = episode_steps
        self.observation_space = spaces.Box(-LARGEST, LARGEST, (len(FEATURES),), np.float32)
        self.action_space = spaces.Discrete(len(LADDER))
        self._figures = ServiceFigures.of(spec)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode somewhere in the trace."""
        super().reset(seed=seed)
        first = int(self.np_random.integers(0, len(self.course.requests) - self.episode_steps + 1))
        expected = self.course.requests[first : first + self.episode_steps + 1]
        arrived = self.np_random.poisson(expected).astype(float) if self.course.is_drawn else expected
        load = expected[0] / self.course.spec.control_interval_s / self._figures.service_rate_rps
        replicas = math.ceil(load * 0.5 * 6 ** self.np_random.random())
        size = min(max(replicas, self.shield.min_replicas), self.shield.max_replicas)
        return self.begin(arrived.tolist(), size, first_interval=first), {}

    def begin(self, arrived: list[float], replicas: int, *, first_interval: int = 0) -> NDArray[np.float32]:
        """Begin an episode with these requests, one count an interval, and this many ready replicas."""
        self._fleet = FluidFleet(self.course.spec, arrived, initial_replicas=replicas)
        self._first, self._memory = first_interval, Memory()
        return self._observe()

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Scale, and let the next interval pass."""
        before = self._observation.requested_replicas
        load = self._memory.load(self._figures)
        target = self.shield.allowed(LADDER[int(action)].from_size(before), load)
        self._fleet.scale_to(target)
        state = self._observe()
        flow, scale = self._fleet.flows[-1], self.course.scale
        interval_s = self.course.spec.control_interval_s
        worth = reward(
            (flow.arrived - flow.met) / scale.requests,
            (flow.paid_replica_s - flow.arrived / self._figures.service_rate_rps) / interval_s / scale.replicas,
            abs(target - before) / scale.replicas,
            caution=self.weights.caution,
            churn=self.weights.churn,
        )
        is_over = len(self._fleet.flows) > self.episode_steps
        return (
            state,
            worth,
            False,
            is_over,
            {"replicas": target, "met": flow.met, "paid_replica_s": flow.paid_replica_s},
        )

    def _observe(self) -> NDArray[np.float32]:
        now_s = (self._first + len(self._fleet.flows) + 1) * self._figures.interval_s
        self._observation = self._fleet.observe(now_s)
        self._memory = remembered(self._observation, self._memory, self._figures.interval_s)
        return np.array(
            features(self._observation, self._memory, self._figures, self.weights.caution), dtype=np.float32
        )


def _chatbot() -> tuple[RateTrace, ServiceSpec]:
    chatbot = application("chatbot")
    trace = chatbot.generate()
    capacity = capacity_rps(chatbot.service, chatbot.slo)
    most = 2 * replicas_for_rate(float(trace.rates_rps(60.0).max()), capacity_rps=capacity)
    return trace, ServiceSpec(profile=chatbot.service, slo=chatbot.slo, max_replicas=most, start=trace.start)


def register() -> None:
    """Make the environment known to Gymnasium; the entry point `gymnasium.envs` calls this when it is imported."""
    if ENVIRONMENT_ID not in gymnasium.registry:
        gymnasium.register(ENVIRONMENT_ID, entry_point="hindscale.training.environment:AutoscalingEnv")
