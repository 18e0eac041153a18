"""What every policy would have cost and been worth: each runs a simulated fleet of its own on the traffic that came.

The simulator is the backtest's, fed as traffic arrives: at every tick the requests that were counted since the last one
are laid into that interval, the same for all, and every policy's loop turns once. A policy therefore lives with the
consequences of its own decisions, which a mere "it would have wanted five" does not show.

The deciding policy has such a twin too. What the twin is scored with, beside what was measured, says how far the
simulation can be trusted here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hindscale.core.control import ControlState, run_loop
from hindscale.core.values import Observation
from hindscale.live.plan import Plan
from hindscale.live.records import Score, ShadowTick
from hindscale.simulation.contract import Batch, EngineConfig, Total, to_ns
from hindscale.simulation.fast import FastEngine
from hindscale.simulation.fleet import SimulatedFleet

__all__ = ["Shadows", "Twin"]

LONGEST_GAP_S = 300.0
"""After a longer silence nobody knows what came, and all twins begin again with the fleets they had."""

MOST_TICKS = 86_400
"""A twin's engine keeps a count for each tick; after so many it is made anew, so that memory stays bounded."""

_LEFT = (Total.SERVED, Total.DROPPED, Total.TIMED_OUT, Total.FAILED, Total.CUT)


class _Arrivals:
    """Requests that have come and that a twin has not been given yet."""

    def __init__(self) -> None:
        self._waiting: deque[Batch] = deque()

    def add(self, batch: Batch) -> None:
        if len(batch.arrivals_ns):
            self._waiting.append(batch)

    def until(self, time_ns: int) -> list[Batch]:
        """The requests up to and including `time_ns`."""
        taken = []
        while self._waiting:
            batch = self._waiting.popleft()
            end = int(np.searchsorted(batch.arrivals_ns, time_ns, "right"))
            if end:
                taken.append(Batch(*(column[:end] for column in batch)))
            if end < len(batch.arrivals_ns):
                self._waiting.appendleft(Batch(*(column[end:] for column in batch)))
                break
        return taken


class _PushedClock:
    """Ticks when somebody says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def ticks(self) -> Iterator[float]:
        while True:
            yield self.now_s


class _OnRunTime:
    """A simulated fleet whose own time began later than the run's."""

    def __init__(self, fleet: SimulatedFleet, begin_s: float) -> None:
        self._fleet = fleet
        self._begin_s = begin_s

    def observe(self, now_s: float) -> Observation:
        seen = self._fleet.observe(now_s - self._begin_s)
        return replace(seen, time_s=now_s, measured_at_s=seen.measured_at_s + self._begin_s)


class Twin:
    """One policy with a simulated fleet.

    Args:
        text: The policy, as in the plan.
        begin_s: The run's time at which the fleet begins.
        replicas: Ready replicas it begins with.
        state: What the policy remembers; None for nothing.
        seed: Of cold starts.
    """

    def __init__(
        self, text: str, plan: Plan, *, begin_s: float, replicas: int, state: ControlState | None, seed: int
    ) -> None:
        self.text = text
        self.interval_s = plan.interval_s(text)
        self.state = state
        self.tick: ShadowTick | None = None
        self._begin_s = begin_s
        self._arrivals = _Arrivals()
        self._clock = _PushedClock()
        self._ticks_left = MOST_TICKS
        config = EngineConfig.from_profile(plan.profile, bound_s=plan.slo.latency_s, ticks=MOST_TICKS + 2, rows=1)
        self._fleet = SimulatedFleet(
            plan.profile,
            FastEngine(config),
            self._arrivals,
            np.random.SeedSequence(seed),
            control_interval_s=self.interval_s,
            initial_replicas=replicas,
        )
        self._next_s = _next_multiple(begin_s, self.interval_s)
        self._scored = Score()
        policy, limits = plan.build(text), plan.limits(text)
        metrics = _OnRunTime(self._fleet, begin_s)
        self._loop = run_loop(policy, limits, metrics, self._fleet, self._clock, state, max_age_s=plan.oldest_s)

    @property
    def replicas(self) -> int:
        """The size its fleet was last asked for."""
        return self._fleet.requested

    @property
    def is_worn_out(self) -> bool:
        """Whether it has to be made anew."""
        return self._ticks_left <= 0

    def advance(self, until_s: float, arrivals: Batch) -> None:
        """Let the requests arrive, and turn the loop at every tick that is due."""
        begin_ns = to_ns(self._begin_s)
        self._arrivals.add(arrivals._replace(arrivals_ns=arrivals.arrivals_ns - begin_ns))
        while self._next_s <= until_s + 1e-9:
            self._turn(self._next_s)
            self._next_s = _next_multiple(self._next_s, self.interval_s)

    def take_score(self) -> Score:
        """What came, and what it cost, since this was last asked."""
        totals = self._fleet.engine.totals
        now = Score(
            arrived=float(totals[Total.ARRIVED]),
            left=float(sum(int(totals[total]) for total in _LEFT)),
            met=float(totals[Total.MET]),
            replica_s=self._fleet.billed_ns / 1e9,
        )
        before, self._scored = self._scored, now
        return Score(
            arrived=now.arrived - before.arrived,
            left=now.left - before.left,
            met=now.met - before.met,
            replica_s=now.replica_s - before.replica_s,
        )

    def _turn(self, now_s: float) -> None:
        self._clock.now_s = now_s
        self._ticks_left -= 1
        tick = next(self._loop)
        self.state = tick.state
        if tick.observation is not None and tick.target is not None:
            self.tick = ShadowTick(
                policy=self.text,
                ready=tick.observation.ready_replicas,
                desired=tick.target.decision.desired_replicas,
                target=tick.target.replicas,
                reason=tick.target.decision.reason,
            )


