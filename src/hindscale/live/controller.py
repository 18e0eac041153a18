"""The controller: the control loop on a real fleet, everything written down before it is done.

```
source ─▶ run_loop (policy, guardrails) ─▶ written down ─▶ carried out
                    │
                    └─▶ twins of all policies ─▶ scores ─▶ promotion, or back again
```

The loop is `core.control.run_loop`, the one that backtests run. It is given an actuator that only remembers what it is
asked for: the controller writes the decision down first and carries it out then, so that nothing ever happens to a
fleet that the store cannot explain.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from hindscale.core.control import Tick, initial_control_state, run_loop
from hindscale.core.errors import HindscaleError, ParameterError
from hindscale.live.board import Board
from hindscale.live.clock import WallClock
from hindscale.live.command import Command
from hindscale.live.fleet import Fleet
from hindscale.live.metrics import Counts, LiveMetrics, RecordedFleet
from hindscale.live.plan import Plan
from hindscale.live.probation import Probation
from hindscale.live.records import Score, TickRecord, score_since
from hindscale.live.replay import Resumed
from hindscale.live.shadows import Shadows
from hindscale.live.sources.measured import READINGS, Source, Totals
from hindscale.live.store import PlanEntry, Store

__all__ = ["Controller"]


class Controller:
    """Runs a plan on a fleet until it is stopped.

    Args:
        plan: What decides, and by which rules.
        source: Where measurements come from.
        fleet: What is scaled; or, where somebody else scales, who knows the replicas.
        store: Where everything is written down.
        clock: The run's time.
        resumed: Where an earlier run of the same store stopped.
        begin_with: Replicas that the fleet is asked for before the first tick, whether the policy acts or not; None
            for a fleet that is there already.
        say: Told of what an operator should know, in one line.
        wall_s: The time of day.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        source: Source,
        fleet: Fleet | Counts,
        store: Store,
        clock: WallClock,
        resumed: Resumed | None = None,
        begin_with: int | None = None,
        say: Callable[[str], None] = lambda _: None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        if plan.act and not hasattr(fleet, "scale_to"):
            raise ParameterError("--act needs a fleet that can be scaled; this one is only known by its metrics")
        self._plan = plan
        self._fleet = fleet
        self._store = store
        self._clock = clock
        self._say = say
        self._wall_s = wall_s
        self._metrics = LiveMetrics(source, fleet, slots=plan.profile.slots)
        self._asked = RecordedFleet()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._number = 0 if resumed is None else resumed.number
        self._state = initial_control_state(plan.build(plan.policy), plan.limits(plan.policy))
        self._totals = Totals()
        self._paid_s = float(fleet.replica_seconds()) if hasattr(fleet, "replica_seconds") else 0.0
        self._seen_s = clock.run_s
        self._probation: Probation | None = None
        self._previous: str | None = None
        twins = {}
        self._plan_number = 0
        self._metrics.wanted = begin_with
        if resumed is not None:
            self._plan_number = resumed.plan_number
            twins = dict(resumed.twins)
        if resumed is not None and resumed.plan == plan and resumed.state is not None:
            self._state = resumed.state
            self._previous = resumed.previous
        else:
            self._write_plan("the service file", is_configured=True)
        self._shadows = Shadows(plan, begin_s=clock.run_s, replicas=plan.initial_replicas, states=twins)
        self.board = Board(plan)

    def submit(self, command: Command) -> None:
        """Ask for something; it is done at the next tick.

        Raises:
            ParameterError: If it does not fit the plan as it is.
        """
        plan = command.applied(self._plan, self._previous)
        self._require_measured(plan)
        self._commands.put(command)

    def _require_measured(self, plan: Plan) -> None:
        """A policy that reads what nobody measures here would only ever hold the fleet."""
        record = self.board.state.record
        if plan.policy == self._plan.policy or record is None or record.tick.observation is None:
            return
        missing = record.tick.observation.missing
        absent = sorted(missing.intersection(plan.build(plan.policy).reads))
        # Where nothing at all is measured, that is an outage, and says nothing of the policy.
        if absent and not missing.issuperset(READINGS):
            raise ParameterError(f"{plan.policy} reads {', '.join(absent)}, which nobody measures here now")

    def run(self) -> None:
        """Decide at every tick until the clock ends. Each change of plan begins the loop anew, with its state."""
        if self._metrics.wanted is not None:
            self._scale_to(self._metrics.wanted)
        is_done = False
        while not is_done:
            plan, number = self._plan, self._plan_number
            ticks = run_loop(
                plan.build(plan.policy),
                plan.limits(plan.policy),
                self._metrics,
                self._asked,
                self._clock.every(plan.interval_s(plan.policy)),
                self._state,
                max_age_s=plan.oldest_s,
            )
            try:
                is_done = self._follow(ticks, number)
            except Exception as error:  # whatever it is: the fleet is held, and the next tick tries again
                self._say(f"the fleet is held: {type(error).__name__} {error}")
                is_done = False

    def _follow(self, ticks: Iterator[Tick], number: int) -> bool:
        """Take ticks while the plan stays; whether the clock has ended."""
        for tick in ticks:
            self._take(tick)
            if self._plan_number != number:
                return False
        return True

    # -- one tick ---------------------------------------------------------------------------------

    def _take(self, tick: Tick) -> None:
        """Write a tick down, carry it out, and see what the other policies make of it."""
        begun_s = time.perf_counter()
        self._number += 1
        self._state = tick.state
        score = self._score(tick)
        acts = self._plan.acts and tick.target is not None
        scores = self._advance_shadows(score.arrived)
        last = self.board.state.record
        record = TickRecord(
            number=self._number,
            wall_s=self._wall_s(),
            plan=self._plan_number,
            tick=tick,
            acted=acts,
            before=None if last is None else last.target,
            score=score,
            latency_s=self._metrics.measured.latency_s,
            trouble=self._metrics.measured.trouble,
            shadows=self._shadows.ticks,
            shadow_states=self._shadows.states,
        )
        changed = last is None or (last.target, last.is_held) != (record.target, record.is_held)
        record = replace(record, changed=changed)
        self._write(record, scores)
        failure = self._scale_to(tick.target.replicas) if acts and tick.target is not None else ""
        self._show(record, failure, time.perf_counter() - begun_s)
        self._judge(tick.time_s, score)
        self._obey()

    def _advance_shadows(self, arrived: float) -> dict[str, Score]:
        """Give the twins what came; say of each that breaks why, once."""
        known = set(self._shadows.troubles)
        scores = self._shadows.advance(self._metrics.measured.at_s, arrived)
        for text in self._shadows.troubles.keys() - known:
            self._say(f"{text} breaks and cannot be scored: {self._shadows.troubles[text]}")
        return scores

    def _score(self, tick: Tick) -> Score:
        """What was measured since the last tick, and what was paid for."""
        measured = self._metrics.measured
        before_s, self._paid_s = self._paid_s, self._paid_so_far_s(tick)
        score = score_since(measured, self._totals, self._paid_s - before_s)
        self._totals = measured.totals
        return score

    def _paid_so_far_s(self, tick: Tick) -> float:
        """Replica seconds: the fleet's own account or, of a fleet that keeps none, as many as were seen since."""
        if hasattr(self._fleet, "replica_seconds"):
            return float(self._fleet.replica_seconds())
        since_s, self._seen_s = tick.time_s - self._seen_s, tick.time_s
        seen = tick.observation
        there = 0 if seen is None else seen.ready_replicas + seen.starting_replicas + seen.draining_replicas
        return self._paid_s + there * since_s

    def _write(self, record: TickRecord, scores: dict[str, Score]) -> None:
        was_failing = self._store.failing_since_s is not None
        self._store.add(record, scores)
        is_failing = self._store.failing_since_s is not None
        if is_failing and not was_failing:
            self._say(f"decisions cannot be written down, but the fleet is still controlled: {self._store.failure}")
        if was_failing and not is_failing:
            self._say("decisions are written down again")

    def _scale_to(self, replicas: int) -> str:
        """Ask the fleet for a size; why it could not be asked, if so."""
        assert hasattr(self._fleet, "scale_to")
        self._metrics.wanted = replicas
        try:
            self._fleet.scale_to(replicas)
        except (HindscaleError, OSError) as error:
            # The next tick asks again; ending here would leave the fleet to itself.
            self._say(f"the fleet could not be asked for {replicas} replicas: {error}")
            return str(error)
        return ""

    def _show(self, record: TickRecord, fleet_failure: str, tick_s: float) -> None:
        before = self.board.state
        starts = self._fleet.cold_starts_s() if hasattr(self._fleet, "cold_starts_s") else ()
        self.board.show(
            plan=self._plan,
            record=record,
            totals=before.totals.plus(record.score),
            ticks=before.ticks + 1,
            held_ticks=before.held_ticks + record.is_held,
            cold_starts_s=tuple(starts)[-100:],
            unwritten=self._store.unwritten,
            store_failure=self._store.failure,
            fleet_failure=fleet_failure,
            tick_s=tick_s,
        )

    # -- changes of plan --------------------------------------------------------------------------

    def _obey(self) -> None:
        """Do what operators have asked for since the last tick."""
        while not self._commands.empty():
            command = self._commands.get()
            try:
                plan = command.applied(self._plan, self._previous)
            except ParameterError as error:  # it fitted the plan of a moment ago
                self._say(f"{command}: {error}")
                continue
            self._change(plan, str(command))

    def _judge(self, now_s: float, score: Score) -> None:
        """Take a promotion back if the SLO broke under it."""
        if self._probation is None:
            return
        self._probation = self._probation.after(score)
        if self._probation.is_over(now_s):
            self._probation = None
        elif (why := self._probation.verdict(self._plan.slo)) and self._previous is not None:
            self._change(self._plan.promoted(self._previous), f"rollback: {why}")

    def _change(self, plan: Plan, why: str) -> None:
        before = self._plan
        if plan == before:
            return
        if plan.policy != before.policy:
            self._hand_over(before, plan, is_rollback=why.startswith("rollback"))
        self._plan = plan
        self._shadows.follow(plan)
        self._write_plan(why)
        self._say(why)
        self.board.show(plan=plan)

    def _hand_over(self, before: Plan, plan: Plan, *, is_rollback: bool) -> None:
        """Another policy decides: with what its twin remembers."""
        twin = self._shadows.states.get(plan.policy)
        self._state = twin[0] if twin else initial_control_state(plan.build(plan.policy), plan.limits(plan.policy))
        self._previous = None if is_rollback else before.policy
        self._probation = None
        if not is_rollback and plan.watch.for_s:
            self._probation = Probation(since_s=self._clock.run_s, watch=plan.watch, before=self.board.state.totals)

    def _write_plan(self, why: str, *, is_configured: bool = False) -> None:
        """Write down what decides from the next tick on."""
        self._plan_number += 1
        self._store.add_plan(
            PlanEntry(
                number=self._plan_number,
                wall_s=self._wall_s(),
                first_tick=self._number + 1,
                is_configured=is_configured,
                why=why,
                plan=self._plan,
                state=self._state,
            )
        )
