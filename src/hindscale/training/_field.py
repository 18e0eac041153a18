"""Many environments side by side, each on a course of its own: what a training loop steps as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hindscale.policies._dqn_actions import Shield
from hindscale.policies._dqn_state import ServiceFigures
from hindscale.training import _compiled as compiled
from hindscale.training.episodes import Course
from hindscale.training.fluid import FluidService

__all__ = ["OPENING_DRAWS", "Field"]

OPENING_DRAWS = 3
"""Random numbers that begin an episode: where, with how large a fleet, at what caution."""
SMALLEST_FLEET, LARGEST_FLEET = 0.5, 3.0
"""Episodes begin with fleets between these multiples of what the load keeps busy, so that errors are seen mended."""


@dataclass(frozen=True, eq=False)
class Field:
    """Environments and the traffic they meet.

    Attributes:
        envs: What stays the same in each; leading axis the environments.
        requests: Expected requests by course and interval, shape (courses, intervals).
        starts: For each environment the first and the last interval that an episode may begin at.
        cautions: The smallest and the largest weight of a missed request; episodes are spread between them, evenly in
            the logarithm.
        sizes: From `ladder_sizes`.
    """

    envs: compiled.Environment
    requests: Any
    starts: Any
    cautions: tuple[float, float]
    sizes: Any

    @classmethod
    def of(
        cls,
        courses: Sequence[Course],
        numbers: Sequence[int],
        spans: Sequence[tuple[int, int]],
        *,
        cautions: tuple[float, float],
        churn: float,
    ) -> Field:
        """One environment for each number of a course.

        Args:
            courses: What there is to run on.
            numbers: The course of each environment.
            spans: For each course, the first and the last interval that an episode may begin at.
            cautions: The smallest and the largest caution.
            churn: Weight of a change of size.
        """
        longest = max(len(course.requests) for course in courses)
        padded = [np.pad(course.requests, (0, longest - len(course.requests) + 1)) for course in courses]
        specs = [courses[number].spec for number in numbers]
        envs = compiled.in_arrays(
            [FluidService.of(spec) for spec in specs],
            [ServiceFigures.of(spec) for spec in specs],
            [Shield(min_replicas=spec.min_replicas, max_replicas=spec.max_replicas) for spec in specs],
            [courses[number] for number in numbers],
            numbers,
            churn,
        )
        return cls(
            envs=envs,
            requests=jnp.asarray(np.stack(padded), jnp.float32),
            starts=jnp.asarray([spans[number] for number in numbers], jnp.float32),
            cautions=cautions,
            sizes=compiled.ladder_sizes(max(course.spec.max_replicas for course in courses)),
        )

    def opened(self, draws: Any) -> compiled.Fleet:
        """Fleets at the beginning of an episode, from uniform draws of shape (environments, OPENING_DRAWS)."""
        first, last = self.starts[:, 0], self.starts[:, 1]
        position = jnp.floor(first + draws[:, 0] * (last - first + 1)).astype(jnp.int32)
        rate_rps = self.requests[self.envs.course, position] / self.envs.interval_s
        spread = math.log(LARGEST_FLEET / SMALLEST_FLEET)
        replicas = jnp.ceil(rate_rps / self.envs.rate_rps * SMALLEST_FLEET * jnp.exp(spread * draws[:, 1]))
        least, most = self.cautions
        caution = least * jnp.exp(math.log(most / least) * draws[:, 2])
        return jax.vmap(compiled.opened)(self.envs, rate_rps, position + 1, replicas, caution)

    def states(self, fleets: compiled.Fleet) -> Any:
        """The features of each, shape (environments, features)."""
        return jax.vmap(compiled.features)(self.envs, fleets)

    def step(self, fleets: compiled.Fleet, actions: Any, noise: Any) -> tuple[compiled.Fleet, Any]:
        """One step of each: the fleets after it, and the rewards.

        Args:
            fleets: The fleets.
            actions: Numbers of the ladder's steps.
            noise: Standard normal draws; arrivals around a rate vary as in a Poisson process of that mean.
        """
        mean = self.requests[self.envs.course, fleets.position]
        drawn = jnp.maximum(jnp.round(mean + jnp.sqrt(mean) * noise), 0.0)
        arrived = jnp.where(self.envs.is_drawn > 0, drawn, mean)
        after, rewards, _, _ = jax.vmap(compiled.step, (0, 0, 0, 0, None))(
            self.envs, fleets, actions, arrived, self.sizes
        )
        return after, rewards