class Shadows:
    """The twins of all policies of a plan, on the same requests.

    Args:
        plan: Whose policies.
        begin_s: The run's time now.
        replicas: The real fleet's size now.
        states: What each policy remembers and how large its fleet was, by text; those not named begin anew.
        seed: Of arrivals, service times and cold starts.

    Attributes:
        troubles: Why policies failed, by text; each began anew with what it remembered.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        begin_s: float,
        replicas: int,
        states: Mapping[str, tuple[ControlState, int]] | None = None,
        seed: int = 0,
    ) -> None:
        self._plan = plan
        self._seed = seed
        self._requests = np.random.default_rng(seed)
        self._at_s = begin_s
        self.troubles: dict[str, str] = {}
        self._part = 0.0  # of a request, where a source counts in fractions
        known = states or {}
        self._twins = {text: self._twin(text, begin_s, *known.get(text, (None, replicas))) for text in plan.policies}

    @property
    def states(self) -> dict[str, tuple[ControlState, int]]:
        """What each policy remembers, and how large its fleet is."""
        return {text: (twin.state, twin.replicas) for text, twin in self._twins.items() if twin.state is not None}

    @property
    def ticks(self) -> Sequence[ShadowTick]:
        """What each policy last asked for, in the plan's order."""
        return [twin.tick for text in self._plan.policies if (twin := self._twins[text]).tick is not None]

    def follow(self, plan: Plan) -> None:
        """Go on under another plan: same policies, other roles or bounds."""
        states = self.states
        self._plan = plan
        self._twins = {
            text: self._twin(text, self._at_s, *states.get(text, (None, plan.initial_replicas)))
            for text in plan.policies
        }

    def advance(self, at_s: float, arrived: float) -> dict[str, Score]:
        """Let the requests of the interval up to `at_s` arrive at every twin.

        Args:
            at_s: The run's time up to which requests were counted.
            arrived: How many came since the last call.

        Returns:
            What the interval cost each policy and what it was worth, by text.
        """
        if at_s <= self._at_s:
            return {}
        if at_s - self._at_s > LONGEST_GAP_S:
            self._at_s = at_s
            self.follow(self._plan)
            return {}
        batch = self._batch(self._at_s, at_s, arrived)
        self._at_s = at_s
        scores = {}
        for text, twin in self._twins.items():
            try:
                twin.advance(at_s, batch)
                scores[text] = twin.take_score()
            except Exception as error:  # a shadow that breaks must not reach the policy that decides
                self.troubles[text] = f"{type(error).__name__} {error}"
            if twin.is_worn_out or text not in scores:
                self._twins[text] = self._twin(text, at_s, twin.state, twin.replicas)
        return scores

    def _batch(self, from_s: float, to_s: float, arrived: float) -> Batch:
        """Requests at random instants of an interval: given their number, that is how a Poisson process looks."""
        count = math.floor(arrived + self._part)
        self._part += arrived - count
        arrivals_s = np.sort(self._requests.uniform(from_s, to_s, count))
        services_s = self._plan.profile.service_time.sample(self._requests, count)
        arrivals_ns, services_ns = (np.rint(each * 1e9).astype(np.int64) for each in (arrivals_s, services_s))
        return Batch(arrivals_ns, np.maximum(services_ns, 1), self._requests.integers(0, 1 << 62, count))

    def _twin(self, text: str, begin_s: float, state: ControlState | None, replicas: int) -> Twin:
        return Twin(text, self._plan, begin_s=begin_s, replicas=replicas, state=state, seed=self._seed)


def _next_multiple(after_s: float, interval_s: float) -> float:
    return (math.floor(after_s / interval_s + 1e-9) + 1) * interval_s
